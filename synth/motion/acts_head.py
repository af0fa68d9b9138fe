"""Head and eyes: turns up to 60 degrees, nods, circles; saccades, pursuit, reading."""

from __future__ import annotations

import numpy as np

from synth.motion.act import Act
from synth.motion.blinks import RATE
from synth.motion.gesture import Gesture, Keys, flick, pulses, swell


def _lines(count: int, words: int, width: float) -> tuple[tuple[float, float, float], ...]:
    """Fixations of reading: words from the left, 230 ms each, then back (Rayner 1998: 2 degrees, 200 to 250 ms)."""
    looks, time = [], 0.3
    for line in range(count):
        for word in range(words):
            # The reader's left is the subject's left, +X.
            looks.append((time, width * (0.5 - word / (words - 1)), 14.0 + 1.3 * line))
            time += 0.23 + 0.05 * ((word * 7 + line * 3) % 3)
        time += 0.05
    return tuple(looks)


def _circle(turns: int, period: float, yaw: float, pitch: float) -> dict[str, Keys]:
    """Yaw and pitch a quarter of a period apart; a span between extremes is a minimum-jerk movement, nearly a sine."""
    swings = range(2 * turns)
    yaws = tuple((period * (0.25 + 0.5 * k), yaw * (-1) ** k) for k in swings)
    pitches = tuple((period * (0.5 + 0.5 * k), pitch * (-1) ** k) for k in swings)
    last = period * (turns + 0.5)
    return {
        "yaw": ((0.0, 0.0), *yaws, (last, 0.0)),
        "pitch": ((0.15 * period, 0.0), *pitches, (last + 0.3 * period, 0.0)),
    }


_PATH = np.array([[0, 0], [14, -6], [20, 3], [6, 10], [-10, 4], [-21, -7], [-12, -12], [5, -4], [0, 0]])

