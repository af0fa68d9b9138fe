"""ARKit curves in CSV: Live Link Face's own export, and tables of the 52 blendshapes by name or in its order."""

from __future__ import annotations

import collections
import csv
import re
from pathlib import Path

import numpy as np

from assets.errors import AssetError
from assets.files import check_regular_file, one_line
from synth.motion.arkit import ANGLES, BLENDSHAPES, from_arkit
from synth.motion.performance import Performance

MAX_BYTES, MAX_ROWS, MAX_COLUMNS = 128 << 20, 200_000, 400
DEFAULT_FPS = 60.0
"""Live Link Face's rate, where neither time codes nor times say."""
RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 120.0)
"""Rates that a rate found from time codes is rounded to where it is near."""
_NEAR = 0.05
"""How far a counted rate may be off: a take that drops a frame or two a second."""
TIMES = {"time": 1.0, "timestamp": 1.0, "seconds": 1.0, "timems": 0.001, "timestampms": 0.001}
"""Names of a column of times, and their unit in seconds."""


def read_csv(path: Path, fps: float | None = None) -> Performance:
    """Curves as a performance, at the rate that its time codes or times tell, else at ``fps``, else at 60.

    Columns are found by name whatever their case (``EyeBlinkLeft``, ``eyeBlink_L``); others are left alone. Without a
    header there must be 52, or 61, in Live Link Face's order. Rows that lost the face (too few columns, as Live Link
    Face writes them, or nothing in them) repeat the row before.
    """
    name = one_line(path)
    if check_regular_file(path) > MAX_BYTES:
        raise AssetError(f"{name}: larger than {MAX_BYTES:,} bytes")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            first = next(rows, [])
            columns, times = _columns(name, first)
            table = [first] if _is_number(first[0]) else []
            for row in rows:
                if row:
                    table.append(row)
                if len(table) > MAX_ROWS:
                    raise AssetError(f"{name}: more than {MAX_ROWS:,} rows")
    except (UnicodeDecodeError, csv.Error) as error:
        raise AssetError(f"{name}: no CSV text ({one_line(error)[:100]})") from None
    values = _values(name, table, list(columns.values()), len(first))
    curves = dict(zip(columns, values.T, strict=True))
    for key, curve in curves.items():
        if key in BLENDSHAPES and (curve.min() < -0.5 or curve.max() > 2):
            raise AssetError(f"{name}: column {key} holds {curve.min():g} to {curve.max():g}, expected [0, 1]")
    _to_radians(curves)
    return from_arkit(curves, _rate(name, first, table, times) or fps or DEFAULT_FPS)


def _columns(name: str, header: list[str]) -> tuple[dict[str, int], tuple[int, float] | None]:
    """Column of each curve, and that of times with their unit in seconds."""
    if not header or len(header) > MAX_COLUMNS:
        raise AssetError(f"{name}: {len(header)} columns, expected 1 to {MAX_COLUMNS}")
    known = (*BLENDSHAPES, *ANGLES)
    if _is_number(header[0]):
        if len(header) not in (len(BLENDSHAPES), len(known)):
            raise AssetError(f"{name}: {len(header)} columns without a header, expected {len(BLENDSHAPES)} or "
                             f"{len(known)} in Live Link Face's order, or a first row of names")
        return dict(zip(known, range(len(header)), strict=False)), None
    plain = {key.lower(): key for key in known}
    columns, times = {}, None
    for index, text in enumerate(header):
        short = re.sub(r"[\s_().-]", "", re.sub(r"_l$", "left", re.sub(r"_r$", "right", text.strip().lower())))
        if short in plain and plain[short] not in columns:
            columns[plain[short]] = index
        elif short in TIMES and times is None:
            times = index, TIMES[short]
    if not any(key in BLENDSHAPES for key in columns):
        found = ", ".join(one_line(text)[:30] for text in header[:8])
        raise AssetError(f"{name}: no ARKit curve among its columns {found}, expected names such as "
                         f"{', '.join(BLENDSHAPES[:3])}")
    return columns, times


def _values(name: str, table: list[list[str]], columns: list[int], width: int) -> np.ndarray:
    """(T, C) float64: the columns' numbers."""
    if not table:
        raise AssetError(f"{name}: no rows of numbers")
    out, last = np.zeros((len(table), len(columns))), None
    for index, row in enumerate(table):
        if len(row) < width or not any(row[column].strip() for column in columns):
            out[index] = np.nan if last is None else last
            continue
        try:
            out[index] = last = [float(row[column] or 0) for column in columns]
        except ValueError:
            wrong = next(row[column] for column in columns if not _is_number(row[column] or "0"))
            raise AssetError(f"{name}: row {index + 1} holds {one_line(wrong)[:40]!r}, expected a number") from None
    if last is None:
        raise AssetError(f"{name}: no row has its {width} columns")
    gaps = np.isnan(out).all(axis=1)
    out[: gaps.argmin()] = out[gaps.argmin()]  # before the face was first found
    if not np.isfinite(out).all():
        raise AssetError(f"{name}: row {int(np.argwhere(~np.isfinite(out))[0, 0]) + 1} holds NaN or infinity")
    return out


def _to_radians(curves: dict[str, np.ndarray]) -> None:
    """Angles are radians in Live Link Face; tools that write degrees betray themselves by values no head can have."""
    angles = [curves[key] for key in ANGLES if key in curves]
    if angles and max(np.abs(curve).max() for curve in angles) > 3.2:
        for key in ANGLES:
            if key in curves:
                curves[key] = np.radians(curves[key])


def _rate(name: str, header: list[str], table: list[list[str]], times: tuple[int, float] | None) -> float | None:
    """Frames a second from a column of times, or from rows a second of ``HH:MM:SS:FF`` time codes."""
    if times is not None:
        column, unit = times
        stamps = [float(row[column]) * unit for row in table if len(row) > column and _is_number(row[column])]
        steps = np.diff(stamps)
        if len(steps) and np.median(steps) > 0 and 1 <= 1 / np.median(steps) <= 1000:
            return float(1 / np.median(steps))
    codes = [index for index, text in enumerate(header) if text.strip().lower() == "timecode"]
    if not codes:
        return None
    seconds = collections.Counter()
    for row in table:
        code = re.match(r"\s*(\d+):(\d+):(\d+)[:;]", row[codes[0]] if len(row) > codes[0] else "")
        if code:
            seconds[code.groups()] += 1
    if len(seconds) < 3:
        return None
    rate = float(np.median(list(seconds.values())[1:-1]))  # the first and the last second are cut off
    nearest = min(RATES, key=lambda each: abs(each - rate))
    if abs(nearest - rate) <= _NEAR * nearest:
        return nearest
    return rate if rate <= 1000 else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
