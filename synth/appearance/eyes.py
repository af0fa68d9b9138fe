"""Painting eyes: the iris' stroma under its cornea, and the sclera with its vessels under a film of tears."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from synth.appearance import texels
from synth.appearance.description import EyeLook
from synth.heads.template.eyes import LIMBUS_RADIUS, eye_texture_radius, limbus_angle
from synth.heads.template.sculpt import smoothstep
from synth.scene import AnyMaterial, Glass, Material

MAGNIFICATION = 1.13
"""How much larger the pupil looks through the cornea than it is (Atchison & Smith 2000)."""
ROOT_RADIUS = 5.6
"""Where the iris ends and the wall of the chamber begins, mm, see :func:`synth.heads.template.eyes.iris_section`."""
EUMELANIN, PHEOMELANIN = np.float32([0.419, 0.697, 1.37]), np.float32([0.187, 0.4, 1.05])
"""Absorption of the pigments as in :class:`synth.scene.Fibre`; the iris has the same two (Prota et al. 1998)."""
COLOURS: dict[str, tuple[tuple[float, float, float], float, float, float]] = {
    "blue": ((0.15, 0.24, 0.36), 0.10, 0.0, 0.5), "grey": ((0.25, 0.30, 0.34), 0.16, 0.0, 0.3),
    "green": ((0.22, 0.29, 0.34), 0.22, 0.65, 1.2), "hazel": ((0.32, 0.33, 0.34), 0.55, 0.75, 1.9),
    "amber": ((0.45, 0.42, 0.38), 0.70, 1.40, 0.6), "brown": ((0.36, 0.33, 0.31), 2.3, 1.1, 0.5),
    "dark_brown": ((0.34, 0.31, 0.30), 3.8, 1.1, 0.3),
}
"""Light that the stroma's fibres scatter back, linear Rec.709, without pigment (bluer the fewer they are); eumelanin
and pheomelanin in it; how much more there is about the pupil: central heterochromia."""
PATTERNS: dict[str, tuple[float, int, float]] = {
    "fibres": (1.0, 6, 0.25), "crypts": (0.8, 20, 0.2), "furrows": (0.6, 4, 1.0), "smooth": (0.35, 0, 0.15)}
"""Relief of the radial fibres, number of Fuchs' crypts, depth of the contraction furrows."""
RIM = np.float32([0.15, 0.165, 0.18])
"""Where cornea and sclera meet: clear tissue over the chamber's dark, and white behind it."""
WHITE = np.float32([0.44, 0.41, 0.385])
"""A young sclera beneath its conjunctiva. Between lids it is then .7 times as bright as light cheeks in even light;
three real clips show .3 to .7, and 1.1 where the eye is turned and lit from the front."""


def paint_eyes(look: EyeLook, size: int) -> dict[str, AnyMaterial]:
    """Materials of both eyes: ``eye`` (the sclera), ``iris`` and ``cornea``; textures of ``size`` texels a side."""
    streams = np.random.SeedSequence(look.seed).spawn(2)
    iris, sclera = (np.random.Generator(np.random.PCG64(stream)) for stream in streams)
    return {"eye": _sclera(sclera, look, size), "iris": _iris(iris, look, size), "cornea": Glass(1.376)}


