"""Fright, anger and grief: what the face does when they rise, hold and pass. Units after EMFACS."""

from __future__ import annotations

from synth.motion.act import Act
from synth.motion.gesture import Gesture, flick, pulses, swell, together

_SOB = {"shift_y": pulses(6, 0.34, 3.0, 0.0, 0.9), "pitch": pulses(6, 0.34, 2.5, 0.5, 0.9)}
DISTRESS: dict[str, Act] = {
    "surprise": Act(
        "brows fly up, eyes wide, the jaw drops and stays a moment",
        1.5,
        gestures=(
            Gesture(
                together(
                    {
                        "AU1": (1.0, 0.0),
                        "AU2": (1.0, 0.0),
                        "AU5": (0.85, 0.0),
                        "AU25": (0.6, 0.1),
                        "AU26": (0.8, 0.1),
                        "jaw": (13.0, 0.1),
                        "pitch": (-5.0, 0.05),
                        "shift_z": (-9.0, 0.05),
                    },
                    0.28,
                    0.8,
                    0.9,
                )
                | {"AU45": flick(1.0, 1.75, 0.09, 0.03, 0.22)},
                unblinking=True,
                strength=(0.6, 1.0),
            ),
        ),
    ),
    "startle": Act(
        "flinches: a blink, shoulders up, mouth stretched, then looks",
        gestures=(
            Gesture(
                {
                    "AU45": flick(1.0, 0.03, 0.08, 0.08, 0.22),
                    "AU20": flick(0.7, 0.05, 0.13, 0.1, 0.5),
                    "AU6": flick(0.6, 0.05, 0.14, 0.1, 0.5),
                    "AU21": flick(0.7, 0.05, 0.14, 0.15, 0.6),
                    "AU25": flick(0.4, 0.1, 0.2, 0.9, 0.6),
                    "AU1": swell(0.6, 0.35, 0.3, 0.7, 0.8),
                    "AU2": swell(0.6, 0.35, 0.3, 0.7, 0.8),
                    "AU5": swell(0.6, 0.45, 0.3, 0.7, 0.7),
                    "pitch": flick(8.0, 0.05, 0.2, 0.12, 0.6),
                    "shift_y": flick(9.0, 0.05, 0.2, 0.2, 0.9),
                    "yaw": flick(16.0, 0.75, 0.5, 0.6, 0.8),
                },
                looks=((0.65, 24.0, 0.0), (1.5, 20.0, 4.0), (2.2, 0.0, 0.0)),
                unblinking=True,
            ),
        ),
        calm=2.0,
    ),
    "fear": Act(
        "brows up and drawn together, lips stretched, breath held, darting eyes",
        1.2,
        gestures=(
            Gesture(
                together(
                    {
                        "AU1": (0.9, 0.0),
                        "AU2": (0.55, 0.05),
                        "AU4": (0.7, 0.05),
                        "AU5": (0.9, 0.0),
                        "AU7": (0.3, 0.1),
                        "AU20": (0.8, 0.1),
                        "AU25": (0.45, 0.15),
                        "AU26": (0.3, 0.15),
                        "AU21": (0.6, 0.2),
                        "AU38": (0.5, 0.1),
                        "jaw": (9.0, 0.0),
                        "pitch": (-4.0, 0.1),
                        "shift_z": (-10.0, 0.1),
                    },
                    0.45,
                    1.9,
                    1.4,
                )
                | {"AU15": pulses(12, 0.16, 0.22, 0.08, 0.5)},
                looks=((0.5, 12.0, 2.0), (0.95, -9.0, 0.0), (1.5, 14.0, -4.0), (2.1, 0.0, 0.0)),
                unblinking=True,
            ),
        ),
    ),
    "anger": Act(
        "glares: brows down, lids tight, lips pressed white, nostrils wide",
        1.5,
        gestures=(
            Gesture(
                together(
                    {
                        "AU4": (1.0, 0.0),
                        "AU5": (0.5, 0.2),
                        "AU7": (0.7, 0.1),
                        "AU23": (0.7, 0.3),
                        "AU24": (0.5, 0.4),
                        "AU38": (0.6, 0.3),
                        "AU31": (0.7, 0.5),
                        "AU17": (0.3, 0.4),
                        "pitch": (6.0, 0.2),
                        "shift_z": (8.0, 0.3),
                    },
                    1.0,
                    2.0,
                    1.5,
                ),
                steady=True,
                unblinking=True,
            ),
            Gesture(
                together(
                    {
                        "AU4": (1.0, 0.0),
                        "AU7": (0.7, 0.1),
                        "AU10": (0.7, 0.15),
                        "AU9": (0.4, 0.2),
                        "AU16": (0.6, 0.15),
                        "AU25": (0.7, 0.15),
                        "AU20": (0.3, 0.2),
                        "AU31": (0.8, 0.1),
                        "AU38": (0.7, 0.1),
                        "pitch": (8.0, 0.1),
                        "yaw": (5.0, 0.3),
                    },
                    0.5,
                    1.1,
                    1.2,
                ),
                steady=True,
                unblinking=True,
            ),
        ),
        mood={"AU4": 0.15, "AU24": 0.1},
    ),
    "disgust": Act(
        "nose wrinkled, upper lip raised, head turned away",
        1.2,
        gestures=(
            Gesture(
                together(
                    {
                        "AU9": (0.95, 0.0),
                        "AU10": (0.7, 0.05),
                        "AU15": (0.4, 0.2),
                        "AU17": (0.5, 0.2),
                        "AU4": (0.4, 0.05),
                        "AU7": (0.5, 0.1),
                        "AU6": (0.3, 0.1),
                        "AU11": (0.5, 0.1),
                        "yaw": (15.0, 0.3),
                        "pitch": (-5.0, 0.2),
                        "roll": (4.0, 0.3),
                    },
                    0.55,
                    1.2,
                    1.3,
                )
            ),
            Gesture(
                together(
                    {
                        "AU9": (0.8, 0.0),
                        "AU10": (0.8, 0.0),
                        "AU16": (0.5, 0.1),
                        "AU25": (0.6, 0.1),
                        "AU26": (0.2, 0.1),
                        "AU20": (0.3, 0.2),
                        "jaw": (9.0, 0.0),
                        "AU7": (0.6, 0.1),
                        "AU39": (0.4, 0.1),
                    },
                    0.5,
                    0.8,
                    1.0,
                )
                | {"AU19": swell(0.5, 0.35, 0.35, 0.35, 0.55)}
            ),
        ),
    ),
    "contempt": Act(
        "one lip corner tightens and lifts, the head tips back to look down the nose",
        gestures=(
            Gesture(
                together(
                    {
                        "AU14_L": (0.9, 0.0),
                        "AU12_L": (0.35, 0.1),
                        "AU10_L": (0.4, 0.1),
                        "AU7": (0.25, 0.2),
                        "AU2_R": (0.3, 0.4),
                        "pitch": (-8.0, 0.2),
                        "roll": (5.0, 0.3),
                        "AU17": (0.2, 0.3),
                    },
                    0.8,
                    1.8,
                    1.3,
                ),
                steady=True,
            ),
        ),
    ),
    "sadness": Act(
        "inner brows rise slowly, corners sink, the gaze falls",
        1.5,
        gestures=(
            Gesture(
                together(
                    {
                        "AU1": (0.9, 0.0),
                        "AU4": (0.55, 0.2),
                        "AU15": (0.85, 0.5),
                        "AU17": (0.5, 0.7),
                        "AU11": (0.3, 0.5),
                        "AU7": (0.2, 0.5),
                        "AU45": (0.14, 0.6),
                        "pitch": (11.0, 0.6),
                        "roll": (4.0, 0.8),
                    },
                    1.8,
                    2.4,
                    2.2,
                ),
                looks=((1.0, 4.0, 16.0), (3.2, -3.0, 18.0), (5.6, 0.0, 2.0)),
            ),
        ),
        mood={"AU1": 0.15, "AU15": 0.12},
    ),
    "crying": Act(
        "face crumples, sobs shake chin and shoulders, eyes close",
        1.2,
        gestures=(
            Gesture(
                together(
                    {
                        "AU1": (0.7, 0.0),
                        "AU4": (0.85, 0.0),
                        "AU6": (0.6, 0.2),
                        "AU7": (0.6, 0.2),
                        "AU9": (0.25, 0.3),
                        "AU10": (0.35, 0.3),
                        "AU15": (0.7, 0.2),
                        "AU20": (0.5, 0.4),
                        "AU11": (0.6, 0.3),
                        "AU25": (0.35, 0.5),
                        "AU45": (0.7, 0.5),
                        "AU21": (0.4, 0.4),
                    },
                    0.9,
                    1.9,
                    1.6,
                )
                | _SOB
                | {
                    "AU17": pulses(7, 0.34, 0.8, 0.3, 0.6),
                    "jaw": pulses(6, 0.34, 3.0, 1.0, 0.9),
                    "AU38": flick(0.6, 3.7, 0.2, 0.15, 0.3),
                },
                unblinking=True,
            ),
        ),
        calm=0.6,
        mood={"AU1": 0.35, "AU4": 0.25, "AU15": 0.3, "AU17": 0.2, "AU45": 0.12},
        contact=0.2,
    ),
    "pain": Act(
        "winces: brows down, eyes squeezed, lip raised, head pulled aside",
        1.2,
        gestures=(
            Gesture(
                together(
                    {
                        "AU4": (0.9, 0.0),
                        "AU6": (0.75, 0.05),
                        "AU7": (0.9, 0.05),
                        "AU9": (0.6, 0.1),
                        "AU10": (0.5, 0.1),
                        "AU20": (0.5, 0.1),
                        "AU25": (0.5, 0.15),
                        "AU31": (0.5, 0.1),
                        "AU45": (0.95, 0.05),
                        "yaw": (9.0, 0.1),
                        "roll": (8.0, 0.1),
                        "pitch": (6.0, 0.1),
                    },
                    0.35,
                    1.0,
                    1.6,
                ),
                unblinking=True,
            ),
        ),
    ),
    "boredom": Act(
        "heavy lids, sighs through slack lips, eyes roll and wander off",
        gestures=(
            Gesture(
                {
                    "AU34": swell(0.5, 0.6, 0.5, 0.5, 0.7),
                    "AU22": swell(0.35, 0.9, 0.3, 0.6, 0.6),
                    "AU25": swell(0.4, 0.9, 0.3, 0.7, 0.6),
                    "shift_y": ((0.0, 0.0), (0.8, 5.0), (2.0, -6.0), (3.4, 0.0)),
                    "pitch": swell(6.0, 0.8, 0.9, 1.0, 1.4),
                    "roll": swell(9.0, 0.9, 1.0, 2.0, 1.5),
                    "AU15": swell(0.4, 1.5, 0.6, 1.5, 1.0),
                }
            ),
            Gesture(
                {
                    "look_x": ((0.0, 0.0), (0.35, -17.0), (0.75, 0.0), (1.1, 17.0), (1.5, 0.0)),
                    "look_y": ((0.0, 0.0), (0.3, -6.0), (0.75, -24.0), (1.2, -6.0), (1.5, 0.0)),
                    "AU1": swell(0.3, 0.2, 0.4, 0.5, 0.6),
                    "AU14": swell(0.5, 1.0, 0.4, 0.8, 0.7),
                    "pitch": swell(-5.0, 0.1, 0.5, 0.6, 0.8),
                },
                steady=True,
            ),
        ),
        mood={"AU45": 0.22, "AU15": 0.15},
        contact=0.15,
        fixation=2.2,
        turn_dwell=3.0,
        yaw_deg=12.0,
    ),
}
"""One entry a feeling."""
