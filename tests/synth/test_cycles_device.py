"""Which device Cycles renders on, and what is said where it cannot."""

from __future__ import annotations

import importlib.metadata
import logging
import sys
import types

import pytest

from assets.errors import RenderError, SpecError
from ray_jobs.cli import doctor
from synth.renderers import limit_threads, make_renderer, plan_renderer
from synth.renderers.cycles import device
from synth.renderers.cycles.device import Device, apply_device, choose_device

GPUS = (Device("optix", "H200", "OPTIX_0"), Device("optix", "H200", "OPTIX_1"), Device("cuda", "H200", "CUDA_0"),
        Device("cpu", "EPYC", "CPU"))


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(device, "devices", lambda: GPUS)


def test_the_first_of_the_fastest_kind_is_taken_and_said(two_gpus, caplog):
    with caplog.at_level(logging.INFO):
        assert choose_device() is GPUS[0]
    assert "Cycles renders on optix (H200)" in caplog.text
    assert choose_device("cuda") is GPUS[2] and choose_device("cpu") is GPUS[3]


def test_what_is_not_there_is_one_line_with_what_is(monkeypatch, two_gpus):
    with pytest.raises(RenderError, match=r"no metal device here; there is optix \(H200\), .*, cpu \(EPYC\)"):
        choose_device("metal")
    with pytest.raises(RenderError, match="'llvm_ad_rgb' is not one of auto, optix, cuda, hip, metal, cpu"):
        choose_device("llvm_ad_rgb")
    with pytest.raises(SpecError, match="'eevee' is not one of mitsuba, cycles"):
        make_renderer("eevee")


def test_without_bpy_it_says_how_to_get_it(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    device.devices.cache_clear()
    with pytest.raises(RenderError, match=r"not installed: pip install 'bpy==5.0.1' \(Python 3.11 only\)") as caught:
        plan_renderer("cycles")
    assert "\n" not in str(caught.value)
    (check,) = doctor._cycles()
    assert check.value == "not installed (no bpy)" and check.ok is None


def test_one_device_is_used_and_no_other(monkeypatch):
    entries = [types.SimpleNamespace(id=found.id, type=found.kind.upper(), use=True) for found in GPUS]
    preferences = types.SimpleNamespace(devices=entries, compute_device_type="NONE",
                                        get_devices_for_type=lambda kind: [])
    addons = {"cycles": types.SimpleNamespace(preferences=preferences)}
    context = types.SimpleNamespace(preferences=types.SimpleNamespace(addons=addons))
    monkeypatch.setitem(sys.modules, "bpy", types.SimpleNamespace(context=context))
    scene = types.SimpleNamespace(render=types.SimpleNamespace(), cycles=types.SimpleNamespace())
    apply_device(GPUS[1], scene)
    assert (scene.cycles.device, preferences.compute_device_type) == ("GPU", "OPTIX")
    assert [entry.id for entry in entries if entry.use] == ["OPTIX_1"]
    with pytest.raises(RenderError, match=r"hip \(gone\) is gone"):
        apply_device(Device("hip", "gone", "HIP_0"), scene)
    apply_device(GPUS[3], scene)
    assert scene.cycles.device == "CPU"


def test_workers_get_as_many_threads_as_they_are_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "bpy", types.SimpleNamespace())
    monkeypatch.setitem(sys.modules, "drjit", types.SimpleNamespace(set_thread_count=lambda count: None))
    monkeypatch.setattr(device, "_threads", 0)
    scene = types.SimpleNamespace(render=types.SimpleNamespace(), cycles=types.SimpleNamespace())
    apply_device(GPUS[3], scene)
    assert scene.render.threads_mode == "AUTO"
    limit_threads(3)
    apply_device(GPUS[3], scene)
    assert (scene.render.threads_mode, scene.render.threads) == ("FIXED", 3)


def test_a_planned_renderer_is_the_one_that_starts():
    pytest.importorskip("bpy")
    device.devices.cache_clear()
    variant, version = plan_renderer("cycles", "cpu")
    described = make_renderer("cycles", variant).describe()
    assert (variant, version) == ("cpu", described["version"]) and described["variant"] == "cpu"
    assert {"cycles cpu", "cycles: auto"} <= {check.name for check in doctor._cycles()}
