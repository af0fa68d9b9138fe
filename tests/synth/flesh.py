"""Probe subjects with strands, shells of glass, and several bodies at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from synth.camera.camera import Camera, look_at
from synth.lighting.envmap import EnvMap
from synth.scene import AnyMaterial, Fibre, Glass, Material, MeshPart, Strands, Subject
from tests.synth.probes import sphere_subject


def hairy(subject: Subject, fibre: Fibre, count: int = 1500, points: int = 5, length: float = 0.04,
          radius: float = 2e-4) -> Subject:
    """The subject with curved strands all over its first part."""
    rng = np.random.default_rng(0)
    part, rest = subject.parts[0], subject.vertices[0]
    triangles = part.vertex_map[part.faces]
    corners = rest[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = rng.choice(len(triangles), count, p=area / area.sum())
    t = np.linspace(0, 1, points, dtype=np.float32)[:, None]
    lean = rng.normal(size=(count, 1, 2)).astype(np.float32) * 0.3
    rise = np.broadcast_to(0.6 * t - 0.3 * t**2, (count, points, 1))
    offsets = np.concatenate([lean * t**2 + 0.4 * t, rise], axis=-1)
    group = Strands("hair", "hair", triangles[chosen].astype(np.int32), np.full((count, 3), 1 / 3, np.float32),
                    np.float32(length * offsets), np.full((count, points), radius, np.float32))
    return dataclasses.replace(subject, materials={**subject.materials, "hair": fibre}, strands=(group,))


def shelled(subject: Subject, pane: Glass, scale: float,
            faces: Callable[[np.ndarray], np.ndarray] | None = None) -> Subject:
    """The subject's first part a second time, larger and of glass; faces: which triangles, from centres (F, 3)."""
    part, count = subject.parts[0], subject.vertices.shape[1]
    kept = part.faces
    if faces is not None:
        kept = kept[faces(scale * subject.vertices[0][part.vertex_map[part.faces]].mean(axis=1))]
    shell = dataclasses.replace(part, name="cornea", material="cornea", vertex_map=part.vertex_map + count, faces=kept)
    return dataclasses.replace(subject, parts=(*subject.parts, shell), materials={**subject.materials, "cornea": pane},
                               vertices=np.concatenate([subject.vertices, scale * subject.vertices], axis=1))


def eye(iris: Material, pane: Glass | None, size: float = 0.1) -> Subject:
    """A disc under a dome of glass in the proportions of an iris under its cornea, looking along +Z."""
    dome = shelled(sphere_subject(iris, size, rows=64), pane or Glass(), 1.0, lambda c: c[:, 2] > 0.65 * size)
    turn, rings = np.linspace(0, 2 * np.pi, 49)[:-1], np.linspace(0, 0.77 * size, 9)[1:]
    disc = np.stack([np.outer(rings, np.cos(turn)), np.outer(rings, np.sin(turn)),
                     np.full((8, 48), 0.65 * size)], axis=-1).reshape(-1, 3)
    disc = np.concatenate([[[0, 0, 0.65 * size]], disc])
    index = 1 + np.arange(8 * 48).reshape(8, 48)
    after = np.roll(index, -1, axis=1)
    inner, outer = index[:-1].ravel(), index[1:].ravel()
    faces = np.concatenate([np.stack([np.zeros(48, int), index[0], after[0]], 1),
                            np.stack([inner, outer, after[1:].ravel()], 1),
                            np.stack([inner, after[1:].ravel(), after[:-1].ravel()], 1)])
    count = dome.vertices.shape[1]
    part = MeshPart("iris", (count + np.arange(len(disc))).astype(np.int32), faces.astype(np.int32),
                    (disc[:, :2] / size / 2 + 0.5).astype(np.float32), "surface")
    return dataclasses.replace(dome, parts=(part, *dome.parts[1:]) if pane else (part,),
                               vertices=np.concatenate([dome.vertices, disc[None].astype(np.float32)], axis=1))


def ball(material: AnyMaterial, **options) -> Subject:
    """A sphere of 10 cm radius, few triangles."""
    return sphere_subject(material, rows=32, **options)


