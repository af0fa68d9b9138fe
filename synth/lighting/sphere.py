"""The sphere of directions as an equirectangular grid: geometry, rotation, area-exact resampling. Plain arrays.

Convention: row 0 is +Y; theta = pi (i + .5) / H, phi = 2 pi (j + .5) / W - pi, direction = (sin t sin p, cos t,
-sin t cos p), so the centre column is -Z and the right half is +X. Images are (H, 2H, 3) float32, scene-linear.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import scipy.sparse

from assets.errors import SpecError

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Rec.709 luminance of linear RGB."""

_SUBSAMPLES = 2
"""Samples a texel and axis when rotating. Two make the tents of bilinear look-up sum to 1 within 1 % (r.m.s.;
5 % at worst, which matters to lone bright texels only, and those are turned as lamps)."""

_POLAR_ROWS, _POLAR_SUBSAMPLES = 6, 4
"""Rows at each pole of the source that are read with more samples."""

_LAMPS = 64
"""Most texels that are turned one by one."""


@functools.lru_cache(maxsize=16)
def directions(height: int) -> np.ndarray:
    """(H, 2H, 3) float32 unit world directions through the texel centres; read-only, cached."""
    return _grid(height, 0.5, 0.5)


@functools.lru_cache(maxsize=32)
def solid_angles(height: int) -> np.ndarray:
    """(H, 1) float64 exact solid angle of a texel of each row, steradians; all H x 2H of them sum to 4 pi."""
    area = -np.diff(_row_cosines(height)) * np.pi / height
    area = area[:, None]
    area.flags.writeable = False
    return area


@functools.lru_cache(maxsize=32)
def _grid(height: int, row_offset: float, column_offset: float) -> np.ndarray:
    """(H, 2H, 3) float32 directions at a position inside each texel (0.5, 0.5 is its centre)."""
    theta = np.pi * (np.arange(height) + row_offset) / height
    phi = np.pi * (np.arange(2 * height) + column_offset) / height - np.pi
    grid = np.empty((height, 2 * height, 3), np.float32)
    grid[..., 0] = np.sin(theta)[:, None] * np.sin(phi)
    grid[..., 1] = np.cos(theta)[:, None]
    grid[..., 2] = -np.sin(theta)[:, None] * np.cos(phi)
    grid.flags.writeable = False
    return grid


def _row_cosines(height: int) -> np.ndarray:
    """(H + 1,) float64 cos(theta) at the edges of the rows, from exactly 1 down to exactly -1."""
    edges = np.cos(np.pi * np.arange(height + 1) / height)
    edges[0], edges[-1] = 1.0, -1.0
    return edges


