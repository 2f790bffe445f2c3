"""Trained vectors: asked, evaluated, written and read."""

from fastw2v.vectors.methods import attach

attach()
