"""Styles of scalp hair, as numbers that :mod:`synth.hair.guides` grows by. Lengths in mm, places in canonical space."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

Way = tuple[float, float, float]
"""A direction: across (away from the parting, or from the middle), up, forward. Hair keeps to the skin by itself."""


@dataclasses.dataclass(frozen=True)
class Style:
    """One cut."""

    women: float
    """Relative frequency among women."""
    men: float
    """Relative frequency among men."""
    lengths: tuple[float, float, float]
    """Of hairs at the nape, on the sides and on the top."""
    levels: tuple[float, float] = (35.0, 72.0)
    """Heights between which the sides' length becomes the top's: close together in an undercut."""
    front: float = 1.0
    """Factor on the length above the forehead."""
    top: Way | None = None
    """How the top is combed; None leaves it to the whorl."""
    side: Way = (0.0, -1.0, -0.3)
    """How the sides are combed."""
    part: float | None = None
    """Where the top parts, mm from the middle; the look's seed says to which side. None: no parting."""
    rise: float = 25.0
    """Angle to the skin at which hair leaves it, degrees."""
    bend: float = 12.0
    """Length in which a hair turns into the way it is combed: the stiffer the longer."""
    lift: float = 4.0
    """Height above the skin at which the outermost hair lies."""
    crest: float = 1.0
    """Factor on rise and lift at the front of the top."""
    cut: tuple[float, float, float] | None = None
    """Heights at which hair ends over the forehead, beside the face and behind; None: only its length ends it."""
    tie: str | None = None
    """``tail`` or ``bun``: hair is gathered at the back."""
    over_ears: bool = False
    """Whether hair covers the ears instead of being cut around them."""
    curl: tuple[float, float] = (0.0, 0.5)
    """Range that the look's curl is brought into."""
    clump: float = 0.35
    """How far tips gather into locks."""
    mess: float = 1.0
    """Factor on how much each hair goes its own way."""
    points: int = 6
    """Points of a strand."""
    gather: float = 1.0
    """How much closer points stand at the root, where hair bends most, than at the tip: their spacing's exponent."""

    def weight(self, male: float) -> float:
        """Relative frequency."""
        return male * self.men + (1 - male) * self.women


