"""What mouths and cheeks do besides talking and feeling."""

from __future__ import annotations

from synth.motion.act import Act
from synth.motion.gesture import Gesture, Keys, flick, pulses, swell

_CHEW: dict[str, Keys] = {
    "jaw": pulses(7, 0.72, 5.0, 0.6),
    "jaw_side": pulses(7, 0.72, 2.5, -1.0, 0.12),
    "AU8": swell(1.0, 0.0, 0.4, 4.4, 0.8),
    "AU24": swell(0.3, 0.0, 0.4, 4.4, 0.8),
    "AU31": pulses(7, 0.72, 0.0, 0.55, 0.0),
    "AU30_L": pulses(7, 0.72, 0.3, 0.05, 0.12),
    "AU14": swell(0.25, 0.2, 0.6, 4.0, 0.8),
    "AU34_L": swell(0.25, 0.3, 0.8, 3.4, 0.8),
}
"""Chewing runs at about 1.4 cycles a second (Po et al. 2011), mouth shut, the jaw swinging to the working side."""
_SWALLOW: dict[str, Keys] = {
    "AU24": flick(0.6, 0.0, 0.25, 0.45, 0.5),
    "AU17": flick(0.45, 0.1, 0.25, 0.3, 0.5),
    "AU21": flick(0.4, 0.15, 0.25, 0.25, 0.4),
    "pitch": flick(4.0, 0.15, 0.35, 0.15, 0.6),
}

