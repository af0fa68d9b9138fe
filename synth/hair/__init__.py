"""Strands: scalp hair, brows, lashes and beards, grown on any family's head."""
