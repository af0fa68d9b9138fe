"""Job files: what is wrong is said in one line that names the field, its value and what it may be."""

from pathlib import Path

import pytest

from assets.errors import SpecError
from synth.generate import choose_method, renderers_of
from synth.spec import JobSpec, RenderChoice, load_job, parse_job


@pytest.mark.parametrize("text,message", [
    ("", "got an empty document, expected a mapping"),
    ("0", "got int, expected a mapping"),
    ("[1, 2]", "got list"),
    ("clips: many", "field 'clips' is 'many': .*integer"),
    ("clips: 0", "field 'clips' is 0: .*greater than or equal to 1"),
    ("clip: 3", "unknown field 'clip'; known fields: output, seed, clips"),
    ("lighting: {foo: 1}", "unknown field 'lighting.foo'; known fields: sources, sequences, split"),
    ("lighting: {sources: bundled}", "field 'lighting.sources' is 'bundled': .*list"),
    ("camera: {focal_mm: [100, 20]}", r"field 'camera.focal_mm' is \[100, 20\]: .*0 < low <= high <= 2000"),
    ("camera: {focal_mm: [-5, .nan]}", "field 'camera.focal_mm'"),
    ("camera: {head_height: [0, 0]}", "field 'camera.head_height'.* <= 1"),
    ("samples_scalar: 0", "field 'samples_scalar' is 0"),
    ("lightings: 4097", "field 'lightings' is 4097: .*less than or equal to 4096"),
    ("render: transport", "field 'render' is 'transport'"),
    ("render: {method: paths}", "field 'render.method' is 'paths': .*'path', 'transport' or 'light_groups'"),
    ("renderer: blender", "field 'renderer' is 'blender': .*'mitsuba', 'cycles' or 'both'"),
    ("render: {path: 512}", "unknown field 'render.path'; known fields: method, paths, store"),
    ("output: ''", "field 'output' is ''"),
    ("clips: [", "not valid YAML at line 1"),
    ("clips: !!python/object/apply:os.system ['true']", "not valid YAML"),
])
def test_a_wrong_job_file_is_one_line(tmp_path, text, message):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(SpecError, match=message) as caught:
        load_job(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_overrides_replace_the_file(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("clips: 3\nseed: 5")
    job = load_job(path, clips=7, seed=None)
    assert (job.clips, job.seed) == (7, 5)
    assert parse_job({}) == JobSpec()
    with pytest.raises(SpecError, match="no such job file"):
        load_job(tmp_path / "missing.yaml")


def test_every_field_is_in_the_documentation():
    page = (Path(__file__).parents[2] / "docs" / "job.md").read_text()
    parts = ("render", "head", "appearance", "motion", "camera", "lighting")
    fields = [name for name in JobSpec.model_fields if name not in parts]
    for part in parts:
        fields += [f"{part}.{name}" for name in JobSpec.model_fields[part].annotation.model_fields]
    assert [name for name in fields if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize(("render", "lightings", "variant", "method"), [
    ({}, 8, "llvm_ad_rgb", "path"), ({}, 1000, "llvm_ad_rgb", "transport"), ({}, 1000, "scalar_rgb", "path"),
    ({"paths": 8192}, 60, "llvm_ad_rgb", "path"), ({"paths": 16}, 60, "llvm_ad_rgb", "transport"),
    ({"method": "path"}, 1000, "llvm_ad_rgb", "path"), ({"method": "transport"}, 1, "cuda_ad_rgb", "transport"),
])
def test_transport_is_taken_where_it_pays(render, lightings, variant, method):
    job = JobSpec(lightings=lightings, render=render)
    assert choose_method(job, variant) == job.render.model_copy(update={"method": method})


@pytest.mark.parametrize(("render", "message"), [
    ({"method": "transport"}, "render.method: got transport, .* this is scalar_rgb: take method 'path'"),
    ({"store": True}, "render.store: got true, .* this is scalar_rgb: .* store false"),
])
def test_the_scalar_variant_has_no_transport(render, message):
    with pytest.raises(SpecError, match=message):
        choose_method(JobSpec(render=render), "scalar_rgb")


@pytest.mark.parametrize(("fields", "renderer", "message"), [
    ({"render": {"method": "transport"}}, "cycles", "got transport, which cycles .* auto, path or light_groups"),
    ({"render": {"method": "light_groups"}}, "mitsuba", "got light_groups, which mitsuba .* auto, path or transport"),
    ({"render": {"method": "light_groups"}}, "cycles", "lobes: got true, .* expected false"),
    ({"render": {"denoise": True}}, "mitsuba", "render.denoise: got true, which mitsuba .* expected false"),
])
def test_each_renderer_has_methods_of_its_own(fields, renderer, message):
    with pytest.raises(SpecError, match=message) as caught:
        choose_method(JobSpec(**fields), "cpu", renderer)
    assert "\n" not in str(caught.value)


def test_cycles_traces_paths_unless_light_groups_are_asked_for():
    many = JobSpec(lightings=1000, lobes=False)
    assert choose_method(many, "cpu", "cycles").method == "path"
    asked = many.model_copy(update={"render": RenderChoice(method="light_groups", store=True)})
    assert choose_method(asked, "cpu", "cycles") == asked.render


def test_both_renderers_choose_their_own_variants():
    assert renderers_of(JobSpec(renderer="both")) == ("mitsuba", "cycles")
    with pytest.raises(SpecError, match="variant: got 'cpu' with renderer both, expected auto"):
        renderers_of(JobSpec(renderer="both", variant="cpu"))
