"""What a MakeHuman folder holds by name, each made from its file at the first request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from assets.errors import AssetError
from assets.files import one_line
from assets.makehuman.mhclo import MhClo, read_mhclo, says_cc0
from synth.heads.makehuman.base import BaseMesh

T = TypeVar("T")
_NAME = re.compile(r"[\w-]{1,60}", re.ASCII)


class Items(Mapping[str, T]):
    """Things by name, for example ``hair/short02``. ``make`` is given a file's kind, name and binding, and the base."""

    def __init__(self, base: BaseMesh, files: Mapping[str, Path],
                 make: Callable[[str, str, MhClo, BaseMesh], T]) -> None:
        self._base, self._files, self._make = base, dict(files), make
        self._made: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._made:
            path = self._files[name]
            clo = read_mhclo(path, len(self._base.vertices))
            try:
                self._made[name] = self._make(name.partition("/")[0], path.stem, clo, self._base)
            except AssetError as error:
                raise AssetError(f"{one_line(path)}: {error}") from None
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def find_items(folder: Path, kind: str) -> dict[str, Path]:
    """Files of one kind in a data folder by item; what has an odd name or doesn't say that it is CC0 is left out."""
    return {f"{kind}/{path.stem}": path for path in sorted(folder.glob(f"{kind}/*/*.mhclo"))
            if _NAME.fullmatch(path.stem) and says_cc0(path)}
