"""One package a renderer. Asking for one by name imports it then, and only then."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from assets.errors import SpecError
from synth.renderers.variants import choose_variant

if TYPE_CHECKING:
    from synth.scene import Renderer


RENDERERS = ("mitsuba", "cycles")
"""Backends by name, which are the dataset's domains too."""


def limit_threads(count: int) -> None:
    """Give the renderers of this process ``count`` threads. No pixel depends on it."""
    import drjit

    from synth.renderers.cycles import device

    drjit.set_thread_count(count)
    device.limit_threads(count)


def plan_renderer(name: str, variant: str = "auto") -> tuple[str, str]:
    """The variant that a backend would start with here, and its version, without loading it into this process.

    RenderError in one line where it cannot start.
    """
    if name == "mitsuba":
        return choose_variant(variant), importlib.metadata.version("mitsuba")
    from synth.renderers.cycles import device

    return device.choose_device(variant).kind, device.version()


def make_renderer(name: str, variant: str = "auto", denoise: bool = False) -> Renderer:
    """A renderer backend, started; only Cycles denoises. RenderError in one line where it cannot start."""
    if name == "mitsuba":
        from synth.renderers.mitsuba.renderer import MitsubaRenderer

        return MitsubaRenderer(variant)
    if name == "cycles":
        from synth.renderers.cycles.renderer import CyclesRenderer

        return CyclesRenderer(variant, denoise)
    raise SpecError(f"renderer: {name!r} is not one of {', '.join(RENDERERS)}")
