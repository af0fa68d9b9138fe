"""A whole person from an identity and an appearance: complete, repeatable, and moving as one."""

import dataclasses

import numpy as np
import pytest

from assets.errors import SpecError
from synth.actor import cast
from synth.appearance.description import Appearance
from synth.appearance.sampling import sample_appearance
from synth.heads.load import load_head
from synth.motion.performance import neutral
from synth.scene import Fibre, Glass, Material

SMALL = {"texels": 96, "strands": 400}


@pytest.fixture(scope="module")
def head():
    return load_head()


def draw(head, seed):
    identity = head.sample_identity(np.random.default_rng(seed))
    return identity, sample_appearance(np.random.default_rng(seed), identity, head)


def changed(appearance, **groups):
    return appearance.model_copy(update={name: getattr(appearance, name).model_copy(update=fields)
                                         for name, fields in groups.items()})


@pytest.mark.parametrize("seed", range(3))
def test_everything_that_is_drawn_has_a_material_in_range(head, seed):
    identity, appearance = draw(head, seed)
    subject = cast(head, identity, appearance, **SMALL).perform()
    asked = {part.material for part in subject.parts} | {group.material for group in subject.strands}
    assert set(subject.materials) == asked and {"skin", "eye", "iris", "cornea", "teeth"} <= asked
    for name, material in subject.materials_at(0).items():
        assert isinstance(material, (Material, Glass, Fibre)), name
        if isinstance(material, Material):
            assert material.albedo.dtype == np.float32, name
            assert 0.0099 <= material.albedo.min() and material.albedo.max() <= 0.9001, name
            roughness, coat = np.asarray(material.roughness), np.asarray(material.clearcoat)
            assert 0.05 <= roughness.min() and roughness.max() <= 1 and 0 <= coat.min() and coat.max() <= 1, name
            if material.normal_map is not None:
                np.testing.assert_allclose(np.linalg.norm(material.normal_map, axis=2), 1, atol=1e-4)
                assert material.normal_map[..., 2].min() > 0.05, name
    for part in subject.parts:
        assert part.label not in ("hair", "brows", "lashes"), "hair is strands"
        assert part.vertex_map.max() < subject.vertices.shape[1]


def test_the_same_description_is_the_same_person_to_the_bit(head):
    identity, appearance = draw(head, 1)
    stored = Appearance.model_validate_json(appearance.model_dump_json())
    one, same = (cast(head, identity, look, **SMALL).perform() for look in (appearance, stored))
    for name, material in one.materials.items():
        if isinstance(material, Material):
            np.testing.assert_array_equal(material.albedo, same.materials[name].albedo, err_msg=name)
            np.testing.assert_array_equal(material.roughness, same.materials[name].roughness, err_msg=name)
    for mine, its in zip(one.strands, same.strands, strict=True):
        np.testing.assert_array_equal(mine.place(one.vertices[0]), its.place(same.vertices[0]))
        assert mine.name == its.name


def test_hair_and_glasses_move_with_the_head(head):
    identity, appearance = draw(head, 2)
    appearance = changed(appearance, worn={"glasses": "round", "cover": None}, hair={"style": "short", "beard": "none"})
    actor = cast(head, identity, appearance, **SMALL)
    turned = dataclasses.replace(neutral(2, 24.0), head=np.float32([(0, 0, 0), (0, 0.6, 0)]))
    subject = actor.perform(turned)
    lens = np.concatenate([part.vertex_map for part in subject.parts if part.label == "lens"])
    hair = next(group for group in subject.strands if group.name == "hair")
    for points in (subject.vertices[:][:, lens], np.stack([hair.place(subject.vertices[t]) for t in (0, 1)])):
        before, after = points.reshape(2, -1, 3)
        assert np.abs(after - before).max() > 0.02
        pairs = np.random.default_rng(0).integers(len(before), size=(2, 500))
        spread = [np.linalg.norm(cloud[pairs[0]] - cloud[pairs[1]], axis=1) for cloud in (before, after)]
        np.testing.assert_allclose(spread[0], spread[1], atol=1e-3)


def test_without_strands_hair_is_painted(head):
    identity, appearance = draw(head, 3)
    appearance = changed(appearance, hair={"style": "short", "eumelanin": 6.0}, skin={"melanin": 0.015})
    bare, painted = (cast(head, identity, appearance, texels=256, strands=count) for count in (200, 0))
    assert not painted.strands and bare.strands
    assert painted.materials["skin"].albedo.mean() < bare.materials["skin"].albedo.mean() - 0.01


def test_skin_tone_is_that_of_the_face(head):
    identity, appearance = draw(head, 0)
    tones = [cast(head, identity, changed(appearance, skin={"melanin": melanin}), texels=128, strands=0).skin_tone
             for melanin in (0.015, 0.3)]
    assert tones[0].shape == (3,) and tones[0].min() > 2 * tones[1].max() > 0.02


@pytest.mark.parametrize("group, field, value", [
    ("hair", "style", "mullet"), ("hair", "beard", "ducktail"), ("worn", "glasses", "monocle"),
    ("worn", "cover", "crown"),
])
def test_a_name_that_nothing_answers_to_is_refused(head, group, field, value):
    identity, appearance = draw(head, 0)
    with pytest.raises(SpecError, match=f"{group}.{field}: '{value}' is not one of"):
        cast(head, identity, changed(appearance, **{group: {field: value}}), **SMALL)


@pytest.mark.parametrize("hair", [
    {"style": "bald", "length": 0.3}, {"style": "buzz", "hairline": 2.0, "length": 0.3},
    {"style": "quiff", "hairline": 2.0, "length": 0.3, "density": 0.2}, {"style": "afro", "curl": 1.0, "length": 2.0},
])
def test_extremes_grow_without_complaint(head, hair):
    identity, appearance = draw(head, 1)
    for group in cast(head, identity, changed(appearance, hair=hair), texels=64, strands=300).strands:
        assert np.isfinite(group.offsets).all() and group.radii.max() < 4e-4, group.name