MOUTHS: dict[str, Act] = {
    "yawn": Act(
        "yawns: a slow gape with eyes squeezed shut, then swallows and blinks",
        1.0,
        gestures=(
            Gesture(
                {
                    "jaw": ((0.0, 0.0), (0.8, 6.0), (2.2, 22.0), (3.2, 21.0), (4.0, 7.0), (4.6, 0.0)),
                    "AU26": swell(0.6, 0.3, 1.8, 1.0, 1.2),
                    "AU25": swell(0.6, 0.2, 1.6, 1.2, 1.3),
                    "AU10": swell(0.3, 0.9, 1.2, 0.8, 1.0),
                    "AU20": swell(0.3, 1.6, 0.8, 0.7, 0.8),
                    "AU38": swell(0.6, 0.5, 1.2, 1.2, 1.0),
                    "AU1": swell(0.4, 0.6, 1.2, 0.6, 1.2),
                    "AU4": swell(0.5, 1.3, 0.9, 0.9, 1.0),
                    "AU6": swell(0.6, 1.4, 0.8, 0.9, 1.0),
                    "AU9": swell(0.3, 1.4, 0.8, 0.8, 1.0),
                    "AU45": swell(1.0, 1.1, 0.9, 1.2, 1.0),
                    "AU21": swell(0.5, 1.3, 0.8, 0.8, 1.0),
                    "pitch": swell(-12.0, 0.8, 1.4, 0.8, 1.6),
                    "roll": swell(5.0, 1.0, 1.2, 0.8, 1.4),
                    "AU24": flick(0.5, 4.6, 0.3, 0.3, 0.6),
                    "AU17": flick(0.4, 4.8, 0.3, 0.2, 0.5),
                },
                unblinking=True,
                strength=(0.8, 1.0),
            ),
        ),
        calm=2.0,
        mood={"AU45": 0.12},
    ),
    "sneeze": Act(
        "a sneeze gathers, breaks, and is sniffed away",
        gestures=(
            Gesture(
                {
                    "AU9": ((0.0, 0.0), (0.9, 0.5), (1.5, 0.7), (1.75, 1.0), (2.0, 0.6), (2.7, 0.0)),
                    "AU10": ((0.0, 0.0), (1.0, 0.5), (1.6, 0.6), (1.9, 0.4), (2.6, 0.0)),
                    "AU1": flick(0.7, 0.3, 0.8, 0.4, 0.4),
                    "AU25": flick(0.55, 0.4, 0.8, 0.4, 0.5),
                    "jaw": ((0.0, 0.0), (1.4, 9.0), (1.62, 10.0), (1.8, 2.0), (2.6, 0.0)),
                    "AU45": ((0.3, 0.0), (1.3, 0.55), (1.6, 0.6), (1.72, 1.0), (2.05, 1.0), (2.5, 0.0)),
                    "AU6": flick(0.9, 1.45, 0.3, 0.2, 0.7),
                    "AU4": flick(0.9, 1.45, 0.3, 0.2, 0.7),
                    "AU24": flick(0.7, 1.62, 0.15, 0.1, 0.6),
                    "pitch": ((0.2, 0.0), (1.5, -9.0), (1.62, -9.0), (1.88, 15.0), (2.2, 12.0), (3.2, 0.0)),
                    "shift_z": ((0.4, 0.0), (1.5, -6.0), (1.85, 14.0), (3.0, 0.0)),
                    "AU38": flick(0.7, 2.9, 0.2, 0.2, 0.3),
                },
                unblinking=True,
                strength=(0.8, 1.0),
            ),
        ),
        calm=2.0,
    ),
    "cough": Act(
        "coughs in twos and threes with shut lids",
        gestures=(
            Gesture(
                {
                    "jaw": pulses(3, 0.42, 7.0, 1.0),
                    "AU25": pulses(3, 0.42, 0.5, 0.1),
                    "AU22": pulses(3, 0.42, 0.35, 0.1),
                    "pitch": pulses(3, 0.42, 8.0, 2.0, 0.02),
                    "shift_y": pulses(3, 0.42, 4.0, 0.0),
                    "AU45": swell(0.9, 0.0, 0.2, 0.9, 0.5),
                    "AU6": swell(0.5, 0.0, 0.25, 0.9, 0.6),
                    "AU4": swell(0.4, 0.0, 0.25, 0.9, 0.6),
                    "AU21": pulses(3, 0.42, 0.6, 0.2),
                },
                unblinking=True,
            ),
        ),
        calm=1.8,
    ),
    "kiss": Act(
        "puckers for a kiss, lids half down, lips part",
        gestures=(
            Gesture(
                {
                    "AU18": swell(0.95, 0.0, 0.6, 0.7, 0.5),
                    "AU22": swell(0.3, 0.1, 0.5, 0.6, 0.4),
                    "AU23": swell(0.3, 0.2, 0.5, 0.5, 0.3),
                    "AU45": swell(0.7, 0.2, 0.5, 0.5, 0.6),
                    "pitch": swell(-4.0, 0.0, 0.6, 0.6, 0.8),
                    "shift_z": swell(12.0, 0.0, 0.7, 0.4, 0.8),
                    "roll": swell(5.0, 0.1, 0.6, 0.6, 0.9),
                    "AU25": flick(0.35, 1.25, 0.18, 0.05, 0.4),
                    "AU12": swell(0.45, 1.5, 0.5, 0.8, 0.9),
                    "AU6": swell(0.3, 1.6, 0.4, 0.6, 0.8),
                },
                unblinking=True,
            ),
        ),
    ),
    "whistle": Act(
        "whistles: small round mouth, hollow cheeks, brows in time",
        gestures=(
            Gesture(
                {
                    "AU18": swell(0.85, 0.0, 0.5, 3.2, 0.6),
                    "AU22": swell(0.45, 0.0, 0.5, 3.2, 0.6),
                    "AU25": pulses(8, 0.42, 0.35, 0.2, 0.3),
                    "AU35": swell(0.4, 0.2, 0.5, 2.9, 0.6),
                    "jaw": swell(2.5, 0.0, 0.5, 3.2, 0.6),
                    "AU1": pulses(4, 0.8, 0.5, 0.1, 0.4),
                    "AU2": pulses(4, 0.8, 0.5, 0.1, 0.4),
                    "pitch": pulses(4, 0.8, -4.0, 1.0, 0.3),
                    "yaw": swell(6.0, 0.4, 1.0, 1.6, 1.0),
                }
            ),
        ),
        calm=0.8,
    ),
    "blow": Act(
        "fills the cheeks and blows out",
        gestures=(
            Gesture(
                {
                    "AU34": ((0.0, 0.0), (0.6, 0.95), (0.9, 1.0), (1.5, 0.45), (2.4, 0.3), (2.9, 0.0)),
                    "AU18": swell(0.6, 0.3, 0.5, 1.5, 0.6),
                    "AU22": swell(0.5, 0.8, 0.3, 1.2, 0.5),
                    "AU25": flick(0.35, 0.85, 0.2, 1.3, 0.5),
                    "AU2": swell(0.3, 0.2, 0.5, 1.2, 0.8),
                    "AU4": swell(0.3, 0.7, 0.4, 1.0, 0.6),
                    "pitch": swell(5.0, 0.7, 0.5, 1.0, 0.9),
                    "shift_z": swell(7.0, 0.7, 0.5, 1.0, 0.9),
                }
            ),
        ),
    ),
    "puffed_cheeks": Act(
        "holds air in the cheeks and moves it from side to side",
        gestures=(
            Gesture(
                {
                    "AU34_L": (
                        (0.0, 0.0),
                        (0.5, 1.0),
                        (1.2, 0.9),
                        (1.6, 0.3),
                        (2.2, 0.9),
                        (2.7, 0.2),
                        (3.3, 0.8),
                        (3.8, 0.0),
                    ),
                    "AU34_R": (
                        (0.0, 0.0),
                        (0.5, 1.0),
                        (1.2, 0.4),
                        (1.6, 1.0),
                        (2.2, 0.3),
                        (2.7, 0.95),
                        (3.3, 0.8),
                        (3.8, 0.0),
                    ),
                    "AU24": swell(0.5, 0.0, 0.4, 3.0, 0.5),
                    "AU17": swell(0.25, 0.0, 0.4, 3.0, 0.5),
                    "AU1": swell(0.3, 0.2, 0.5, 2.0, 0.8),
                    "AU2": swell(0.3, 0.2, 0.5, 2.0, 0.8),
                }
            ),
        ),
    ),
    "sucked_cheeks": Act(
        "sucks the cheeks in to a fish mouth, lips snapping",
        gestures=(
            Gesture(
                {
                    "AU35": swell(1.0, 0.0, 0.6, 2.2, 0.7),
                    "AU18": swell(0.7, 0.1, 0.6, 2.0, 0.6),
                    "AU25": pulses(4, 0.45, 0.4, 0.0, 0.6),
                    "AU5": swell(0.3, 0.4, 0.4, 1.5, 0.6),
                    "AU2": swell(0.4, 0.4, 0.4, 1.5, 0.6),
                }
            ),
        ),
    ),
    "chewing": Act(
        "chews with shut lips, jaw swinging to one side, and swallows",
        1.5,
        gestures=(Gesture(_CHEW), Gesture(_CHEW), Gesture(_SWALLOW)),
        calm=0.25,
        fixation=1.2,
    ),
    "lick_lips": Act(
        "the tongue passes over the lips, which are then pressed in",
        gestures=(
            Gesture(
                {
                    "AU19": flick(0.6, 0.3, 0.3, 0.3, 0.3),
                    "AU25": flick(0.5, 0.0, 0.35, 0.75, 0.45),
                    "AU26": flick(0.3, 0.0, 0.35, 0.75, 0.45),
                    "jaw": flick(10.5, 0.0, 0.4, 0.75, 0.5),
                    "AU28": flick(0.8, 1.5, 0.35, 0.35, 0.5),
                    "AU24": flick(0.3, 1.7, 0.3, 0.3, 0.5),
                }
            ),
        ),
    ),
    "lip_bite": Act(
        "draws the lips in and holds them, worried",
        gestures=(
            Gesture(
                {
                    "AU28": swell(0.85, 0.0, 0.5, 1.6, 0.7),
                    "AU4": swell(0.5, 0.1, 0.5, 1.4, 0.9),
                    "AU1": swell(0.5, 0.2, 0.5, 1.2, 0.9),
                    "AU17": swell(0.3, 0.1, 0.5, 1.4, 0.7),
                    "AU14": swell(0.4, 0.3, 0.5, 1.2, 0.7),
                },
                looks=((0.3, 12.0, 8.0), (1.6, -6.0, 10.0), (2.6, 0.0, 0.0)),
            ),
        ),
    ),
    "tongue_out": Act(
        "pokes the tongue out, nose wrinkled",
        gestures=(
            Gesture(
                {
                    "AU19": flick(1.0, 0.35, 0.35, 0.65, 0.3),
                    "jaw": flick(13.0, 0.0, 0.4, 1.2, 0.5),
                    "AU25": flick(0.6, 0.0, 0.4, 1.1, 0.5),
                    "AU26": flick(0.5, 0.0, 0.4, 1.1, 0.5),
                    "AU9": swell(0.6, 0.2, 0.4, 0.8, 0.6),
                    "AU12": swell(0.4, 0.2, 0.4, 0.9, 0.9),
                    "AU7": swell(0.4, 0.2, 0.4, 0.8, 0.6),
                    "pitch": swell(5.0, 0.1, 0.4, 0.8, 0.8),
                }
            ),
        ),
    ),
    "jaw_play": Act(
        "pushes the jaw forward and from side to side, clenches",
        gestures=(
            Gesture(
                {
                    "jaw": swell(4.0, 0.0, 0.5, 2.2, 0.7),
                    "jaw_side": ((0.0, 0.0), (0.6, 6.0), (1.3, -6.0), (2.0, 5.0), (2.8, 0.0)),
                    "AU30_L": ((0.0, 0.0), (0.6, 0.6), (1.0, 0.0), (1.6, 0.0), (2.0, 0.5), (2.8, 0.0)),
                    "AU30_R": ((0.9, 0.0), (1.3, 0.6), (1.7, 0.0)),
                }
            ),
            Gesture(
                {
                    "AU29": swell(0.9, 0.0, 0.6, 1.0, 0.8),
                    "AU17": swell(0.4, 0.1, 0.5, 0.9, 0.7),
                    "AU16": swell(0.3, 0.2, 0.5, 0.9, 0.7),
                    "AU25": swell(0.25, 0.2, 0.5, 0.9, 0.7),
                }
            ),
            Gesture({"AU31": pulses(3, 0.7, 1.0, 0.2), "AU38": swell(0.4, 0.1, 0.5, 1.2, 0.7)}),
        ),
    ),
}
"""One entry an action."""
