"""The light of a shot: which map lights each of its frames, how it is turned, and what the camera makes of it."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from assets.errors import AssetError, SpecError
from assets.files import DIGEST_BYTES
from relight.conditioning.environment import Environment, Sky, look_angles
from synth.camera.camera import Camera
from synth.camera.film import RESPONSES, Film, meter_clip
from synth.lighting.envmap import EnvMap
from synth.lighting.library import LightingLibrary
from synth.lighting.sphere import rotation_about, rotation_from_euler

_METERED = 32
"""Frames, evenly over a shot, that the exposure of its moving light is metered on."""
LIBRARY_HEIGHT = 512
"""Rows of a map of the library."""
_FRAMES_KEPT = 64
"""Maps of a folder: more than the frames that are under way at once."""
_LONGEST_NAME = 4096
_SKIES_KEPT, _TURNS_KEPT = 16, 256
"""Maps that are kept ready, and light maps of each: so that memory does not grow with a shot's length."""
MAP_HEIGHT, FRAME_HEIGHT = 2048, 512
"""Most rows of a map that lights a whole shot, and of each where every frame has its own. A background through 50 mm
shows a ninth of a map's columns."""


@dataclasses.dataclass(frozen=True, eq=False)
class ShotLight:
    """Distant light over ``frames`` frames. Maps are turned by turning the camera the other way, which is exact."""

    maps: Sequence[EnvMap]
    """One map, or one a frame; a shorter sequence starts again at its end."""
    frames: int = 1
    """Of the shot."""
    rotation: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Yaw, pitch and roll of the light in degrees, as :func:`synth.lighting.sphere.rotation_from_euler`."""
    spin: float = 0.0
    """Degrees about +Y that the light turns from the first frame to the end, on top of ``rotation``."""
    exposure: float = 0.0
    """Stops over what an incident-light meter at the head asks for, one reading for the whole shot."""
    response: str = "srgb"
    """The camera's curve, a name of :data:`synth.camera.film.RESPONSES`."""
    focal_mm: float = 50.0
    """Focal length of the camera for a frame whose longer side is 36 mm: how much of the map lies behind the person."""

    def __post_init__(self) -> None:
        numbers = [*self.rotation, self.spin, self.exposure]
        if not self.maps or self.frames < 1:
            raise SpecError(f"light: {len(self.maps)} maps for {self.frames} frames, expected 1 or more of both")
        if len(self.rotation) != 3 or not np.isfinite(numbers).all() or abs(self.exposure) > 20:
            raise SpecError(f"light: rotation {self.rotation}, spin {self.spin}, exposure {self.exposure}: expected "
                            f"yaw, pitch, roll and spin in degrees, and -20 to 20 stops")
        if self.response not in RESPONSES:
            raise SpecError(f"response: got {self.response!r}, may be {', '.join(RESPONSES)}")
        if not 5 <= self.focal_mm <= 2000:
            raise SpecError(f"focal: got {self.focal_mm} mm, may be 5 to 2000")

    @property
    def moves(self) -> bool:
        """Whether frames differ."""
        return len(self.maps) > 1 or self.spin != 0

    def map(self, frame: int) -> EnvMap:
        """The map of a frame, not turned."""
        return self.maps[frame % len(self.maps)]

    def camera(self, frame: int, width: int, height: int) -> Camera:
        """A frame's camera in the axes of its map; width, height: of the whole picture, pixels."""
        turn = rotation_about((0, 1, 0), self.spin * frame / self.frames) @ rotation_from_euler(*self.rotation)
        matrix = np.eye(4)
        matrix[:3, :3] = turn.T  # light turned by R is what a camera turned by R^T sees
        return Camera(matrix, self.focal_mm * max(width, height) / width, width, height)

    @functools.cached_property
    def film(self) -> Film:
        """The camera's settings for the whole shot: locked exposure, daylight balance."""
        chosen = np.unique(np.linspace(0, self.frames - 1, _METERED).astype(int)) if self.moves else [0]
        metered = meter_clip([self.map(frame) for frame in chosen], [self.camera(frame, 1, 1) for frame in chosen])
        return Film(metered + self.exposure, response=self.response)

    @functools.cached_property
    def digest(self) -> str:
        """Hex digest of the maps and of how they are turned and exposed."""
        settings = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "maps"}
        digest = hashlib.blake2b(repr(settings).encode(), digest_size=DIGEST_BYTES)
        if isinstance(self.maps, Folder):
            digest.update(self.maps.identity().encode())
        else:
            for light in self.maps:
                digest.update(light.data)
        return digest.hexdigest()

    def in_camera_axes(self, frames: Sequence[int], height: int) -> np.ndarray:
        """(T, 3, height, 2 height) float32 radiance about the camera, see :class:`Environment`."""
        environment = self._environment(frames)
        for sky in environment.skies:
            if len(sky.turned) > _TURNS_KEPT:
                sky.turned.clear()
        return environment.in_camera_axes([self.camera(frame, 1, 1) for frame in frames], height)

    def behind(self, frames: Sequence[int], rays: np.ndarray) -> np.ndarray:
        """(T, h, w, 3) float32 radiance along rays (h, w, 3) in camera axes: the background."""
        cameras = [self.camera(frame, 1, 1) for frame in frames]
        return self._environment(frames).look_up(look_angles(cameras, rays[None]))

    def _environment(self, frames: Sequence[int]) -> Environment:
        return Environment([self._sky(self.map(frame)) for frame in frames])

    @functools.cached_property
    def _sky(self) -> Callable[[EnvMap], Sky]:
        return functools.lru_cache(maxsize=_SKIES_KEPT)(Sky)


