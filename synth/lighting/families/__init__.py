"""Procedural lighting families, one file each; :mod:`synth.lighting.procedural` lists them."""
