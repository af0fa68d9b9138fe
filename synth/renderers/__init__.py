"""One package a renderer. Asking for one by name imports it then, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assets.errors import SpecError

if TYPE_CHECKING:
    from synth.scene import Renderer


def limit_threads(count: int) -> None:
    """Give the renderers of this process ``count`` threads. No pixel depends on it."""
    import drjit

    drjit.set_thread_count(count)


def make_renderer(name: str, variant: str = "auto") -> Renderer:
    """A renderer backend, started. RenderError in one line where it cannot start."""
    if name == "mitsuba":
        from synth.renderers.mitsuba.renderer import MitsubaRenderer

        return MitsubaRenderer(variant)
    raise SpecError(f"renderer: {name!r} is not one of mitsuba")
