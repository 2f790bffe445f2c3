"""Trained vectors: asked, evaluated, written and read."""
