"""What lids and brows do by themselves; and every action unit alone."""

from __future__ import annotations

from synth.motion.act import Act
from synth.motion.gesture import Gesture, flick, swell, together
from synth.motion.performance import ACTION_UNITS


def _alone(unit: str) -> Gesture:
    """One action unit by itself, and the mandible where it goes along."""
    tracks = {unit: swell(1.0, 0.0, 0.6, 0.7, 0.8)}
    jaw = {"AU26": 12.0, "AU19": 12.0, "AU8": 4.0}.get(unit)
    if unit == "AU19":  # out when the jaw is open, in before it shuts
        tracks[unit] = swell(1.0, 0.35, 0.4, 0.4, 0.5)
    if unit in ("AU16", "AU19"):
        tracks["AU25"] = swell(0.5, 0.0, 0.6, 0.7, 0.8)
    if unit == "AU26":
        tracks["AU25"] = swell(0.4, 0.0, 0.6, 0.7, 0.8)
    if jaw:
        tracks["jaw"] = swell(jaw, 0.0, 0.6, 0.7, 0.8)
    return Gesture(tracks, unblinking=True, strength=(0.6, 1.0))


BROWS: dict[str, Act] = {
    "wink_left": Act(
        "winks with the left eye",
        gestures=(
            Gesture(
                {
                    "AU45_L": flick(1.0, 0.0, 0.11, 0.16, 0.24),
                    "AU6_L": flick(0.75, 0.0, 0.16, 0.14, 0.4),
                    "AU7_L": flick(0.4, 0.0, 0.16, 0.14, 0.4),
                    "AU12_L": swell(0.55, 0.05, 0.25, 0.5, 0.8),
                    "AU4_L": flick(0.2, 0.0, 0.15, 0.15, 0.4),
                    "AU2_R": flick(0.25, 0.0, 0.2, 0.3, 0.5),
                    "roll": swell(-4.0, 0.0, 0.3, 0.3, 0.7),
                },
                mirrors=False,
                unblinking=True,
            ),
        ),
        calm=1.3,
    ),
    "wink_right": Act(
        "winks with the right eye",
        gestures=(
            Gesture(
                {
                    "AU45_R": flick(1.0, 0.0, 0.11, 0.16, 0.24),
                    "AU6_R": flick(0.75, 0.0, 0.16, 0.14, 0.4),
                    "AU7_R": flick(0.4, 0.0, 0.16, 0.14, 0.4),
                    "AU12_R": swell(0.55, 0.05, 0.25, 0.5, 0.8),
                    "AU4_R": flick(0.2, 0.0, 0.15, 0.15, 0.4),
                    "AU2_L": flick(0.25, 0.0, 0.2, 0.3, 0.5),
                    "roll": swell(4.0, 0.0, 0.3, 0.3, 0.7),
                },
                mirrors=False,
                unblinking=True,
            ),
        ),
        calm=1.3,
    ),
    "brow_flash": Act(
        "both brows jump in greeting, again and again, with a nod",
        gestures=(
            Gesture(
                {
                    "AU1": flick(0.85, 0.0, 0.2, 0.2, 0.4),
                    "AU2": flick(0.95, 0.0, 0.2, 0.2, 0.4),
                    "AU5": flick(0.3, 0.0, 0.2, 0.2, 0.3),
                    "AU12": swell(0.4, 0.1, 0.4, 0.6, 0.9),
                    "pitch": ((0.0, 0.0), (0.25, -4.0), (0.6, 3.0), (1.0, 0.0)),
                },
                unblinking=True,
            ),
        ),
        calm=0.9,
    ),
    "one_brow": Act(
        "raises one brow and holds it",
        gestures=(
            Gesture(
                together(
                    {"AU2_L": (1.0, 0.0), "AU1_L": (0.5, 0.0), "AU4_R": (0.5, 0.0), "AU7_R": (0.2, 0.1)}, 0.4, 1.3, 0.7
                ),
                steady=True,
                unblinking=True,
            ),
        ),
    ),
    "frown": Act(
        "knits the brows hard",
        gestures=(Gesture(together({"AU4": (1.0, 0.0), "AU7": (0.25, 0.1), "AU9": (0.15, 0.1)}, 0.5, 1.4, 0.9)),),
    ),
    "squint": Act(
        "squints into glare, nose and cheeks bunched, and shades the eyes by ducking",
        gestures=(
            Gesture(
                together(
                    {
                        "AU7": (0.95, 0.0),
                        "AU6": (0.7, 0.05),
                        "AU4": (0.6, 0.05),
                        "AU9": (0.25, 0.1),
                        "AU10": (0.25, 0.2),
                        "AU45": (0.3, 0.1),
                        "pitch": (8.0, 0.2),
                        "yaw": (8.0, 0.2),
                    },
                    0.35,
                    1.9,
                    1.1,
                )
            ),
        ),
        mood={"AU7": 0.3, "AU6": 0.2, "AU4": 0.15},
        blink_rate=26.0,
    ),
    "closed_eyes": Act(
        "rests with shut eyes, opens them for a moment",
        gestures=(
            Gesture(
                {
                    "AU45": ((0.0, 0.0), (0.35, 1.0), (4.2, 1.0), (4.7, 0.0)),
                    "AU1": swell(0.15, 0.2, 0.6, 2.5, 1.0),
                    "pitch": swell(5.0, 0.3, 1.5, 1.5, 1.3),
                },
                unblinking=True,
            ),
        ),
        calm=0.9,
    ),
    "drowsy": Act(
        "lids sink, the head nods off and is caught",
        gestures=(
            Gesture(
                {
                    "AU45": ((0.0, 0.0), (1.2, 0.5), (2.0, 0.75), (2.6, 1.0), (3.6, 1.0), (3.8, 0.1), (4.4, 0.0)),
                    "pitch": ((0.5, 0.0), (2.4, 6.0), (3.5, 20.0), (3.65, 20.0), (4.0, -3.0), (5.0, 0.0)),
                    "AU26": swell(0.3, 1.5, 1.5, 0.5, 0.5),
                    "AU25": swell(0.3, 1.5, 1.5, 0.5, 0.5),
                    "jaw": swell(3.0, 1.5, 1.5, 0.5, 0.5),
                    "roll": swell(6.0, 1.0, 2.0, 0.6, 1.0),
                    "AU1": flick(0.7, 3.65, 0.25, 0.4, 0.9),
                    "AU5": flick(0.4, 3.8, 0.2, 0.3, 0.8),
                },
                unblinking=True,
            ),
        ),
        calm=0.8,
        mood={"AU45": 0.25},
    ),
    "units": Act(
        "one action unit after another, each alone",
        2.5,
        gestures=tuple(_alone(unit) for unit in ACTION_UNITS if unit != "AU45"),
        calm=0.3,
        contact=0.9,
        lively=0.6,
    ),
}
"""One entry an action."""
