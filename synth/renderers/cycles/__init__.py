"""Blender Cycles as a renderer backend."""

MAX_BOUNCES = 4
"""After the first hit: what more would bring is below .01 % of a head's radiance (docs/notes.md)."""
STRAND_BOUNCES = 12
"""The same with strands: fair hair passes light on from one to the next (docs/mitsuba.md)."""