STYLES: Mapping[str, Style] = {
    "buzz": Style(0.06, 0.9, (4, 5, 6), rise=55, bend=30, lift=4, clump=0.0, points=3),
    "crew": Style(0.05, 1.2, (4, 8, 22), (40, 70), top=(0.0, 0.3, 1.0), rise=50, bend=22, lift=14, clump=0.3,
                  points=4),
    "short": Style(0.3, 1.5, (14, 28, 62), (42, 66), top=(1.0, 0.1, 0.35), part=28, rise=32, bend=12, lift=10,
                   crest=1.3, curl=(0.0, 0.45)),
    "swept": Style(0.3, 0.8, (12, 26, 75), (42, 66), top=(0.55, 0.1, 0.8), part=-34, rise=35, bend=15, lift=12,
                   cut=(31, -5, -90)),
    "slick_back": Style(0.2, 0.5, (40, 60, 120), (30, 60), top=(0.1, 0.0, -1.0), side=(0.0, -0.35, -1.0), rise=22,
                        bend=9, lift=6, crest=1.3, curl=(0.0, 0.3), clump=0.6, mess=0.6, points=7),
    "quiff": Style(0.1, 0.8, (3, 5, 62), (50, 62), front=1.25, top=(0.05, 0.1, -1.0), rise=34, bend=22, lift=13,
                   crest=2.1, curl=(0.0, 0.4), clump=0.5, points=7),
    "undercut": Style(0.1, 0.5, (3, 4, 115), (52, 62), top=(1.0, 0.0, -0.35), part=40, rise=38, bend=14, lift=13,
                      clump=0.5, points=7, cut=(34, -30, -60)),
    "caesar": Style(0.1, 0.7, (6, 12, 38), (40, 68), top=(0.0, 0.0, 1.0), rise=32, bend=12, lift=8, clump=0.5,
                    cut=(34, -10, -90)),
    "bowl": Style(0.5, 0.3, (60, 90, 150), (20, 60), top=(0.35, 0.0, 1.0), side=(0.0, -1.0, 0.1), rise=25, lift=11,
                  cut=(29, -22, -45), over_ears=True, curl=(0.0, 0.15), clump=0.4, points=8),
    "curly_top": Style(0.3, 0.8, (6, 10, 70), (46, 64), top=(0.4, 0.3, 0.8), rise=60, bend=30, lift=26,
                       curl=(0.7, 0.95), clump=0.8, points=10, cut=(34, -20, -60)),
    "afro": Style(0.5, 0.6, (26, 38, 52), (10, 60), rise=85, bend=1000, lift=60, curl=(0.9, 1.0), clump=0.45,
                  mess=1.6, points=10),
    "pixie": Style(1.0, 0.1, (22, 48, 85), (35, 65), top=(0.8, 0.0, 0.8), side=(0.0, -1.0, 0.25), part=-30, rise=32,
                   lift=12, cut=(32, -12, -70), over_ears=True, curl=(0.0, 0.35), clump=0.5, points=7),
    "bob": Style(1.3, 0.02, (200, 240, 300), top=(1.0, 0.0, -0.1), part=18, rise=24, lift=13, cut=(34, -92, -98),
                 over_ears=True, side=(0.0, -1.0, -0.12), curl=(0.0, 0.3), points=9, gather=1.4),
    "bob_fringe": Style(0.8, 0.02, (200, 240, 300), top=(0.3, 0.0, 1.0), side=(0.0, -1.0, -0.05), rise=28, lift=12,
                        cut=(28, -88, -96), over_ears=True, curl=(0.0, 0.2), points=9, gather=1.3),
    "long_straight": Style(1.5, 0.1, (350, 420, 480), top=(1.0, 0.0, -0.15), part=0, rise=22, lift=11,
                           cut=(34, -235, -250), over_ears=True, side=(0.0, -1.0, -0.2), curl=(0.0, 0.2), points=11,
                           gather=1.55),
    "long_wavy": Style(1.4, 0.1, (340, 410, 470), top=(1.0, 0.0, -0.1), part=20, rise=26, lift=17,
                       cut=(34, -225, -240), over_ears=True, side=(0.0, -1.0, -0.15), curl=(0.4, 0.7), clump=0.75,
                       points=14, gather=1.25),
    "ponytail": Style(1.2, 0.05, (330, 350, 380), top=(0.0, 0.0, -1.0), rise=16, bend=7, lift=5, tie="tail",
                      curl=(0.0, 0.35), clump=0.5, mess=0.5, points=12),
    "bun": Style(0.8, 0.15, (230, 250, 280), top=(0.0, 0.0, -1.0), rise=16, bend=7, lift=5, tie="bun",
                 curl=(0.0, 0.1), clump=0.6, mess=0.5, points=14),
}
"""By name."""

BROUGHT: Mapping[str, tuple[float, float]] = {
    "afro01": (1.0, 0.7), "bob01": (0.9, 0.0), "bob02": (1.1, 0.0), "braid01": (0.9, 0.0), "long01": (1.4, 0.12),
    "ponytail01": (1.4, 0.06), "short01": (0.25, 1.5), "short02": (0.25, 0.9), "short03": (0.3, 0.8),
    "short04": (0.1, 0.7),
}
"""Frequencies among women and men of styles that families bring (MakeHuman's), by what follows the last slash."""


def frequency(name: str, male: float) -> float:
    """Relative frequency of a style, ours or a family's own."""
    women, men = BROUGHT.get(name.rpartition("/")[2], (0.5, 0.5))
    return STYLES[name].weight(male) if name in STYLES else male * men + (1 - male) * women + 1e-3