def _polar(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Radius in texture widths and turn in radians (size, size) float32 of a texture's texels about its middle."""
    at = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    u, v = np.meshgrid(at, -at)
    return np.hypot(u, v), np.arctan2(v, u)


def _iris(rng: np.random.Generator, look: EyeLook, size: int) -> Material:
    radius, turn = _polar(size)
    flat = radius / 0.499 * LIMBUS_RADIUS
    pupil = 0.5 * look.pupil_mm / MAGNIFICATION
    share = np.clip((flat - pupil) / (ROOT_RADIUS - pupil), 0, 1)
    height, centre = _stroma(rng, look.pattern, turn, share)
    albedo = _coloured(rng, look, turn, height, centre)
    albedo = albedo * _freckles(rng, flat, turn, pupil)[..., None]
    # Limbal ring: the cornea's opaque edge and the shadow of the chamber's wall.
    ring = smoothstep(4.7, 5.55, flat + 0.12 * _spokes(rng, turn, share, 40, 1))
    albedo = albedo * (1 - (0.25 + 0.6 * look.limbal_ring) * ring[..., None] * np.float32([1, 0.96, 0.88]))
    ruff = np.exp(-(((flat - pupil - 0.02) / (0.09 + 0.03 * _spokes(rng, turn, share, 90, 1))) ** 2))[..., None]
    albedo = albedo + 0.85 * ruff * (np.float32([0.026, 0.015, 0.011]) - albedo)
    albedo = albedo + smoothstep(5.35, 5.8, flat)[..., None] * (np.minimum(RIM, albedo) - albedo)
    black = smoothstep(pupil + 0.05, pupil - 0.03, flat)
    albedo = albedo * (1 - black[..., None])
    relief = height * (1 - black) * smoothstep(5.7, 5.3, flat)
    slope = 0.05 * size / (0.998 * 2 * LIMBUS_RADIUS)  # a relief of 0.05 mm, in texels
    return Material(np.clip(albedo, 0.01, 0.9).astype(np.float32), roughness=0.6, specular=0.05,
                    normal_map=texels.normals_from_height(relief.astype(np.float32), slope))


def _stroma(rng: np.random.Generator, pattern: str, turn: np.ndarray,
            share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Height in [0, 1] of the stroma's fibres, and how much a place belongs to the pupil's zone, in [0, 1].

    share: 0 at the pupil's edge to 1 at the root.
    """
    relief, crypts, furrows = PATTERNS[pattern]
    wave = 0.05 * _spokes(rng, turn, share, 14, 4) + 0.012 * _spokes(rng, turn, share, 50, 8)
    bent = turn + wave * share
    # Fibres are where noise that varies fast around the pupil and slowly along the radius crosses zero: they branch.
    strands = sum(weight * np.exp(-((_spokes(rng, bent, share, spokes, rings) / 0.55) ** 2))
                  for weight, spokes, rings in ((0.42, 90, 2), (0.36, 170, 4), (0.22, 300, 6)))
    edge = 0.29 + 0.028 * _spokes(rng, turn, share, 26, 1)
    centre = smoothstep(edge + 0.13, edge - 0.08, share)
    height = 0.52 + relief * 0.75 * (strands - 0.42) * (1 - 0.45 * centre)
    height += 0.22 * relief * np.exp(-(((share - edge) / 0.045) ** 2))  # the collarette
    for pit in _crypts(rng, crypts, bent, share, edge):
        height += pit
    place = share + 0.012 * _spokes(rng, turn, share, 9, 1)
    for at in (0.55, 0.68, 0.79, 0.88):
        arc = smoothstep(-0.2, 1.0, _spokes(rng, turn, share, 8, 1) + 0.5 * furrows - 0.3)
        line = (place - at - 0.02 * _spokes(rng, turn, share, 4, 1)) / 0.018
        height -= 0.3 * furrows * arc * np.exp(-(line**2))
    return np.clip(height, 0, 1), centre


def _crypts(rng: np.random.Generator, count: int, turn: np.ndarray, share: np.ndarray, edge: np.ndarray):
    """Heights (H, W) to add for each of Fuchs' crypts: a rhombic pit between bundles of fibres, with a raised rim."""
    for k in range(count):
        at, reach = 2 * np.pi * (k + rng.uniform(-0.5, 0.5)) / count, rng.uniform(0.06, 0.17)
        middle, width = reach + rng.uniform(-0.02, 0.1), rng.uniform(0.05, 0.12) * (1 + 3 * (reach - 0.06))
        across = np.abs((turn - at + np.pi) % (2 * np.pi) - np.pi) / width
        near = (across**1.5 + (np.abs(share - edge - middle) / reach) ** 1.5) ** (1 / 1.5)
        yield 0.1 * np.exp(-(((near - 1.15) / 0.2) ** 2)) - rng.uniform(0.25, 0.45) * smoothstep(1.15, 0.45, near)


def _coloured(rng: np.random.Generator, look: EyeLook, turn: np.ndarray, height: np.ndarray,
              centre: np.ndarray) -> np.ndarray:
    """(H, W, 3) reflectance: fibres scatter, pigment in front of them and between them absorbs."""
    scattered, eumelanin, pheomelanin, more = COLOURS[look.iris]
    patches = np.exp(0.22 * _spokes(rng, turn, height, 7, 2) + 0.12 * _spokes(rng, turn, 0 * height, 40, 1))
    thin = np.exp(0.9 * (0.5 - look.tone))
    more = more * rng.uniform(0.1, 1.2) * centre * (0.7 + 0.3 * patches)
    brown = thin * patches * (1.3 - 0.6 * height) * (eumelanin + 0.55 * more)
    red = thin * (pheomelanin + 0.8 * more)
    back = np.float32(scattered) * np.float32((0.8 + 0.4 * look.tone) * (0.22 + 1.35 * height))[..., None]
    return back * np.exp(-(brown[..., None] * EUMELANIN + red[..., None] * PHEOMELANIN))


def _freckles(rng: np.random.Generator, flat: np.ndarray, turn: np.ndarray, pupil: float) -> np.ndarray:
    """(H, W) transmittance of a few spots of pigment."""
    out = np.ones_like(flat)
    for _ in range(rng.poisson(1.2)):
        place, at = rng.uniform(pupil + 0.8, 5.0), rng.uniform(0, 2 * np.pi)
        distance = np.hypot(flat * np.cos(turn) - place * np.cos(at), flat * np.sin(turn) - place * np.sin(at))
        out *= 1 - 0.55 * smoothstep(1.3, 0.6, distance / rng.uniform(0.08, 0.22))
    return out


def _sclera(rng: np.random.Generator, look: EyeLook, size: int) -> Material:
    """The white: its texture is polar about the pupil, see ``eye_texture_radius``; the nose is at a turn of 180 deg."""
    radius, turn = _polar(size)
    angles = np.linspace(0, np.radians(120), 2000)
    angle = np.interp(radius, eye_texture_radius(angles), angles).astype(np.float32)
    cloud = texels.noise(rng, size, size / 14)[..., None]
    white = WHITE + look.sclera_yellow * np.float32([-0.03, -0.06, -0.13])
    albedo = white * (1 + 0.018 * cloud)
    # Blood: more of it, and the conjunctiva thicker, towards the corners; the fold at the nose is flesh.
    nasal, temporal = np.clip(-np.cos(turn), 0, 1) ** 3, np.clip(np.cos(turn), 0, 1) ** 3
    blush = (0.12 + 0.38 * look.veins) * (nasal + 0.7 * temporal) * smoothstep(0.55, 1.15, angle)
    flesh = 0.6 * smoothstep(0.9, 1.3, angle + 0.05 * texels.noise(rng, size, size / 9)) * nasal
    blood = blush * (1 + 0.3 * cloud[..., 0]) + 0.1 * look.veins + 1.2 * flesh
    vessels, raised = _vessels(rng, look.veins, size)
    blood = blood + (0.25 + 0.65 * look.veins) * vessels
    albedo = albedo * np.exp(-np.clip(blood, 0, 3)[..., None] * np.float32([0.10, 0.62, 0.55]))
    # The limbus: clear cornea turns into white over a millimetre.
    rim = limbus_angle()
    clear = smoothstep(rim + 0.09, rim - 0.012, angle + 0.006 * texels.noise(rng, size, size / 60))[..., None]
    albedo = albedo + clear * (0.75 + 0.25 * look.limbal_ring) * (RIM - albedo)
    bumps = 0.6 * texels.noise(rng, size, size / 42) + 0.4 * texels.noise(rng, size, size / 16) + 1.2 * raised
    fade = smoothstep(rim + 0.02, rim + 0.2, angle).astype(np.float32)
    return Material(np.clip(albedo, 0.01, 0.9).astype(np.float32), roughness=0.24, specular=0.35,
                    normal_map=texels.normals_from_height((bumps * fade).astype(np.float32), size / 2400),
                    scatter=np.float32([1.2e-3, 0.8e-3, 0.6e-3]), clearcoat=1.0, clearcoat_gloss=0.98)


def _vessels(rng: np.random.Generator, amount: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) optical depth of the conjunctiva's vessels, about [0, 1], and the same of those that stand out.

    Trees that come from the corners and branch towards the limbus, drawn as dots on the unrolled sphere.
    """
    fine, thick = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    for _ in range(12 + int(30 * amount)):
        side = np.pi * (rng.random() < 0.5) + 0.55 * rng.normal()
        start = rng.uniform(1.0, 1.6) * np.array([np.cos(side), np.sin(side)])
        trunk = [(start, side + np.pi + 0.35 * rng.normal(), rng.uniform(0.3, 1.0) ** 1.5)]
        for _ in range(6):
            if not trunk:
                break
            points, strength, branches = _branch(rng, *trunk.pop(0))
            _dot(thick if strength > 0.62 else fine, points, strength)
            trunk += branches
    thick = gaussian_filter(thick, 0.0013 * size)
    total = gaussian_filter(fine, 0.0009 * size) + thick
    return 1.5 * (1 - np.exp(-0.45 * total)), thick


def _branch(rng: np.random.Generator, start: np.ndarray, heading: float, strength: float) -> tuple:
    """One vessel: points (K, 2) in radians on the unrolled eye, its strength, and what branches off."""
    steps, step = int(rng.uniform(12, 70)), 0.011
    turns = heading + np.cumsum(0.16 * rng.normal(size=steps)) * 0.7 + 0.5 * np.sin(
        np.arange(steps) * rng.uniform(0.15, 0.4) + rng.uniform(0, 6))
    points = start + step * np.cumsum(np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0)
    stops = np.flatnonzero(np.linalg.norm(points, axis=1) < limbus_angle() + rng.uniform(0.03, 0.5))
    points = points[: stops[0] + 1] if len(stops) else points
    branches = [] if strength < 0.2 else [
        (points[k], turns[k] + rng.choice([-1, 1]) * rng.uniform(0.25, 0.7), strength * rng.uniform(0.4, 0.75))
        for k in rng.integers(0, len(points), 3)]
    return points, strength, branches


def _dot(image: np.ndarray, points: np.ndarray, strength: float) -> None:
    """Add a vessel's points (K, 2), radians on the unrolled eye, to a texture, tapering."""
    size = len(image)
    dense = np.stack([np.interp(np.linspace(0, 1, 8 * len(points)), np.linspace(0, 1, len(points)), x)
                      for x in points.T], axis=1)
    angle = np.linalg.norm(dense, axis=1)
    at = dense / np.maximum(angle, 1e-9)[:, None] * eye_texture_radius(angle)[:, None] * (1, -1) + 0.5
    column, row = np.clip(at * size - 0.5, 0, size - 1.001).T
    j, i = column.astype(int), row.astype(int)
    s, t = column - j, row - i
    weight = 2.2 * strength * np.linspace(1, 0.25, len(dense)) * (size / 512)
    for dy, dx, share in ((0, 0, (1 - t) * (1 - s)), (0, 1, (1 - t) * s), (1, 0, t * (1 - s)), (1, 1, t * s)):
        np.add.at(image, (i + dy, j + dx), weight * share)


def _spokes(rng: np.random.Generator, turn: np.ndarray, share: np.ndarray, spokes: int, rings: int) -> np.ndarray:
    """Unit noise (H, W) float32 with ``spokes`` values around the pupil and ``rings`` along the radius."""
    table = rng.standard_normal((rings + 2, spokes))
    column = (turn / (2 * np.pi) + 0.5) * spokes
    return map_coordinates(table, [share * rings + 0.5, column], output=np.float32, order=3, mode="grid-wrap")
