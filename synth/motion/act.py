"""What someone is doing: the statistics of every stream of a performance, and the gestures that make it what it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from synth.motion.blinks import RATE
from synth.motion.gesture import Gesture
from synth.motion.speech import Voice


@dataclasses.dataclass(frozen=True)
class Act:
    """One entry of the catalogue. The defaults are someone at rest who says nothing."""

    description: str
    """One line: what is seen."""
    weight: float = 1.0
    """Relative frequency among clips."""
    hook: str = "gesture"
    """In the thick of what a clip begins: ``gesture``, ``syllable``, ``turn``, ``nod``, ``saccade``, ``expression``."""
    gestures: tuple[Gesture, ...] = ()
    """What is done again and again, one drawn each time."""
    calm: float = 1.2
    """Mean seconds between gestures."""
    mood: Mapping[str, float] = dataclasses.field(default_factory=dict)
    """Mean activation of units that are held throughout, and waver: ``AU12`` or ``AU12_L``."""
    voice: Voice | None = None
    """How they talk; None is silent."""
    blink_rate: float = RATE["rest"]
    """Spontaneous blinks a minute."""
    yaw_deg: float = 5.0
    """Standard deviation of held head turns, degrees."""
    turn_dwell: float = 5.0
    """Mean seconds between head turns."""
    nods: float = 0.0
    """Nods and shakes a minute."""
    lively: float = 1.0
    """How much the head wanders; 1 is a listener."""
    fixation: float = 1.4
    """Mean fixation, seconds."""
    contact: float = 0.7
    """Fraction of fixations on the partner in front."""
    gap: float | None = None
    """Mean seconds of calm between conversational expressions; None for none of them."""
    emotional: float = 0.2
    """Fraction of the expressions that are full emotions."""
