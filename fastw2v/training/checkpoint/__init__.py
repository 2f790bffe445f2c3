"""Checkpoints: a run between two calls of the backend, on disk, complete or not there at all."""
