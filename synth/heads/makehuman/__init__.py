"""MakeHuman: CC0 heads from its base mesh, targets, rig and clothes."""
