"""The motion model: a performance drawn from measured statistics of how people move, look, blink, talk and emote.

>>> performance = sample_performance(np.random.default_rng(0), frames=8, fps=24.0)
>>> laugh = sample_performance(np.random.default_rng(0), frames=48, fps=24.0, name="laughter")

Every stream (head, gaze, blinks, speech, expressions) is a function of continuous time drawn from a generator of its
own, so that a longer clip has the shorter one as its prefix, and another frame rate samples the same performance.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.motion.act import Act
from synth.motion.blinks import Blink, closure, evoked_blinks, sample_blinks
from synth.motion.catalogue import PERFORMANCES
from synth.motion.curves import BandNoise, during, log_normal
from synth.motion.expression import JAW_OF_DROP, Expression, brow_beats, question_brows, sample_expressions
from synth.motion.gaze import Gaze, sample_gaze
from synth.motion.gesture import JAW, Played, sample_gestures
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
INTO = 0.5
"""Share of the clips that begin as something sets in; the others begin anywhere in what goes on."""


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
    gestures: tuple[Played, ...]
    """What is done on purpose, one after the other."""
    mood: dict[str, float]
    """Mean activation of one-sided units that are held throughout."""
    tone: BandNoise
    """(len(MICRO_UNITS) + 1): unit noise behind the micro-motion of each unit, and of the jaw's side slip."""
    lean: float
    """How much further the left half of the mouth moves in speech than the right one, as a share."""
    hooks: np.ndarray
    """(K,) seconds at which what the act is about moves fastest."""

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
            translation=self.head.translation(times).astype(np.float32),
        )

    def _face(self, times: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Action units and jaw rotation (T, 3): the streams together, each unit saturating like a muscle."""
        # 1 - activation: streams combine as a product, so that their sum stays in [0, 1].
        rest = {f"{unit}_{side}": np.ones(len(times)) for unit in ACTION_UNITS for side in "LR"}

        def add(name: str, curve: np.ndarray, part: slice = slice(None)) -> None:
            rest[name][part] *= 1 - curve

        tone = 0.5 + 0.5 * np.tanh(self.tone(times))  # in (0, 1)
        wobbles = tone.shape[1]
        for unit, wobble in zip(MICRO_UNITS, tone.T, strict=False):
            add(f"{unit}_L", 0.06 * wobble)
            add(f"{unit}_R", 0.05 * wobble)
        for index, (name, level) in enumerate(self.mood.items()):
            add(name, np.clip(level * (0.6 + 0.8 * tone[:, index // 2 % wobbles]), 0, 1))
        jaw = np.zeros((len(times), 2))
        if self.speech:
            shape = self.speech.mouth(times)
            jaw[:, 0] += shape[:, 0]
            for unit, curve in zip(CHANNELS[1:], shape[:, 1:].T, strict=True):
                for side, sign in (("L", 1), ("R", -1)):
                    add(f"{unit}_{side}", np.clip(curve * (1 + sign * self.lean), 0, 1))
        for expression in self.expressions:
            part = during(times, expression.start, expression.end)
            curves = expression(times[part])
            for index, (name, curve) in enumerate(curves.items()):
                add(name, curve * (1 - 0.12 * tone[part, index % wobbles]), part)  # an apex is held, not frozen
            drop = (curves.get("AU26_L", 0.0) + curves.get("AU26_R", 0.0)) / 2
            # A talking mouth does not gape as well: speech shares the jaw with the expression.
            jaw[part, 0] += JAW_OF_DROP * drop * (0.5 if self.speech else 1.0)
        for gesture in self.gestures:
            gesture.add(JAW, times, jaw, np.pi / 180)
            part = during(times, gesture.start, gesture.end)
            if part.start == part.stop:
                continue
            for index, (name, track) in enumerate(gesture.tracks.items()):
                if name in rest:
                    shiver = 0.0 if name.startswith("AU45") else 0.10 * tone[part, index % wobbles]
                    add(name, track(times[part]) * (1 - shiver), part)
        units = {name: 1 - value for name, value in rest.items() if (value != 1).any() or name.startswith("AU45")}
        blinks = closure(self.blinks, times)
        units |= {name: np.maximum(units[name], blinks) for name in ("AU45_L", "AU45_R")}
        if self.speech:
            # Lips that meet for p, b, m meet through a smile too.
            sealed = np.clip(shape[:, CHANNELS.index("AU24")] / BILABIAL_PRESS, 0, 1)
            units |= {name: units[name] * (1 - 0.9 * sealed) for name in ("AU25_L", "AU25_R") if name in units}
        opening = np.clip(jaw[:, 0], 0, JAW_LIMIT)
        # A little side slip that grows with opening.
        side = np.clip(jaw[:, 1] + 0.06 * opening * (tone[:, -1] - 0.5), -JAW_LIMIT / 3, JAW_LIMIT / 3)
        return units, np.stack([opening, side, np.zeros(len(times))], axis=1)


def sample_script(rng: np.random.Generator, end: float, act: Act) -> Script:
    """What happens until ``end`` seconds, in one act."""
    streams = ("head", "gaze", "blinks", "evoked", "speech", "expressions", "brows", "tone", "person", "gestures",
               "questions")
    seeds = rng.integers(1 << 62, size=len(streams))
    child = {name: np.random.default_rng(seed) for name, seed in zip(streams, seeds, strict=True)}
    # Later streams look ahead into earlier ones (a fixation into the head's next pose): margins keep the prefix exact.
    speech = None if act.voice is None else sample_speech(child["speech"], HISTORY, end + 20, act.voice)
    beats, questions = (speech.beats, speech.questions) if speech else (np.zeros(0), np.zeros(0))
    gestures = tuple(sample_gestures(child["gestures"], HISTORY, end + 20, act.gestures, act.calm))
    head = sample_head(child["head"], HISTORY, end + 10, act.yaw_deg, act.turn_dwell, act.nods, act.lively, beats,
                       gestures)
    gaze, saccades, sizes = sample_gaze(child["gaze"], HISTORY, end + 5, head, act.fixation, act.contact)
    expressions = [] if act.gap is None else sample_expressions(child["expressions"], HISTORY, end, act.gap,
                                                                act.emotional)
    brows = brow_beats(child["brows"], beats) + question_brows(child["questions"], questions)
    # People differ in how often they blink far more than one person does from day to day (Bentivoglio et al. 1997).
    rate = log_normal(child["person"], act.blink_rate, 0.3)
    blinks = sample_blinks(child["blinks"], HISTORY, end, SPONTANEOUS * rate)
    blinks += evoked_blinks(child["evoked"], saccades, np.degrees(sizes))
    busy = [gesture for gesture in gestures if gesture.unblinking]
    blinks = [blink for blink in blinks if not any(each.start - 0.4 < blink.start < each.end for each in busy)]
    tone = BandNoise.sample(child["tone"], np.ones(len(MICRO_UNITS) + 1), (0.1, 3.0))
    mood = _mood(child["person"], act)
    lean = float(np.clip(child["person"].normal(0, 0.10), -0.25, 0.25))
    hooks = {
        "syllable": speech.syllables if speech else np.zeros(0),
        "turn": head.turn_times + 0.25,
        "nod": np.array([burst.start + burst.cycles / burst.frequency / 2 for burst in head.bursts]),
        "saccade": saccades[sizes > np.radians(5)],
        "expression": np.array([expression.start + expression.onset / 2 for expression in expressions]),
        "gesture": np.array([gesture.start + 0.25 for gesture in gestures]),
    }[act.hook]
    return Script(head, gaze, blinks, speech, expressions + brows, gestures, mood, tone, lean, hooks)


def _mood(rng: np.random.Generator, act: Act) -> dict[str, float]:
    """The act's held units, one-sided, as strong as one person holds them on one day."""
    held = {}
    for name, level in act.mood.items():
        level, lean = level * np.exp(rng.normal(0, 0.2)), np.clip(rng.normal(0, 0.1), -0.25, 0.25)
        base, _, side = name.partition("_")
        for each, sign in (("L", 1), ("R", -1)):
            if side in ("", each):
                held[f"{base}_{each}"] = float(level * (1 + (base != "AU45") * sign * lean))
    return held


def sample_performance(rng: np.random.Generator, frames: int, fps: float, name: str | None = None) -> Performance:
    """A performance of ``frames`` frames: ``name`` is one of :data:`PERFORMANCES`, drawn by weight if not given.

    Deterministic in the generator's state. Half of them begin up to a quarter of a second before the middle of some
    movement, so that even eight frames move; the others begin anywhere in a gesture, so that eight frames may show an
    apex or a decay as well. With the same generator state a longer performance has the shorter one as its prefix.
    """
    if frames < 1 or not (np.isfinite(fps) and fps > 0):
        raise ValueError(f"frames, fps: {frames}, {fps}, expected at least one frame and a positive rate")
    if name is not None and name not in PERFORMANCES:
        raise ValueError(f"performance: {name!r} is not one of {', '.join(PERFORMANCES)}")
    weights = np.array([act.weight for act in PERFORMANCES.values()])
    drawn = list(PERFORMANCES)[rng.choice(len(PERFORMANCES), p=weights / weights.sum())]
    pick, lead, into, phase = rng.random(), rng.uniform(0.05, 0.25), rng.random() < INTO, rng.random()
    script = sample_script(rng, OVERTURE + frames / fps, PERFORMANCES[name or drawn])
    spans = [gesture for gesture in script.gestures if 0 <= gesture.start <= OVERTURE]
    hooks = script.hooks[(script.hooks >= 0.25) & (script.hooks <= OVERTURE)]
    if spans and not into:
        span = spans[int(pick * len(spans))]
        start = span.start + 0.9 * phase * (span.end - span.start)
    elif len(hooks):
        start = hooks[int(pick * len(hooks))] - lead
    else:
        start = pick * OVERTURE
    return script.render(start + np.arange(frames) / fps, fps)
