"""A pinhole camera with OpenGL axes (x right, y up, looking along -z)."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Camera:
    """Where a frame was seen from."""

    camera_to_world: np.ndarray
    """(4, 4) float64 rigid transform, metres; columns: the camera's right, up, backward and position in world axes."""
    focal_mm: float
    """Focal length, millimetres, for a full-frame sensor 36 mm wide (35 mm equivalent)."""
    width: int
    """Image width, pixels."""
    height: int
    """Image height, pixels."""

    @property
    def fov_x(self) -> float:
        """Horizontal field of view, degrees."""
        return float(np.degrees(2 * np.arctan(18.0 / self.focal_mm)))

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points (..., 3) in metres to pixels (..., 2) and planar depth (...) in metres.

        Pixels are x right, y down, centres at .5.
        """
        rotation, position = self.camera_to_world[:3, :3], self.camera_to_world[:3, 3]
        local = (np.asarray(points, np.float64) - position) @ rotation
        depth = -local[..., 2]
        scale = self.width / 2 / np.tan(np.radians(self.fov_x) / 2)
        x = self.width / 2 + scale * local[..., 0] / depth
        y = self.height / 2 - scale * local[..., 1] / depth
        return np.stack([x, y], axis=-1), depth

    def rays(self) -> np.ndarray:
        """(H, W, 3) float64 unit world directions through the pixel centres, row 0 on top."""
        scale = np.tan(np.radians(self.fov_x) / 2) * 2 / self.width
        x = (np.arange(self.width) + 0.5 - self.width / 2) * scale
        y = (self.height / 2 - np.arange(self.height) - 0.5) * scale
        local = np.stack([*np.meshgrid(x, y), np.full((self.height, self.width), -1.0)], axis=-1)
        local /= np.linalg.norm(local, axis=-1, keepdims=True)
        return local @ self.camera_to_world[:3, :3].T


def look_at(position: np.ndarray, target: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """(4, 4) camera_to_world of a camera at ``position`` (3,) that looks at ``target`` (3,), metres.

    World +Y is up in the image, but for ``roll`` radians by which the camera turns anticlockwise, seen from behind it.
    """
    backward = np.asarray(position, np.float64) - np.asarray(target, np.float64)
    backward /= np.linalg.norm(backward)
    right = np.cross([0.0, 1.0, 0.0], backward)
    right /= np.linalg.norm(right)
    up = np.cross(backward, right)
    cos, sin = np.cos(roll), np.sin(roll)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1] = cos * right + sin * up, cos * up - sin * right
    matrix[:3, 2], matrix[:3, 3] = backward, position
    return matrix
