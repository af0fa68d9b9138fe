"""Speech-like motion of jaw and lips: phrases of syllables, each a consonant's closure and a vowel's opening."""

from __future__ import annotations

import dataclasses

import numpy as np

from synth.motion.curves import Steps, events, log_normal

CHANNELS = ("jaw", "AU25", "AU26", "AU12", "AU20", "AU18", "AU22", "AU24", "AU10", "AU17", "AU8")
"""What a viseme sets: jaw opening in radians, then action units in [0, 1]."""

@dataclasses.dataclass(frozen=True)
class Voice:
    """How someone talks."""

    rate: float = 4.6
    """Syllables a second; speakers of all languages lie between 3 and 6 or so."""
    opening: float = 1.0
    """How wide the jaw opens, relative to conversation."""
    lips: float = 1.0
    """How far the lips move, relative to conversation."""
    phrase: float = 8.0
    """Mean syllables between pauses."""
    pause: float = 0.6
    """Mean seconds of a pause."""
    melody: float = 0.3
    """Spread (of the logarithm) of the syllables' strength: 0 is monotonous."""
    asks: float = 0.0
    """Share of the phrases that end as a question: brows rise over the last syllables (Ekman 1979)."""


JAW_SPEED = np.radians(130.0)
"""Largest speed of the opening jaw, radians a second: about 0.2 m/s at the incisors."""
BILABIAL_PRESS = 0.25
"""AU24 of lips that meet for p, b or m."""

# Jaw in degrees here. Peak jaw rotation in conversation is below 10 degrees, and rounding goes with little opening.
_VOWELS = {
    "a": (0.18, {"jaw": 8.0, "AU25": 0.65, "AU26": 0.5}),
    "e": (0.22, {"jaw": 5.0, "AU25": 0.5, "AU26": 0.25, "AU12": 0.1, "AU20": 0.25}),
    "i": (0.18, {"jaw": 2.5, "AU25": 0.4, "AU12": 0.2, "AU20": 0.4}),
    "o": (0.12, {"jaw": 5.0, "AU25": 0.45, "AU26": 0.3, "AU18": 0.35, "AU22": 0.25}),
    "u": (0.10, {"jaw": 2.5, "AU25": 0.3, "AU18": 0.6, "AU22": 0.35}),
    "schwa": (0.20, {"jaw": 3.0, "AU25": 0.4, "AU26": 0.15}),
}
_CONSONANTS = {
    "bilabial": (0.18, {"jaw": 0.8, "AU24": BILABIAL_PRESS, "AU8": 0.5}),
    "labiodental": (0.10, {"jaw": 1.0, "AU25": 0.12, "AU10": 0.15, "AU17": 0.15}),
    "alveolar": (0.40, {"jaw": 1.5, "AU25": 0.3, "AU20": 0.08}),
    "sibilant": (0.17, {"jaw": 0.7, "AU25": 0.35, "AU20": 0.12, "AU22": 0.2}),
    "velar": (0.15, {"jaw": 2.8, "AU25": 0.35, "AU26": 0.1}),
}
"""Share of the phonemes of running English, roughly, and the mouth shape."""


def _table(shapes: dict[str, tuple[float, dict[str, float]]]) -> tuple[np.ndarray, np.ndarray]:
    share = np.array([share for share, _ in shapes.values()])
    shape = np.array([[values.get(name, 0.0) for name in CHANNELS] for _, values in shapes.values()])
    shape[:, 0] = np.radians(shape[:, 0])
    return share / share.sum(), shape


_VOWEL_TABLE, _CONSONANT_TABLE = _table(_VOWELS), _table(_CONSONANTS)


@dataclasses.dataclass(frozen=True)
class Speech:
    """The mouth over time while someone talks."""

    mouth: Steps
    """Over :data:`CHANNELS`: jaw in radians, units in [0, 1]."""
    syllables: np.ndarray
    """(K,) seconds: the middle of each vowel."""
    beats: np.ndarray
    """(B,) seconds: stressed syllables."""
    questions: np.ndarray
    """(Q,) seconds: the last syllables of questions."""