def read_light(place: str, **settings) -> ShotLight:
    """The light that a user names: a file, a folder of maps that are played one a frame, or an id of the library.

    place: path of a ``.hdr``, ``.exr`` or ``.npy`` panorama, a folder of such, or an id such as ``bundled/city`` or
    just ``city``. settings: fields of :class:`ShotLight`. AssetError where it is none of these.
    """
    path = Path(place)
    if len(place) > _LONGEST_NAME:
        raise AssetError(f"light: a name of {len(place):,} letters, may have {_LONGEST_NAME:,}")
    if path.is_dir():
        return ShotLight(Folder(path), **settings)
    if path.exists() or path.suffix.lower() in (".hdr", ".exr", ".npy", ".png", ".jpg", ".jpeg"):
        return ShotLight([_shrunk(EnvMap.load(path), MAP_HEIGHT)], **settings)
    library = LightingLibrary(cached_maps=1)
    for name in (place, f"bundled/{place}", f"procedural/{place}"):
        if any(entry.id == name for entry in library):
            return ShotLight([library.load(name, LIBRARY_HEIGHT)], **settings)
    some = ", ".join(entry.id for entry in library.select(["bundled"])) or "procedural/sunsky/0012"
    raise AssetError(f"{place}: no such file or folder, and no light of that name; may be a panorama (.hdr, .exr), a "
                     f"folder of them, or an id such as {some} ('pixelcube assets list' shows all)")


class Folder(Sequence):
    """Maps of a folder, one a frame, each read when it is asked for; the latest are kept."""

    def __init__(self, folder: Path):
        from synth.lighting.sequence import map_files

        self._files = map_files(folder)
        self._read = functools.lru_cache(maxsize=_FRAMES_KEPT)(
            lambda number: _shrunk(EnvMap.load(self._files[number]), FRAME_HEIGHT))

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, number: int) -> EnvMap:
        return self._read(range(len(self._files))[number])

    def identity(self) -> str:
        """The files' places, sizes and times of change: the same while nobody touches them."""
        return "\n".join(f"{file.resolve()} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in self._files)


def _shrunk(light: EnvMap, height: int) -> EnvMap:
    return light.resized(min(light.height, height))
