"""Talking, listening, and doing nothing in particular."""

from __future__ import annotations

from synth.motion.act import Act
from synth.motion.blinks import RATE
from synth.motion.gesture import Gesture, flick, pulses, swell, together
from synth.motion.speech import Voice

_TALKING = {
    "hook": "syllable",
    "blink_rate": RATE["conversation"],
    "yaw_deg": 9.0,
    "turn_dwell": 3.0,
    "nods": 3.0,
    "lively": 1.6,
    "fixation": 1.1,
    "contact": 0.6,
}
_YES = Gesture({"pitch": pulses(3, 0.42, 7.0, -2.0, fade=0.25), "AU12": swell(0.3, 0.2, 0.4, 0.8, 0.8)}, steady=True)
_MHM = Gesture(
    {
        "pitch": pulses(2, 0.36, 6.0, -1.0, fade=0.3),
        "AU24": flick(0.45, 0.0, 0.2, 0.5, 0.4),
        "AU1": flick(0.4, 0.0, 0.25, 0.3, 0.5),
        "AU2": flick(0.4, 0.0, 0.25, 0.3, 0.5),
    },
    steady=True,
)
_AH = Gesture(
    {
        "AU1": swell(0.6, 0.0, 0.3, 0.6, 0.7),
        "AU2": swell(0.6, 0.0, 0.3, 0.6, 0.7),
        "AU25": flick(0.45, 0.1, 0.25, 0.4, 0.5),
        "jaw": flick(5.0, 0.1, 0.25, 0.4, 0.5),
        "pitch": ((0.0, 0.0), (0.3, -4.0), (0.8, 4.0), (1.5, 0.0)),
    },
    steady=True,
)