HEADS: dict[str, Act] = {
    "turns": Act(
        "turns the head this way and that",
        3.0,
        "turn",
        yaw_deg=17.0,
        turn_dwell=1.8,
        nods=3.0,
        lively=1.2,
        fixation=0.8,
        contact=0.3,
        gap=3.0,
    ),
    "yaw_sweep": Act(
        "sweeps the head from one shoulder to the other, 60 degrees each way",
        3.0,
        gestures=(
            Gesture(
                {
                    "yaw": ((0.0, 0.0), (1.2, 60.0), (1.6, 60.0), (4.0, -60.0), (4.5, -60.0), (5.7, 0.0)),
                    "roll": ((0.0, 0.0), (1.3, 4.0), (4.1, -4.0), (5.7, 0.0)),
                },
                strength=(0.75, 1.0),
            ),
        ),
        calm=0.7,
        fixation=0.45,
        contact=0.0,
        yaw_deg=2.0,
    ),
    "profile": Act(
        "turns to profile and back, and stays there a while",
        2.0,
        gestures=(
            Gesture(
                {"yaw": ((0.0, 0.0), (0.9, 58.0), (3.6, 56.0), (4.5, 0.0)), "pitch": swell(4.0, 1.2, 0.6, 1.0, 0.8)},
                strength=(0.8, 1.0),
            ),
        ),
        calm=0.9,
        fixation=0.9,
        contact=0.1,
        yaw_deg=2.0,
    ),
    "nod": Act(
        "nods: yes, small and large",
        1.5,
        gestures=(
            Gesture(
                {"pitch": pulses(3, 0.45, 13.0, -5.0, fade=0.15), "AU12": swell(0.2, 0.2, 0.4, 0.8, 0.6)}, steady=True
            ),
            Gesture({"pitch": pulses(1, 1.0, 18.0, -3.0), "AU45": flick(0.9, 0.25, 0.12, 0.08, 0.3)}, steady=True),
        ),
        calm=0.6,
        yaw_deg=3.0,
    ),
    "shake": Act(
        "shakes the head: no",
        1.5,
        gestures=(
            Gesture(
                {"yaw": pulses(3, 0.62, 17.0, -17.0, fade=0.15), "AU4": swell(0.25, 0.1, 0.4, 1.0, 0.6)}, steady=True
            ),
            Gesture(
                {
                    "yaw": pulses(2, 1.1, 24.0, -22.0),
                    "AU15": swell(0.35, 0.2, 0.6, 1.2, 0.8),
                    "AU45": swell(0.6, 0.3, 0.4, 0.9, 0.6),
                },
                steady=True,
            ),
        ),
        calm=0.7,
        yaw_deg=3.0,
    ),
    "tilt": Act(
        "tilts the head to either shoulder",
        1.5,
        gestures=(
            Gesture(
                {
                    "roll": ((0.0, 0.0), (0.9, 23.0), (2.0, 21.0), (3.2, -20.0), (4.1, -19.0), (5.0, 0.0)),
                    "yaw": ((0.0, 0.0), (1.0, 5.0), (3.2, -6.0), (5.0, 0.0)),
                },
                steady=True,
            ),
        ),
        calm=0.7,
        yaw_deg=3.0,
    ),
    "up_down": Act(
        "looks up at the ceiling and down to the floor",
        2.0,
        gestures=(
            Gesture(
                {"pitch": ((0.0, 0.0), (1.0, -30.0), (1.9, -29.0), (3.3, 30.0), (4.3, 28.0), (5.2, 0.0))},
                strength=(0.75, 1.1),
            ),
        ),
        calm=0.7,
        fixation=0.6,
        contact=0.1,
        yaw_deg=3.0,
    ),
    "circles": Act(
        "rolls the head around in slow circles",
        1.5,
        gestures=(Gesture(_circle(2, 2.6, 28.0, 17.0), strength=(0.6, 1.0)),),
        calm=0.8,
        fixation=0.6,
        contact=0.1,
        yaw_deg=2.0,
    ),
    "look_around": Act(
        "looks around a room: up to a corner, over a shoulder, down",
        2.0,
        gestures=(
            Gesture(
                {
                    "yaw": (
                        (0.0, 0.0),
                        (0.7, 34.0),
                        (1.5, 30.0),
                        (2.4, -44.0),
                        (3.3, -40.0),
                        (4.1, 12.0),
                        (4.8, 10.0),
                        (5.6, 0.0),
                    ),
                    "pitch": (
                        (0.0, 0.0),
                        (0.8, -14.0),
                        (1.6, -10.0),
                        (2.5, 5.0),
                        (3.3, 6.0),
                        (4.1, 20.0),
                        (4.8, 18.0),
                        (5.6, 0.0),
                    ),
                    "AU1": swell(0.35, 0.4, 0.5, 0.7, 0.6),
                    "AU2": swell(0.35, 0.4, 0.5, 0.7, 0.6),
                },
                looks=(
                    (0.0, 40.0, -18.0),
                    (0.85, 26.0, -14.0),
                    (1.45, -52.0, 4.0),
                    (2.6, -38.0, 8.0),
                    (3.25, 14.0, 26.0),
                    (4.2, 6.0, 22.0),
                    (4.8, 0.0, 0.0),
                ),
                strength=(0.8, 1.15),
            ),
        ),
        calm=0.4,
        yaw_deg=3.0,
    ),
    "double_take": Act(
        "glances aside, comes back, then looks again and stares",
        gestures=(
            Gesture(
                {
                    "yaw": (
                        (0.0, 0.0),
                        (0.45, 22.0),
                        (0.75, 21.0),
                        (1.2, 2.0),
                        (1.5, 1.0),
                        (1.85, 32.0),
                        (3.2, 31.0),
                        (3.9, 0.0),
                    ),
                    "AU1": swell(0.8, 1.5, 0.3, 1.0, 0.7),
                    "AU2": swell(0.8, 1.5, 0.3, 1.0, 0.7),
                    "AU5": swell(0.7, 1.5, 0.3, 1.0, 0.6),
                    "AU25": swell(0.35, 1.6, 0.3, 1.0, 0.6),
                    "jaw": swell(3.0, 1.6, 0.3, 1.0, 0.6),
                    "shift_z": swell(7.0, 1.6, 0.3, 1.0, 0.7),
                },
                looks=((-0.0, 30.0, 0.0), (0.7, 0.0, 0.0), (1.4, 34.0, 0.0), (3.1, 0.0, 0.0)),
                unblinking=True,
            ),
        ),
        yaw_deg=3.0,
    ),
    "gaze": Act(
        "the eyes wander, the head hardly follows",
        2.5,
        "saccade",
        yaw_deg=7.0,
        turn_dwell=4.0,
        nods=1.0,
        fixation=0.5,
        contact=0.3,
        gap=4.0,
    ),
    "saccades": Act(
        "looks at one corner of the view after another with the eyes alone",
        2.0,
        gestures=(
            Gesture(
                {"AU1": swell(0.1, 0.0, 0.5, 3.0, 0.6), "AU2": swell(0.1, 0.0, 0.5, 3.0, 0.6)},
                looks=(
                    (0.0, 24.0, -14.0),
                    (0.6, -24.0, -14.0),
                    (1.2, -24.0, 14.0),
                    (1.8, 24.0, 14.0),
                    (2.4, 0.0, -18.0),
                    (2.9, 0.0, 18.0),
                    (3.4, 27.0, 0.0),
                    (3.9, -27.0, 0.0),
                    (4.4, 0.0, 0.0),
                ),
                strength=(0.8, 1.0),
            ),
        ),
        calm=0.3,
        lively=0.4,
        yaw_deg=1.0,
        turn_dwell=8.0,
        blink_rate=RATE["attention"],
    ),
    "pursuit": Act(
        "follows something slow with the eyes, the head still",
        1.5,
        gestures=(
            Gesture(
                {
                    "look_x": tuple((0.8 * k, float(x)) for k, (x, _) in enumerate(_PATH)),
                    "look_y": tuple((0.8 * k, float(y)) for k, (_, y) in enumerate(_PATH)),
                },
                looks=((0.0, 0.0, 0.0),),
                steady=True,
                unblinking=True,
            ),
        ),
        calm=0.5,
        lively=0.4,
        yaw_deg=1.0,
        turn_dwell=8.0,
        blink_rate=RATE["attention"],
    ),
    "follow": Act(
        "follows something that flies past with head and eyes",
        1.5,
        gestures=(
            Gesture(
                {
                    "look_x": ((0.0, 0.0), (0.8, 48.0), (2.6, -48.0), (3.3, -42.0), (4.3, 0.0)),
                    "look_y": ((0.0, 0.0), (0.8, 6.0), (1.7, -20.0), (2.6, 2.0), (3.3, 6.0), (4.3, 0.0)),
                    "yaw": ((0.1, 0.0), (1.0, 36.0), (2.8, -38.0), (3.5, -34.0), (4.6, 0.0)),
                    "pitch": ((0.1, 0.0), (1.0, 4.0), (1.9, -12.0), (2.8, 2.0), (3.5, 4.0), (4.6, 0.0)),
                    "AU25": swell(0.2, 0.6, 0.6, 1.5, 0.8),
                },
                looks=((0.0, 0.0, 0.0),),
                steady=True,
                unblinking=True,
            ),
        ),
        calm=0.5,
        yaw_deg=2.0,
    ),
    "reading": Act(
        "reads down a page: line after line, few blinks",
        2.0,
        gestures=(
            Gesture(
                {"pitch": ((0.0, 0.0), (0.5, 9.0), (10.4, 10.0), (11.2, 0.0)), "AU4": swell(0.2, 0.5, 1.0, 6.0, 1.5)},
                looks=(*_lines(5, 7, 15.0), (10.6, 0.0, 0.0)),
                mirrors=False,
                strength=(0.8, 1.1),
            ),
        ),
        calm=0.6,
        lively=0.5,
        yaw_deg=1.5,
        turn_dwell=9.0,
        blink_rate=4.5,
    ),
    "eye_roll": Act(
        "rolls the eyes",
        gestures=(
            Gesture(
                {
                    "look_x": ((0.0, 0.0), (0.3, -20.0), (0.65, 0.0), (1.0, 20.0), (1.4, 0.0)),
                    "look_y": ((0.0, 0.0), (0.25, -5.0), (0.65, -27.0), (1.1, -5.0), (1.4, 0.0)),
                    "AU1": swell(0.4, 0.1, 0.3, 0.5, 0.5),
                    "AU2": swell(0.4, 0.1, 0.3, 0.5, 0.5),
                    "pitch": swell(-7.0, 0.1, 0.5, 0.3, 0.8),
                    "yaw": swell(9.0, 0.3, 0.5, 0.4, 0.8),
                    "AU14": swell(0.4, 0.5, 0.4, 0.6, 0.6),
                },
                steady=True,
                unblinking=True,
            ),
        ),
        calm=1.0,
    ),
    "averted": Act(
        "keeps the eyes off the other, head half turned",
        1.5,
        gestures=(
            Gesture(
                {
                    "yaw": ((0.0, 0.0), (0.7, -21.0), (3.6, -19.0), (4.6, 0.0)),
                    "pitch": swell(6.0, 0.1, 0.7, 2.4, 1.2),
                    "AU24": swell(0.25, 0.5, 0.6, 2.0, 1.0),
                },
                looks=(
                    (0.0, -34.0, 8.0),
                    (1.3, -30.0, 14.0),
                    (2.3, -38.0, 4.0),
                    (3.0, -3.0, 2.0),
                    (3.4, -30.0, 10.0),
                    (4.6, -10.0, 8.0),
                ),
            ),
        ),
        calm=0.4,
        contact=0.05,
    ),
    "stare": Act(
        "stares straight ahead, wide-eyed, hardly blinking",
        gestures=(
            Gesture(
                {"AU5": swell(0.6, 0.0, 0.8, 3.0, 1.0), "shift_z": swell(5.0, 0.0, 1.0, 2.6, 1.0)},
                steady=True,
                unblinking=True,
            ),
        ),
        calm=0.8,
        contact=1.0,
        fixation=3.5,
        lively=0.35,
        yaw_deg=1.0,
        turn_dwell=9.0,
        blink_rate=4.0,
    ),
}
"""One entry a way of moving head and eyes."""
