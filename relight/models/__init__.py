"""Backbones: pretrained video diffusion models, and a small one of our own, behind one interface."""
