"""Objectives and samplers: EDM and flow matching, as each prior was trained."""
