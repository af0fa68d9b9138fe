"""Feelings: what the face does when one rises, holds and passes. Units after EMFACS (Friesen & Ekman 1983)."""

from __future__ import annotations

from synth.motion.act import Act
from synth.motion.gesture import Gesture, flick, pulses, swell, together

_HA = {"jaw": pulses(9, 0.21, 9.0, 4.0, 0.35, fade=0.05), "shift_y": pulses(9, 0.21, 3.0, 0.0, 0.4, fade=0.07)}
"""Notes of laughter come about every 210 ms (Provine & Yong 1991)."""

FEELINGS: dict[str, Act] = {
    "joy": Act(
        "a smile that reaches the eyes, builds, and fades slowly",
        2.0,
        gestures=(
            Gesture(
                together(
                    {
                        "AU12": (0.95, 0.0),
                        "AU6": (0.85, 0.12),
                        "AU25": (0.5, 0.2),
                        "AU26": (0.2, 0.3),
                        "AU11": (0.2, 0.2),
                        "pitch": (-4.0, 0.2),
                        "roll": (4.0, 0.1),
                    },
                    0.7,
                    1.8,
                    1.9,
                )
            ),
        ),
        mood={"AU12": 0.08},
    ),
    "laughter": Act(
        "laughs aloud: bursts of five notes a second, head thrown back, eyes squeezed",
        2.0,
        gestures=(
            Gesture(
                together(
                    {
                        "AU12": (1.0, 0.0),
                        "AU6": (0.95, 0.1),
                        "AU25": (0.85, 0.1),
                        "AU26": (0.5, 0.2),
                        "AU7": (0.45, 0.3),
                        "AU10": (0.25, 0.2),
                        "AU45": (0.3, 0.5),
                        "pitch": (-11.0, 0.2),
                        "yaw": (7.0, 0.4),
                    },
                    0.5,
                    1.7,
                    1.6,
                )
                | _HA,
                unblinking=True,
            ),
            Gesture(
                together(
                    {
                        "AU12": (0.9, 0.0),
                        "AU6": (0.8, 0.1),
                        "AU25": (0.6, 0.1),
                        "AU13": (0.2, 0.1),
                        "pitch": (9.0, 0.5),
                        "roll": (5.0, 0.3),
                    },
                    0.4,
                    1.2,
                    1.4,
                )
                | {"shift_y": pulses(6, 0.2, 2.5, 0.0, 0.3), "AU38": pulses(3, 0.4, 0.4, 0.0, 0.3)}
            ),
        ),
        calm=0.9,
        mood={"AU12": 0.2, "AU6": 0.1},
    ),
    "grin": Act(
        "bares the teeth in a broad held grin",
        gestures=(
            Gesture(
                together(
                    {
                        "AU12": (0.9, 0.0),
                        "AU13": (0.4, 0.05),
                        "AU25": (0.75, 0.1),
                        "AU10": (0.3, 0.1),
                        "AU6": (0.4, 0.2),
                        "AU16": (0.25, 0.15),
                        "AU31": (0.4, 0.2),
                        "pitch": (3.0, 0.3),
                    },
                    0.35,
                    2.4,
                    0.8,
                )
            ),
        ),
    ),
    "smirk": Act(
        "one corner of the mouth smiles",
        gestures=(
            Gesture(
                together(
                    {
                        "AU12_L": (0.7, 0.0),
                        "AU14_L": (0.4, 0.1),
                        "AU6_L": (0.3, 0.1),
                        "AU12_R": (0.12, 0.2),
                        "AU2_R": (0.35, 0.3),
                        "roll": (-5.0, 0.1),
                        "yaw": (-6.0, 0.2),
                    },
                    0.5,
                    1.5,
                    1.1,
                )
            ),
        ),
    ),
    "relief": Act(
        "closes the eyes, breathes out through puffed lips, and smiles a little",
        gestures=(
            Gesture(
                {
                    "AU45": swell(1.0, 0.2, 0.4, 1.5, 0.7),
                    "AU1": swell(0.4, 0.0, 0.5, 1.0, 1.0),
                    "AU34": swell(0.6, 0.5, 0.4, 0.6, 0.8),
                    "AU18": swell(0.3, 0.6, 0.35, 0.6, 0.6),
                    "AU25": swell(0.4, 0.8, 0.3, 0.6, 0.7),
                    "pitch": swell(9.0, 0.5, 0.9, 0.8, 1.5),
                    "shift_y": swell(-7.0, 0.6, 0.9, 0.8, 1.6),
                    "AU12": swell(0.55, 1.8, 0.7, 1.2, 1.4),
                    "AU6": swell(0.3, 2.0, 0.6, 1.0, 1.2),
                },
                unblinking=True,
            ),
        ),
        calm=2.0,
    ),
    "embarrassment": Act(
        "a held-back smile, lips pressed, the face turns down and away, glances up",
        gestures=(
            Gesture(
                together(
                    {
                        "AU12": (0.55, 0.0),
                        "AU24": (0.6, 0.35),
                        "AU14": (0.4, 0.4),
                        "AU6": (0.3, 0.2),
                        "yaw": (17.0, 0.7),
                        "pitch": (12.0, 0.6),
                        "roll": (-4.0, 0.7),
                    },
                    0.8,
                    1.7,
                    1.4,
                ),
                looks=((0.55, 12.0, 18.0), (2.1, 0.0, 3.0), (2.6, 14.0, 16.0), (4.0, 0.0, 0.0)),
            ),
        ),
        mood={"AU12": 0.15},
    ),
    "tenderness": Act(
        "soft smile, inner brows up, head tilted",
        gestures=(
            Gesture(
                together(
                    {
                        "AU12": (0.5, 0.0),
                        "AU6": (0.5, 0.2),
                        "AU1": (0.45, 0.3),
                        "AU25": (0.15, 0.4),
                        "roll": (10.0, 0.3),
                        "pitch": (3.0, 0.4),
                    },
                    1.3,
                    2.4,
                    1.9,
                ),
                steady=True,
            ),
        ),
        mood={"AU12": 0.12, "AU6": 0.08},
    ),
    "pride": Act(
        "chin up, shoulders back, a small closed smile",
        gestures=(
            Gesture(
                together(
                    {
                        "AU12": (0.45, 0.1),
                        "AU24": (0.3, 0.2),
                        "AU17": (0.25, 0.1),
                        "AU6": (0.2, 0.3),
                        "pitch": (-10.0, 0.0),
                        "shift_z": (6.0, 0.2),
                        "shift_y": (5.0, 0.1),
                    },
                    0.9,
                    2.2,
                    1.3,
                ),
                steady=True,
            ),
        ),
    ),
    "interest": Act(
        "brows lift, head comes forward and tilts, eyes stay",
        gestures=(
            Gesture(
                together(
                    {
                        "AU1": (0.6, 0.0),
                        "AU2": (0.65, 0.0),
                        "AU5": (0.35, 0.1),
                        "AU12": (0.2, 0.4),
                        "AU25": (0.2, 0.3),
                        "roll": (7.0, 0.2),
                        "shift_z": (14.0, 0.1),
                        "pitch": (-3.0, 0.2),
                    },
                    0.6,
                    2.0,
                    1.1,
                ),
                steady=True,
            ),
        ),
        blink_rate=8.0,
    ),
    "doubt": Act(
        "one brow up, mouth an upside-down U, head tilted",
        1.2,
        gestures=(
            Gesture(
                together(
                    {
                        "AU2_L": (0.8, 0.0),
                        "AU1_L": (0.4, 0.0),
                        "AU4_R": (0.5, 0.05),
                        "AU7": (0.3, 0.1),
                        "AU15": (0.5, 0.15),
                        "AU17": (0.85, 0.15),
                        "roll": (9.0, 0.1),
                        "yaw": (-5.0, 0.2),
                    },
                    0.6,
                    1.5,
                    1.0,
                )
            ),
        ),
    ),
    "confusion": Act(
        "frowns, squints, lips to one side, head forward and tilted",
        gestures=(
            Gesture(
                together(
                    {
                        "AU4": (0.85, 0.0),
                        "AU7": (0.5, 0.1),
                        "AU9": (0.15, 0.1),
                        "AU30_L": (0.6, 0.4),
                        "AU10_L": (0.4, 0.4),
                        "roll": (-11.0, 0.2),
                        "shift_z": (12.0, 0.2),
                    },
                    0.7,
                    1.6,
                    1.1,
                ),
                looks=((1.2, 7.0, 3.0), (1.8, -6.0, 2.0), (2.5, 0.0, 0.0)),
            ),
        ),
    ),
    "thinking": Act(
        "looks up and aside, lips pursed or pressed, then the answer comes",
        1.5,
        gestures=(
            Gesture(
                together(
                    {
                        "AU4": (0.4, 0.0),
                        "AU7": (0.25, 0.1),
                        "AU18": (0.55, 0.3),
                        "AU30_L": (0.35, 0.5),
                        "yaw": (10.0, 0.1),
                        "pitch": (-7.0, 0.1),
                    },
                    0.7,
                    2.0,
                    0.9,
                ),
                looks=((0.0, 19.0, -18.0), (1.3, 14.0, -20.0), (2.2, 21.0, -14.0), (3.5, 0.0, 0.0)),
            ),
            Gesture(
                together(
                    {
                        "AU4": (0.5, 0.0),
                        "AU24": (0.55, 0.2),
                        "AU14_L": (0.4, 0.3),
                        "AU17": (0.3, 0.2),
                        "pitch": (7.0, 0.1),
                    },
                    0.7,
                    1.8,
                    0.9,
                )
                | {"AU1": flick(0.6, 3.1, 0.25, 0.3, 0.5), "AU2": flick(0.6, 3.1, 0.25, 0.3, 0.5)},
                looks=((0.1, -10.0, 15.0), (1.6, -15.0, 12.0), (3.0, 0.0, 0.0)),
            ),
        ),
        contact=0.3,
        blink_rate=12.0,
    ),
}
"""Pleasant, social and thoughtful ones."""
