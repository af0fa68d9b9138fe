"""The lighting library: every map that a job can name, from all sources, each with a licence, a digest and a split."""

from __future__ import annotations

import collections
import dataclasses
import difflib
import functools
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from assets.errors import AssetError
from synth.lighting import procedural
from synth.lighting.envmap import EnvMap

if TYPE_CHECKING:
    from assets.hdri import HdriEntry

Split = Literal["train", "val", "test"]

SOURCES = ("bundled", "procedural", "polyhaven")
"""Names of the built-in sources; any other name is the path of a folder of maps."""

_SALT = "split 3"
"""The first number for which the eight places of the ``bundled`` source, few enough for chance to leave a part empty,
fall into all three parts. Never change it: every data set's split hangs on it."""


@dataclasses.dataclass(frozen=True)
class LightingEntry:
    """One map of the library."""

    id: str
    """Stable id, for example ``bundled/forest`` or ``procedural/sunsky/0012``."""
    source: str
    """The source's name as the user gave it: one of :data:`SOURCES`, or a folder."""
    licence: str
    """SPDX id."""
    split: Split
    """The one part of the data that this map may light."""
    digest: str
    """BLAKE2b hex digest of the file, or of the procedural parameters."""
    tags: tuple[str, ...] = ()
    """Words that describe it."""
    title: str = ""
    """Name for people."""
    file: HdriEntry | None = None
    """The file that holds a photographed map; None for a procedural light."""


def split_of(place: str) -> Split:
    """Train (80 %), val (10 %) or test (10 %), from a stable hash of the place that the light was taken from alone.

    A place is a photographed scene (one Poly Haven page: all its resolutions, and Blender's renamed copy) or a
    procedural id. Maps that are added later move no others, and no rotation or size of a map lands in another part.
    """
    share = int.from_bytes(hashlib.blake2b(f"{_SALT}:{place}".encode(), digest_size=8).digest(), "little") / 2**64
    return "train" if share < 0.8 else "val" if share < 0.9 else "test"


class LightingLibrary:
    """The maps of some sources, by id.

    Example::

        library = LightingLibrary(("bundled", "procedural", "/data/my_hdris"))
        entry = library.select(("bundled",), "train")[0]
        envmap = library.load(entry.id, height=128)
    """

    def __init__(self, sources: Sequence[str] = ("bundled", "procedural"), cached_maps: int = 64) -> None:
        """Lists the sources (no map is read); keeps up to ``cached_maps`` maps in memory, at the sizes asked for."""
        self._entries: dict[str, LightingEntry] = {}
        for source in dict.fromkeys(sources):
            for entry in _list_source(source):
                known = self._entries.setdefault(entry.id, entry)
                if known is not entry and known.digest != entry.digest:
                    raise AssetError(
                        f"lighting id {entry.id!r} is two different maps, in {known.source} and in {source}"
                    )
        self._cache: collections.OrderedDict[tuple[str, int], EnvMap] = collections.OrderedDict()
        self._cached_maps = cached_maps

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[LightingEntry]:
        return iter(self._entries.values())

    def __getitem__(self, light_id: str) -> LightingEntry:
        """The entry of an id; an AssetError with the closest ids where there is none."""
        if light_id in self._entries:
            return self._entries[light_id]
        close = difflib.get_close_matches(light_id, self._entries, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}?" if close else f"the library holds {len(self)} maps, none alike"
        raise AssetError(f"lighting id {light_id!r} is not in the library: {hint}")

    def select(
        self, sources: Sequence[str] | None = None, split: Split | Literal["all"] = "all"
    ) -> list[LightingEntry]:
        """Entries of these sources (None for every one) and of this split, in a stable order."""
        return [
            entry for entry in self if (sources is None or entry.source in sources) and split in ("all", entry.split)
        ]

    def load(self, light_id: str, height: int) -> EnvMap:
        """The map of an id at ``height`` rows; procedural ones are rendered at that size, files area-averaged to it."""
        entry, key = self[light_id], (light_id, height)
        if key not in self._cache:
            self._cache[key] = procedural.render(light_id, height) if entry.file is None else _read(entry, height)
            while len(self._cache) > self._cached_maps:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]


def _list_source(source: str) -> list[LightingEntry]:
    """The entries of one source."""
    if source == "procedural":
        return list(_procedural_entries())
    from assets import hdri

    if source == "bundled":
        files = hdri.bundled_entries()
    elif source == "polyhaven":
        files = hdri.polyhaven_entries()
    elif Path(source).is_dir():
        files = hdri.folder_entries(Path(source))
    else:
        raise AssetError(f"lighting source {source!r}: expected {', '.join(SOURCES)}, or an existing folder of maps")
    return [
        LightingEntry(
            file.id, source, file.licence, split_of(file.source), file.digest, tuple(file.tags), file.title, file
        )
        for file in files
        if file.path is not None
    ]


def _read(entry: LightingEntry, height: int) -> EnvMap:
    """A photographed map at ``height`` rows."""
    from assets.files import digest_file
    from assets.hdri import read_entry

    try:
        digest = digest_file(entry.file.path)
        if digest != entry.digest:
            raise AssetError(f"{entry.file.path}: the file has digest {digest}, it was listed with {entry.digest}")
        return EnvMap(read_entry(entry.file)).resized(height)
    except AssetError as error:
        raise AssetError(f"lighting {entry.id}: {error}") from error


@functools.cache
def _procedural_entries() -> tuple[LightingEntry, ...]:
    """The procedural catalogue; listed once a process."""
    entries = []
    for light_id in procedural.catalogue_ids():
        family = light_id.split("/")[1]
        entries.append(
            LightingEntry(
                light_id,
                "procedural",
                procedural.LICENCE,
                split_of(light_id),
                procedural.digest_of(light_id),
                procedural.FAMILIES[family].tags,
                f"{family} {light_id[-4:]}",
            )
        )
    return tuple(entries)