@dataclasses.dataclass(frozen=True)
class _Phrase:
    """Keys from rest to rest; all times are seconds since the phrase began."""

    times: np.ndarray
    """(K,) when each shape is passed."""
    shapes: np.ndarray
    """(K, len(CHANNELS)) mouth shapes."""
    vowels: np.ndarray
    """(S,) the syllables' middles."""
    beats: np.ndarray
    """(B,) those of the stressed ones."""
    asks: bool
    """Whether it is a question."""


def sample_speech(rng: np.random.Generator, start: float, end: float, voice: Voice) -> Speech:
    """Speech between two times (seconds): phrases of syllables, parted by pauses."""
    # Speakers differ in rate (the envelope of all languages) and in how far they open.
    rate = float(np.clip(rng.normal(voice.rate, 0.15 * voice.rate), 0.7 * voice.rate, 1.3 * voice.rate))
    opening = voice.opening * float(np.clip(np.exp(rng.normal(0, 0.25)), 0.6, 1.5))

    def draw(rng: np.random.Generator) -> tuple[float, _Phrase]:
        phrase = _sample_phrase(rng, rate, opening, voice)
        return phrase.times[-1] + log_normal(rng, voice.pause, 0.6, at_least=0.25), phrase

    times, shapes, vowels, beats, questions = [], [], [], [], [np.zeros(0)]
    for begin, phrase in events(rng, start - rng.random() * 2, end, draw):
        times.append(begin + phrase.times)
        shapes.append(phrase.shapes)
        vowels.append(begin + phrase.vowels)
        beats.append(begin + phrase.beats)
        questions.append(begin + phrase.vowels[-1:] if phrase.asks else np.zeros(0))
    key_times, key_shapes = np.concatenate(times), np.concatenate(shapes)
    # Move during the whole span between two keys (each shape is only passed, never held): coarticulation.
    spans = np.diff(key_times, append=key_times[-1] + 0.2)
    mouth = Steps(key_times, np.maximum(spans, 0.03), np.roll(key_shapes, -1, axis=0))
    return Speech(mouth, *(np.concatenate(part) for part in (vowels, beats, questions)))


def _sample_phrase(rng: np.random.Generator, rate: float, opening: float, voice: Voice) -> _Phrase:
    """One phrase at ``rate`` syllables a second, its vowels as wide as ``opening`` times the usual."""
    count = int(np.clip(rng.poisson(voice.phrase), min(2, voice.phrase), 2.25 * voice.phrase))
    # Later syllables are weaker and, at the end, longer (declination and phrase-final lengthening).
    spans = np.exp(rng.normal(0, 0.18, count)) / rate
    spans[-1] *= 1.4
    fall = np.linspace(1.1, 0.8, count)
    stress = np.clip(np.exp(rng.normal(0, voice.melody, count)) * fall, 0.4, 1.8)
    consonants = _CONSONANT_TABLE[1][rng.choice(len(_CONSONANTS), count, p=_CONSONANT_TABLE[0])]
    vowels = _VOWEL_TABLE[1][rng.choice(len(_VOWELS), count, p=_VOWEL_TABLE[0])] * stress[:, None]
    vowels[:, :3] *= opening
    # Who talks fast opens less: the jaw has half a syllable to get there.
    reach = np.minimum(1.0, (consonants[:, 0] + JAW_SPEED / 1.875 * spans / 2) / vowels[:, 0])
    vowels[:, :3] *= reach[:, None]
    onset = 0.15 + np.concatenate([[0.0], np.cumsum(spans)[:-1]])
    nucleus = onset + 0.5 * spans
    finish = onset[-1] + spans[-1]
    rest = np.zeros((1, len(CHANNELS)))
    times = np.concatenate([[0.0], np.stack([onset, nucleus], axis=1).ravel(), [finish + 0.2]])
    shapes = np.concatenate([rest, np.stack([consonants, vowels], axis=1).reshape(-1, len(CHANNELS)), rest])
    shapes[:, 1:] = np.clip(voice.lips * shapes[:, 1:], 0, 1)
    shapes[:, 0] = np.minimum(shapes[:, 0], np.radians(16))
    return _Phrase(times, shapes, nucleus, nucleus[stress > 1.2], bool(rng.random() < voice.asks))