def to_texels(vectors: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Continuous (row, column) of world directions (..., 3) of any length; texel (0, 0) has its centre at (0, 0).

    Rows lie in [-.5, H - .5], columns in [-.5, 2H - .5].
    """
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    # hypot and arctan2 keep their precision near the poles, where arccos(y) loses half of its digits.
    row = np.arctan2(np.hypot(x, z), y) * (height / np.pi) - 0.5
    column = (np.arctan2(x, -z) + np.pi) * (height / np.pi) - 0.5
    return row, column


def direction_from_angles(azimuth: float, elevation: float) -> np.ndarray:
    """(3,) float64 unit direction of a light, degrees: azimuth 0 is in front of the face (+Z), +90 is +X (the camera's
    right), 180 is behind the head (-Z); elevation 90 is +Y."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])


def rotation_about(axis: np.ndarray | tuple[float, ...], degrees: float) -> np.ndarray:
    """(3, 3) float64 right-handed rotation about a world axis of any length (Rodrigues)."""
    x, y, z = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = math.radians(math.remainder(degrees, 360.0))
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def rotation_from_euler(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """(3, 3) float64 rotation R = R_y(yaw) R_x(pitch) R_z(roll), degrees, right-handed, about fixed world axes.

    Roll about Z comes first, then pitch about X, then yaw about Y. Positive yaw carries +Z to +X, which moves an
    equirectangular image to the left; positive pitch carries +Y to +Z; positive roll carries +X to +Y.
    """
    about_y, about_x, about_z = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    return rotation_about(about_x, yaw) @ rotation_about(about_y, pitch) @ rotation_about(about_z, roll)


def check_rotation(rotation: np.ndarray) -> np.ndarray:
    """The rotation as (3, 3) float64, or a SpecError where it is not a proper rotation."""
    rotation = np.asarray(rotation, np.float64)
    if rotation.shape != (3, 3) or not np.isfinite(rotation).all():
        raise SpecError(f"rotation: got an array of shape {rotation.shape}, expected a finite 3x3 matrix")
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-5 or np.linalg.det(rotation) < 0:
        raise SpecError(f"rotation: {rotation.round(4).tolist()} is not a rotation (orthonormal, determinant +1)")
    return rotation


def pad(data: np.ndarray) -> np.ndarray:
    """(H + 2, W + 2, 3): the map with the texels that lie beyond its edges on the sphere, for interpolation.

    Columns wrap; over a pole a row continues in itself, half a turn away.
    """
    half = data.shape[1] // 2
    rows = np.concatenate([np.roll(data[:1], half, axis=1), data, np.roll(data[-1:], half, axis=1)])
    return np.concatenate([rows[:, -1:], rows, rows[:, :1]], axis=1)


def interpolate(padded: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Bilinear values (..., 3) float32 of a map from :func:`pad` at the texel positions of :func:`to_texels`."""
    indices, weights = _corners(padded, row, column)
    return _weighted_sum(padded, indices, weights).reshape(*row.shape, 3)


def look_up_matrix(vectors: np.ndarray, height: int) -> scipy.sparse.csr_matrix:
    """Sparse float32 (N, H 2H): the same look-up of a map's flat texels in directions (N, 3), for many maps."""
    places = pad(np.arange(2 * height * height, dtype=np.int32).reshape(height, 2 * height, 1))[..., 0]
    indices, weights = _corners(places, *to_texels(np.asarray(vectors), height))
    shape = (len(vectors), 2 * height * height)
    starts = np.arange(len(vectors) + 1, dtype=np.int32) * np.int32(4)
    return scipy.sparse.csr_matrix((weights.ravel(), places.ravel()[indices.ravel()], starts), shape=shape)


def _corners(padded: np.ndarray, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., 4) int32 flat indices into a padded map, and float32 bilinear weights, of the texels around positions."""
    row, column = row + 1, column + 1
    top = np.minimum(row.astype(np.int32), padded.shape[0] - 2)
    left = np.minimum(column.astype(np.int32), padded.shape[1] - 2)
    down, right = (row - top).astype(np.float32), (column - left).astype(np.float32)
    indices, weights = np.empty((*row.shape, 4), np.int32), np.empty((*row.shape, 4), np.float32)
    corner = top * np.int32(padded.shape[1]) + left
    for k, step in enumerate((0, 1, padded.shape[1], padded.shape[1] + 1)):
        np.add(corner, np.int32(step), out=indices[..., k])
    weights[..., 3] = down * right
    weights[..., 2] = down - weights[..., 3]
    weights[..., 1] = right - weights[..., 3]
    weights[..., 0] = 1 - down - weights[..., 1]
    return indices, weights


def _weighted_sum(padded: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N, 3) float32 sums of texels; indices and weights are (N, K), or (..., K) with N results in all.

    One sparse product: several times faster than gathering texels in numpy.
    """
    count = indices.size // indices.shape[-1]
    starts = np.arange(count + 1, dtype=np.int32) * np.int32(indices.shape[-1])
    texels = padded.reshape(-1, 3)
    matrix = scipy.sparse.csr_matrix((weights.ravel(), indices.ravel(), starts), shape=(count, len(texels)))
    return matrix @ texels


def widen_poles(data: np.ndarray) -> np.ndarray:
    """The map (H, W, 3) with each row box-filtered along phi until its texels are as wide as they are tall.

    Near the poles texels are slivers that samples on a rotated grid would miss; a row's power does not change.
    """
    height, width = data.shape[:2]
    half = 0.5 / np.sin(np.pi * (np.arange(height) + 0.5) / height)[:, None]
    half = np.clip(half, 0.5, width / 2)
    total = np.zeros((height, width + 1, 3))
    np.cumsum(data, axis=1, dtype=np.float64, out=total[:, 1:])

    def power_before(position: np.ndarray) -> np.ndarray:
        """Integral of each row from column 0 to a continuous column edge, which may lie up to a turn outside."""
        turn, rest = np.divmod(position, width)
        index = np.minimum(rest.astype(np.int64), width - 1)
        rows = np.arange(height)[:, None]
        part = total[rows, index] + (rest - index)[..., None] * data[rows, index]
        return turn[..., None] * total[:, -1:] + part

    centre = np.arange(width) + 0.5
    widened = (power_before(centre + half) - power_before(centre - half)) / (2 * half[..., None])
    return np.maximum(widened, 0).astype(np.float32)


def rotate(prepared: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """The map turned by ``rotation``: value(d) = map(R^T d), each texel averaged over its area.

    prepared: pad(widen_poles(map)), (H + 2, W + 2, 3) float32. Returns (H, W, 3) float32.
    """
    height, count = prepared.shape[0] - 2, _SUBSAMPLES
    turn = rotation.astype(np.float32)
    indices = np.empty((height, 2 * height, count * count, 4), np.int32)
    weights = np.empty(indices.shape, np.float32)
    share = _subrow_shares(height, count)
    for k, (i, j) in enumerate(np.ndindex(count, count)):
        target = _grid(height, (i + 0.5) / count, (j + 0.5) / count)
        indices[:, :, k], corner_weights = _footprint(prepared, target @ turn)  # d @ R is R^T d
        np.multiply(corner_weights, share[:, i, None, None], out=weights[:, :, k])
    result = _weighted_sum(prepared, indices.reshape(height, 2 * height, -1), weights).reshape(height, 2 * height, 3)
    # The source's polar texels are odd shapes that so few samples measure badly: there, and only there, take many.
    from_pole = np.abs(directions(height) @ turn[:, 1]) > math.cos(min(_POLAR_ROWS / height, 0.5) * math.pi)
    rows, columns = np.nonzero(from_pole)
    result[rows, columns] = _many_samples(prepared, rows, columns, turn)
    return result


def _many_samples(prepared: np.ndarray, rows: np.ndarray, columns: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(N, 3) what :func:`rotate` gives for single texels, from a finer grid of samples."""
    height, count = prepared.shape[0] - 2, _POLAR_SUBSAMPLES
    offsets = (np.arange(count) + 0.5) / count
    theta = np.pi / height * (rows[:, None, None] + offsets[:, None])
    phi = np.pi / height * (columns[:, None, None] + offsets) - np.pi
    y = np.broadcast_to(np.cos(theta), np.broadcast_shapes(theta.shape, phi.shape))
    target = np.stack([np.sin(theta) * np.sin(phi), y, -np.sin(theta) * np.cos(phi)], axis=-1).astype(np.float32)
    indices, weights = _footprint(prepared, target @ turn)
    weights *= _subrow_shares(height, count)[rows][:, :, None, None]
    return _weighted_sum(prepared, indices.reshape(len(rows), 4 * count * count), weights)


def _subrow_shares(height: int, count: int) -> np.ndarray:
    """(H, count) float32 weights of samples in ``count`` x ``count`` cells of a texel, by the cells' solid angles."""
    area = -np.diff(_row_cosines(height * count)).reshape(height, count)
    return (area / area.sum(axis=1, keepdims=True) / count).astype(np.float32)


def _footprint(prepared: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices and weights (..., 4) of a bilinear look-up in which each texel weighs as much as its own solid angle.

    Plain tents in theta overweight rows near a pole (13/12 in the first). Moving the crossover between rows by
    cot(theta) / 24 texels squared makes the integral of a row's tent over sin(theta) right, to second order.
    """
    height = prepared.shape[0] - 2
    row, column = to_texels(vectors, height)
    across = np.hypot(vectors[..., 0], vectors[..., 2])
    spacing = np.float32(np.pi / height)
    row += vectors[..., 1] * (spacing / 24) / np.maximum(across, spacing / 2)
    return _corners(prepared, np.clip(row, -0.5, height - 0.5), column)


def split_lamps(data: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The map in two: (H, W, 3) without its few lamps, and their (N,) flat indices and (N, 3) excess radiance.

    Lamps are at most ``_LAMPS`` texels brighter than 8 times the mean: a sun, bulbs. What looks up texels at samples
    measures them badly, and they carry much of the light. Wide bright areas stay in the map.
    """
    height = data.shape[0]
    brightness = data.max(axis=2).ravel()
    mean = float(
        (brightness.reshape(height, -1).mean(axis=1) * solid_angles(height)[:, 0]).sum() * height / (2 * np.pi)
    )
    bound = max(8 * mean, float(np.partition(brightness, -_LAMPS)[-_LAMPS]) if len(brightness) > _LAMPS else 0.0)
    indices = np.flatnonzero(brightness > bound)
    flat = data.reshape(-1, 3).copy()
    excess = flat[indices] * (1 - np.float32(bound) / brightness[indices])[:, None]
    flat[indices] -= excess
    return np.maximum(flat, 0).reshape(data.shape), indices, excess


def rotate_lamps(height: int, indices: np.ndarray, radiance: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(H, 2H, 3) float32 map with nothing but these texels, turned: their power is carried over, exactly.

    indices: (N,) flat texels; radiance: (N, 3). Each is cut in 4 x 4, and each piece is shared among the four texels
    around where it lands.
    """
    count = 4
    rows, columns = np.divmod(indices, 2 * height)
    offsets = (np.arange(count) + 0.5) / count
    shape = (len(indices), count, count)
    theta = np.broadcast_to(np.pi / height * (rows[:, None, None] + offsets[:, None]), shape)
    phi = np.broadcast_to(np.pi / height * (columns[:, None, None] + offsets) - np.pi, shape)
    pieces = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta), -np.sin(theta) * np.cos(phi)], axis=-1)
    padded = np.zeros((height + 2, 2 * height + 2, 3))
    corners, weights = _corners(padded, *to_texels(pieces @ rotation.T, height))
    share = _subrow_shares(height, count)[rows] * solid_angles(height)[rows]
    weights = weights * share[:, :, None, None]
    for channel in range(3):
        power = weights * radiance[:, channel, None, None, None]
        padded[..., channel] = np.bincount(corners.ravel(), power.ravel(), padded[..., 0].size).reshape(
            padded.shape[:2]
        )
    # The reverse of pad(): what fell over an edge belongs to the texel on the other side.
    padded[:, -2] += padded[:, 0]
    padded[:, 1] += padded[:, -1]
    inner = padded[:, 1:-1]
    inner[1] += np.roll(inner[0], height, axis=0)
    inner[-2] += np.roll(inner[-1], height, axis=0)
    return (inner[1:-1] / solid_angles(height)[..., None]).astype(np.float32)


def shift_columns(data: np.ndarray, columns: float) -> np.ndarray:
    """The map moved right by a fractional number of columns; exact power, and exact bits for whole columns."""
    whole = math.floor(columns)
    fraction = np.float32(columns - whole)
    near = np.roll(data, whole, axis=1)
    return near if fraction == 0 else near * (1 - fraction) + np.roll(near, 1, axis=1) * fraction


def resize(data: np.ndarray, height: int) -> np.ndarray:
    """The map (H, 2H, 3) as (height, 2 height, 3) float32: means over the exact area that each new texel covers."""
    rows = _overlap(-_row_cosines(data.shape[0]), -_row_cosines(height))
    columns = _overlap(np.linspace(0, 1, data.shape[1] + 1), np.linspace(0, 1, 2 * height + 1))
    narrowed = (rows @ data.reshape(data.shape[0], -1)).reshape(height, data.shape[1], 3)
    flat = columns @ narrowed.transpose(1, 0, 2).reshape(data.shape[1], -1)
    return np.ascontiguousarray(flat.reshape(2 * height, height, 3).transpose(1, 0, 2), dtype=np.float32)


def _overlap(source: np.ndarray, target: np.ndarray) -> scipy.sparse.csr_matrix:
    """Sparse (T, S) weights: the share of each target interval that each source interval fills. Edges ascend."""
    first = np.clip(np.searchsorted(source, target[:-1], side="right") - 1, 0, len(source) - 2)
    last = np.clip(np.searchsorted(source, target[1:], side="left") - 1, first, len(source) - 2)
    counts = last - first + 1
    row = np.repeat(np.arange(len(counts)), counts)
    column = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[row]
    shared = np.minimum(source[column + 1], target[row + 1]) - np.maximum(source[column], target[row])
    shared = np.maximum(shared, 0) / np.diff(target)[row]
    return scipy.sparse.csr_matrix((shared, (row, column)), shape=(len(target) - 1, len(source) - 1))
