"""The motion model: a performance drawn from measured statistics of how people move, look, blink, talk and emote.

>>> performance = sample_performance(np.random.default_rng(0), frames=8, fps=24.0)

Every stream (head, gaze, blinks, speech, expressions) is a function of continuous time drawn from a generator of its
own, so that a longer clip has the shorter one as its prefix, and another frame rate samples the same performance.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.motion.blinks import RATE, Blink, closure, evoked_blinks, sample_blinks
from synth.motion.curves import BandNoise, during, log_normal
from synth.motion.expression import JAW_OF_DROP, Expression, brow_beats, sample_expressions
from synth.motion.gaze import Gaze, sample_gaze
from synth.motion.headpose import HeadMotion, sample_head
from synth.motion.performance import ACTION_UNITS, Performance
from synth.motion.speech import BILABIAL_PRESS, CHANNELS, Speech, sample_speech

HISTORY, OVERTURE = -8.0, 20.0
"""The performance runs from ``HISTORY``; a clip begins somewhere in the first ``OVERTURE`` seconds after 0."""
MICRO_UNITS = ("AU1", "AU2", "AU4", "AU6", "AU7", "AU12", "AU14", "AU15", "AU17", "AU24")
"""Units whose muscle tone wavers all the time."""
SPONTANEOUS = 0.85
"""Share of the blinks that no gaze shift evokes (the measured rates count both)."""
NECK_SHARE = 0.7
"""Share of the head's rotation in the neck's joint; the rest turns neck and head together."""
JAW_LIMIT = np.radians(24.0)
"""Largest jaw opening, radians."""


@dataclasses.dataclass(frozen=True)
class Style:
    """What someone is doing."""

    weight: float
    """Relative frequency among clips."""
    hook: str
    """In the thick of what a clip begins: ``syllable``, ``turn``, ``nod``, ``saccade`` or ``expression``."""
    blink_rate: float
    """Spontaneous blinks a minute."""
    yaw_deg: float
    """Standard deviation of held head turns, degrees."""
    turn_dwell: float
    """Mean seconds between head turns."""
    nods: float
    """Nods and shakes a minute."""
    lively: float
    """How much the head wanders; 1 is a listener."""
    fixation: float
    """Mean fixation, seconds."""
    contact: float
    """Fraction of fixations on the partner in front."""
    pause: float | None
    """Mean seconds between spoken phrases; None is silent."""
    gap: float
    """Mean seconds of calm between expressions."""
    emotional: float
    """Fraction of the expressions that are full emotions."""


STYLES: dict[str, Style] = {
    "speech": Style(
        weight=0.35, hook="syllable", blink_rate=RATE["conversation"], yaw_deg=9.0, turn_dwell=3.0,
        nods=3.0, lively=1.6, fixation=1.1, contact=0.6, pause=0.6, gap=2.0, emotional=0.15,
    ),
    "emotion": Style(
        weight=0.25, hook="expression", blink_rate=RATE["rest"], yaw_deg=9.0, turn_dwell=3.5,
        nods=2.0, lively=1.2, fixation=1.3, contact=0.6, pause=None, gap=0.8, emotional=0.85,
    ),
    "listening": Style(
        weight=0.15, hook="nod", blink_rate=RATE["rest"], yaw_deg=6.0, turn_dwell=5.0,
        nods=14.0, lively=1.0, fixation=1.6, contact=0.75, pause=None, gap=2.0, emotional=0.2,
    ),
    "turns": Style(
        weight=0.15, hook="turn", blink_rate=RATE["rest"], yaw_deg=17.0, turn_dwell=1.8,
        nods=3.0, lively=1.2, fixation=0.8, contact=0.3, pause=None, gap=3.0, emotional=0.2,
    ),
    "gaze": Style(
        weight=0.10, hook="saccade", blink_rate=RATE["rest"], yaw_deg=7.0, turn_dwell=4.0,
        nods=1.0, lively=1.0, fixation=0.5, contact=0.3, pause=None, gap=4.0, emotional=0.2,
    ),
}
"""The kinds of performance that are drawn from."""


@dataclasses.dataclass(frozen=True)
class Script:
    """Everything that happens in a performance, in continuous time: what :meth:`render` samples at frame times."""

    head: HeadMotion
    """Where the head is."""
    gaze: Gaze
    """Where the eyes look."""
    blinks: list[Blink]
    """Spontaneous and gaze-evoked."""
    speech: Speech | None
    """The talking mouth; None for silence."""
    expressions: list[Expression]
    """Expressions, and the brows' beats on stressed syllables."""
    tone: BandNoise
    """(len(MICRO_UNITS) + 1): unit noise behind the micro-motion of each unit, and of the jaw's side slip."""
    hooks: np.ndarray
    """(K,) seconds at which what the style is about moves fastest."""

    def render(self, times: np.ndarray, fps: float) -> Performance:
        """The performance at ``times`` (T,) seconds."""
        head = self.head.rotation(times)
        rotation = head.as_rotvec()
        left, right = self.gaze.eyes(times, head)
        units, jaw = self._face(times)
        return Performance(
            fps=fps,
            units={name: np.clip(curve, 0, 1).astype(np.float32) for name, curve in units.items()},
            # Same axis, so head * neck is exactly the rotation that the eyes compensate.
            head=((1 - NECK_SHARE) * rotation).astype(np.float32),
            neck=(NECK_SHARE * rotation).astype(np.float32),
            jaw=jaw.astype(np.float32),
            left_eye=left.astype(np.float32),
            right_eye=right.astype(np.float32),
            translation=self.head.sway(times).astype(np.float32),
        )

    def _face(self, times: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Action units and jaw rotation (T, 3): the streams together, each unit saturating like a muscle."""
        # 1 - activation: streams combine as a product, so that their sum stays in [0, 1].
        sided = [f"{unit}_{side}" for unit in ACTION_UNITS if unit != "AU45" for side in ("L", "R")]
        rest = {name: np.ones(len(times)) for name in sided}

        def add(name: str, curve: np.ndarray, part: slice = slice(None)) -> None:
            rest[name][part] *= 1 - curve

        tone = 0.5 + 0.5 * np.tanh(self.tone(times))  # in (0, 1)
        for unit, wobble in zip(MICRO_UNITS, tone.T, strict=False):
            for side in ("L", "R"):
                add(f"{unit}_{side}", 0.06 * wobble)
        opening = np.zeros(len(times))
        if self.speech:
            shape = self.speech.mouth(times)
            opening += shape[:, 0]
            for unit, curve in zip(CHANNELS[1:], shape[:, 1:].T, strict=True):
                for side in ("L", "R"):
                    add(f"{unit}_{side}", curve)
        for expression in self.expressions:
            part = during(times, expression.start, expression.end)
            curves = expression(times[part])
            for index, (name, curve) in enumerate(curves.items()):
                add(name, curve * (1 - 0.12 * tone[part, index % tone.shape[1]]), part)  # an apex is held, not frozen
            drop = (curves.get("AU26_L", 0.0) + curves.get("AU26_R", 0.0)) / 2
            # A talking mouth does not gape as well: speech shares the jaw with the expression.
            opening[part] += JAW_OF_DROP * drop * (0.5 if self.speech else 1.0)
        units = {name: 1 - value for name, value in rest.items()} | {"AU45": closure(self.blinks, times)}
        if self.speech:
            # Lips that meet for p, b, m meet through a smile too.
            sealed = np.clip(shape[:, CHANNELS.index("AU24")] / BILABIAL_PRESS, 0, 1)
            units |= {name: units[name] * (1 - 0.9 * sealed) for name in ("AU25_L", "AU25_R")}
        opening = np.clip(opening, 0, JAW_LIMIT)
        # A little side slip and protrusion-free play that grows with opening.
        return units, np.stack([opening, 0.06 * opening * (tone[:, -1] - 0.5), np.zeros(len(times))], axis=1)


def sample_script(rng: np.random.Generator, end: float, style: Style) -> Script:
    """What happens until ``end`` seconds, in one style."""
    streams = ("head", "gaze", "blinks", "evoked", "speech", "expressions", "brows", "tone", "person")
    seeds = rng.integers(1 << 62, size=len(streams))
    child = {name: np.random.default_rng(seed) for name, seed in zip(streams, seeds, strict=True)}
    # Later streams look ahead into earlier ones (a fixation into the head's next pose): margins keep the prefix exact.
    speech = None if style.pause is None else sample_speech(child["speech"], HISTORY, end + 20, style.pause)
    beats = speech.beats if speech else np.zeros(0)
    head = sample_head(child["head"], HISTORY, end + 10, style.yaw_deg, style.turn_dwell, style.nods, style.lively,
                       beats)
    gaze, saccades, sizes = sample_gaze(child["gaze"], HISTORY, end + 5, head, style.fixation, style.contact)
    expressions = sample_expressions(child["expressions"], HISTORY, end, style.gap, style.emotional)
    brows = brow_beats(child["brows"], beats)
    # People differ in how often they blink far more than one person does from day to day (Bentivoglio et al. 1997).
    rate = log_normal(child["person"], style.blink_rate, 0.3)
    blinks = sample_blinks(child["blinks"], HISTORY, end, SPONTANEOUS * rate)
    blinks += evoked_blinks(child["evoked"], saccades, np.degrees(sizes))
    tone = BandNoise.sample(child["tone"], np.ones(len(MICRO_UNITS) + 1), (0.1, 3.0))
    hooks = {
        "syllable": speech.syllables if speech else np.zeros(0),
        "turn": head.turn_times + head.turns.duration / 2,
        "nod": np.array([burst.start + burst.cycles / burst.frequency / 2 for burst in head.bursts]),
        "saccade": saccades[sizes > np.radians(5)],
        "expression": np.array([expression.start + expression.onset / 2 for expression in expressions]),
    }[style.hook]
    return Script(head, gaze, blinks, speech, expressions + brows, tone, hooks)


def sample_performance(rng: np.random.Generator, frames: int, fps: float, style: str | None = None) -> Performance:
    """A performance of ``frames`` frames in a style of :data:`STYLES`, drawn if not given.

    Deterministic in the generator's state. It begins up to a quarter of a second before the middle of some movement, so
    that even eight frames move. With the same generator state a longer performance has the shorter one as its prefix.
    """
    if frames < 1 or not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"frames, fps: {frames}, {fps}, expected at least one frame and a positive rate")
    if style is not None and style not in STYLES:
        raise ValueError(f"style: {style!r} is not one of {', '.join(STYLES)}")
    weights = np.array([style.weight for style in STYLES.values()])
    drawn = list(STYLES)[rng.choice(len(STYLES), p=weights / weights.sum())]
    pick, lead = rng.random(), rng.uniform(0.05, 0.25)
    script = sample_script(rng, OVERTURE + frames / fps, STYLES[style or drawn])
    hooks = script.hooks[(script.hooks >= 0.25) & (script.hooks <= OVERTURE)]
    start = hooks[int(pick * len(hooks))] - lead if len(hooks) else pick * OVERTURE
    return script.render(start + np.arange(frames) / fps, fps)