def together(subjects: Sequence[Subject], places: Sequence[tuple[float, float, float]]) -> Subject:
    """Several one-frame subjects side by side, moved to their places (metres)."""
    parts, materials, vertices, strands, count = [], {}, [], [], 0
    for number, (subject, place) in enumerate(zip(subjects, places, strict=True)):
        materials |= {f"{name}{number}": material for name, material in subject.materials.items()}
        parts += [dataclasses.replace(part, name=f"{part.name}{number}", material=f"{part.material}{number}",
                                      vertex_map=part.vertex_map + count) for part in subject.parts]
        strands += [dataclasses.replace(group, name=f"{group.name}{number}", material=f"{group.material}{number}",
                                        roots=group.roots + count) for group in subject.strands]
        vertices.append(subject.vertices + np.float32(place))
        count += subject.vertices.shape[1]
    return dataclasses.replace(subjects[0], parts=tuple(parts), materials=materials, strands=tuple(strands),
                               vertices=np.concatenate(vertices, axis=1))


BODIES = ("lens", "stone", "flesh", "hair", "cornea", "eye")
"""What stands in a cabinet, in a row along X."""
APART = 2.0
"""Metres from one to the next: they hardly light each other."""
FLESH = np.float32([3e-3, 1.5e-3, 0.8e-3])
_BROWN = Fibre(0.4)
_CHALK = Material(np.float32([0.5, 0.5, 0.5]), roughness=1.0, specular=0.0)


def cabinet(fibre: Fibre = _BROWN, size: float = 0.1, **surfaces: Material) -> Subject:
    """One body of every kind, far from each other; compiling kernels is dear, and all cabinets share theirs.

    surfaces: by body; what lies under the hair or behind the glass. Albedos: a colour, or (16, 32, 3).
    """
    def paint(body: str) -> Material:
        surface = surfaces.pop(body, _CHALK)
        scatter = (FLESH if surface.scatter is None else surface.scatter) if body == "flesh" else None
        return dataclasses.replace(surface, scatter=scatter,
                                   albedo=np.ascontiguousarray(np.broadcast_to(surface.albedo, (16, 32, 3))))

    subject = together([
        shelled(ball(paint("lens"), radius=size), Glass(1.5, thin=True), 1.1),
        ball(paint("stone"), radius=size), ball(paint("flesh"), radius=size),
        hairy(ball(paint("hair"), radius=size), fibre), shelled(ball(paint("cornea"), radius=size), Glass(1.376), 1.1),
        eye(paint("eye"), Glass(1.376), size),
    ], [(APART * number, 0, 0) for number in range(len(BODIES))])
    assert not surfaces, f"no such bodies: {set(surfaces)}"
    return subject


SAMPLES = 36
"""A pixel in every picture of a cabinet: each number of them is a kernel of its own."""


def place_of(body: str) -> np.ndarray:
    """(3,) metres: the middle of a body of a cabinet."""
    return np.array([APART * BODIES.index(body), 0, 0])


def camera_on(body: str, width: int = 48) -> Camera:
    """In front of one body of a cabinet."""
    return Camera(look_at(place_of(body) + [0, 0, 0.6], place_of(body)), 85.0, width, width)


def views(renderer, subject: Subject, bodies: Sequence[str], lights: Sequence[EnvMap],
          seed: int = 0) -> list[dict[str, np.ndarray]]:
    """The channels of a picture of each of these bodies of a cabinet, or of its frames if it has several."""
    if len(subject.vertices) == 1:
        subject = dataclasses.replace(subject, vertices=np.repeat(subject.vertices, len(bodies), axis=0))
    lightings = [[light] * len(bodies) for light in lights]
    return [frame.channels for frame in renderer.render(
        subject, [camera_on(body) for body in bodies], lightings, samples=SAMPLES, seed=seed)]


def surface_of(body: str) -> str:
    """The name of a body's surface among a cabinet's materials."""
    return f"surface{BODIES.index(body)}"
