"""Every performance by name."""

from __future__ import annotations

from synth.motion.act import Act
from synth.motion.acts_brow import BROWS
from synth.motion.acts_distress import DISTRESS
from synth.motion.acts_feeling import FEELINGS
from synth.motion.acts_head import HEADS
from synth.motion.acts_mouth import MOUTHS
from synth.motion.acts_talk import TALKS

PERFORMANCES: dict[str, Act] = {**TALKS, **FEELINGS, **DISTRESS, **MOUTHS, **BROWS, **HEADS}
"""What :func:`synth.motion.generate.sample_performance` draws from, by name; each has a ``description``."""