TALKS: dict[str, Act] = {
    "speech": Act(
        "talks freely, with every kind of passing expression", 12.0, voice=Voice(), gap=2.0, emotional=0.15, **_TALKING
    ),
    "speech_calm": Act(
        "talks slowly and evenly with long pauses",
        4.2,
        voice=Voice(rate=3.4, opening=0.85, phrase=7, pause=1.1, melody=0.2),
        **(_TALKING | {"lively": 0.9, "nods": 1.0}),
    ),
    "speech_fast": Act(
        "talks fast with hardly a pause, head never still",
        4.2,
        voice=Voice(rate=6.3, opening=0.8, lips=0.9, phrase=14, pause=0.35),
        **(_TALKING | {"lively": 2.2, "turn_dwell": 1.8}),
    ),
    "speech_whisper": Act(
        "whispers close: small jaw, busy lips, head forward",
        2.5,
        voice=Voice(rate=4.2, opening=0.45, lips=1.35, phrase=6, pause=0.9),
        gestures=(
            Gesture(
                {
                    "shift_z": swell(16.0, 0.0, 0.7, 3.0, 1.0),
                    "pitch": swell(6.0, 0.0, 0.7, 3.0, 1.0),
                    "AU2": swell(0.35, 0.3, 0.5, 2.0, 0.8),
                },
                looks=((1.0, 22.0, 3.0), (1.7, 0.0, 0.0), (2.9, -20.0, 2.0), (3.5, 0.0, 0.0)),
            ),
        ),
        mood={"AU1": 0.15, "AU7": 0.15},
        **(_TALKING | {"lively": 0.8}),
    ),
    "speech_emphatic": Act(
        "hammers home a point: wide mouth, brows and nods on the stress",
        4.2,
        voice=Voice(rate=4.2, opening=1.4, lips=1.25, phrase=6, pause=0.7, melody=0.5),
        gestures=(
            Gesture(
                {
                    "pitch": pulses(3, 0.55, 11.0, -2.0),
                    "AU4": swell(0.6, 0.0, 0.3, 1.2, 0.8),
                    "AU5": swell(0.35, 0.0, 0.3, 1.0, 0.8),
                    "shift_z": swell(10.0, 0.0, 0.4, 1.0, 0.9),
                },
                steady=True,
            ),
            Gesture(
                {
                    "yaw": pulses(2, 0.6, 9.0, -9.0),
                    "AU1": swell(0.7, 0.0, 0.3, 1.0, 0.7),
                    "AU2": swell(0.7, 0.0, 0.3, 1.0, 0.7),
                },
                steady=True,
            ),
        ),
        calm=0.9,
        **(_TALKING | {"lively": 2.0}),
    ),
    "speech_smiling": Act(
        "talks through a smile that comes and goes",
        4.2,
        voice=Voice(rate=4.9),
        gestures=(
            Gesture(
                together(
                    {"AU12": (0.7, 0.0), "AU6": (0.6, 0.1), "AU25": (0.25, 0.1), "roll": (5.0, 0.2)}, 0.6, 1.6, 1.3
                )
            ),
        ),
        mood={"AU12": 0.4, "AU6": 0.25},
        **_TALKING,
    ),
    "speech_question": Act(
        "asks one question after another, brows high, and waits",
        3.4,
        voice=Voice(rate=4.6, phrase=5, pause=1.5, asks=0.9),
        gestures=(
            Gesture(
                {
                    "roll": swell(9.0, 0.0, 0.5, 1.4, 0.9),
                    "shift_z": swell(9.0, 0.1, 0.5, 1.3, 0.9),
                    "pitch": swell(-3.0, 0.1, 0.5, 1.3, 0.9),
                },
                steady=True,
            ),
        ),
        calm=1.6,
        mood={"AU1": 0.15, "AU2": 0.15},
        **_TALKING,
    ),
    "speech_counting": Act(
        "counts or lists: single words, each with a nod",
        2.5,
        voice=Voice(rate=3.6, phrase=1, pause=0.55, melody=0.15),
        gestures=(
            Gesture(
                {"pitch": pulses(5, 0.95, 5.0, 0.0), "AU2": pulses(5, 0.95, 0.4, 0.0, 0.05)},
                looks=((0.0, 14.0, -9.0), (2.4, 10.0, -12.0), (4.4, 0.0, 0.0)),
            ),
        ),
        calm=0.6,
        **(_TALKING | {"contact": 0.3}),
    ),
    "speech_sad": Act(
        "talks low and slowly with a sunken face",
        2.0,
        voice=Voice(rate=3.3, opening=0.65, lips=0.8, phrase=5, pause=1.4, melody=0.2),
        gestures=(
            Gesture(
                together(
                    {"AU15": (0.6, 0.0), "AU17": (0.5, 0.2), "AU1": (0.5, 0.1), "pitch": (10.0, 0.2)}, 1.0, 1.5, 1.4
                ),
                looks=((0.4, 5.0, 17.0), (3.0, 0.0, 4.0)),
            ),
        ),
        mood={"AU1": 0.45, "AU4": 0.25, "AU15": 0.35, "AU45": 0.1},
        **(_TALKING | {"lively": 0.7, "contact": 0.3, "nods": 0.0}),
    ),
    "speech_angry": Act(
        "argues: brows down, teeth shown, head thrust forward",
        2.0,
        voice=Voice(rate=5.2, opening=1.35, lips=1.2, phrase=7, pause=0.5, melody=0.45),
        gestures=(
            Gesture(
                {
                    "pitch": pulses(3, 0.4, 8.0, 0.0),
                    "AU10": swell(0.5, 0.0, 0.3, 1.0, 0.6),
                    "AU16": swell(0.5, 0.0, 0.3, 1.0, 0.6),
                    "AU38": swell(0.6, 0.0, 0.3, 1.2, 0.8),
                    "shift_z": swell(14.0, 0.0, 0.3, 0.8, 0.8),
                },
                steady=True,
            ),
        ),
        calm=0.8,
        mood={"AU4": 0.65, "AU7": 0.4, "AU5": 0.2, "AU23": 0.2},
        **(_TALKING | {"lively": 2.0, "contact": 0.9}),
    ),
    "speech_mumbled": Act(
        "mumbles with slack, hardly moving lips, looking elsewhere",
        2.0,
        voice=Voice(rate=5.0, opening=0.4, lips=0.45, phrase=6, pause=1.0, melody=0.15),
        mood={"AU45": 0.12, "AU24": 0.1},
        **(_TALKING | {"contact": 0.1, "lively": 0.8}),
    ),
    "speech_aside": Act(
        "talks now to one side, now to the other, in three-quarter and profile",
        3.4,
        voice=Voice(),
        gestures=(
            Gesture(
                {"yaw": ((0.0, 0.0), (0.8, 46.0), (3.4, 42.0), (4.2, 0.0)), "roll": swell(4.0, 0.2, 0.7, 2.0, 0.9)},
                strength=(0.6, 1.15),
            ),
        ),
        calm=0.8,
        **_TALKING,
    ),
    "shouting": Act(
        "calls across a distance, mouth wide, head back",
        1.7,
        voice=Voice(rate=3.4, opening=1.5, lips=1.35, phrase=3, pause=1.1, melody=0.4),
        gestures=(
            Gesture(
                {
                    "pitch": swell(-9.0, 0.0, 0.3, 0.9, 0.8),
                    "AU4": swell(0.6, 0.0, 0.3, 0.9, 0.7),
                    "AU7": swell(0.4, 0.0, 0.3, 0.9, 0.7),
                    "AU21": swell(0.8, 0.0, 0.3, 0.9, 0.7),
                    "jaw": swell(5.0, 0.0, 0.3, 0.9, 0.5),
                    "AU26": swell(0.5, 0.0, 0.3, 0.9, 0.5),
                    "AU25": swell(0.6, 0.0, 0.3, 0.9, 0.5),
                    "AU10": swell(0.3, 0.0, 0.3, 0.9, 0.5),
                }
            ),
        ),
        calm=0.7,
        mood={"AU4": 0.2},
        **_TALKING,
    ),
    "singing": Act(
        "sings long notes with an open throat, swaying",
        2.0,
        voice=Voice(rate=1.9, opening=1.5, lips=1.2, phrase=6, pause=0.7, melody=0.4),
        gestures=(
            Gesture(
                {
                    "roll": ((0.0, 0.0), (1.2, 8.0), (3.0, -8.0), (4.4, 0.0)),
                    "AU1": swell(0.7, 0.3, 1.0, 1.6, 1.2),
                    "AU45": swell(0.85, 0.8, 0.6, 1.6, 0.8),
                    "pitch": swell(-7.0, 0.4, 1.0, 1.5, 1.2),
                },
                unblinking=True,
            ),
            Gesture(
                {
                    "roll": ((0.0, 0.0), (1.2, -7.0), (2.6, 6.0), (4.0, 0.0)),
                    "AU2": swell(0.5, 0.2, 0.8, 1.5, 1.0),
                    "AU12": swell(0.4, 0.6, 0.8, 1.5, 1.0),
                }
            ),
        ),
        calm=0.4,
        **(_TALKING | {"nods": 0.0, "blink_rate": 12.0}),
    ),
    "emotion": Act(
        "one full emotion after another, passing into each other",
        5.0,
        "expression",
        yaw_deg=9.0,
        turn_dwell=3.5,
        nods=2.0,
        lively=1.2,
        fixation=1.3,
        contact=0.6,
        gap=0.8,
        emotional=0.85,
    ),
    "listening": Act(
        "listens, nods, and lets the face answer",
        4.0,
        "nod",
        yaw_deg=6.0,
        nods=14.0,
        fixation=1.6,
        contact=0.75,
        gap=2.0,
    ),
    "listening_agree": Act(
        "listens with back-channel: nods, mhm, ah, a warm smile",
        2.0,
        gestures=(_YES, _MHM, _AH, _YES),
        calm=0.7,
        mood={"AU12": 0.25, "AU6": 0.12, "AU1": 0.1, "AU2": 0.1},
        contact=0.92,
    ),
    "listening_critical": Act(
        "listens with narrowed eyes, pressed lips and slow shakes of the head",
        1.2,
        gestures=(
            Gesture(
                {
                    "yaw": pulses(2, 0.9, 8.0, -8.0),
                    "AU4": swell(0.5, 0.0, 0.5, 1.2, 0.9),
                    "AU15": swell(0.4, 0.1, 0.5, 1.2, 0.9),
                    "AU17": swell(0.4, 0.1, 0.5, 1.2, 0.9),
                },
                steady=True,
            ),
            Gesture(
                together(
                    {"AU24": (0.7, 0.0), "AU14_L": (0.5, 0.2), "roll": (7.0, 0.2), "AU2_R": (0.5, 0.3)}, 0.7, 1.4, 0.9
                ),
                steady=True,
            ),
        ),
        mood={"AU4": 0.3, "AU7": 0.35, "AU24": 0.2},
        contact=0.9,
    ),
    "idle": Act("does nothing: breathes, blinks, looks about a little", 3.0, "saccade", lively=0.8, fixation=1.8),
    "idle_smile": Act(
        "waits with a faint smile for the picture to be taken",
        1.5,
        "saccade",
        lively=0.7,
        contact=0.95,
        fixation=2.5,
        mood={"AU12": 0.32, "AU6": 0.16, "AU14": 0.08},
    ),
}
"""One entry a way of talking, listening or waiting."""
