"""Footage: the pictures that people have, and the ones they get back. No torch."""
