"""Bytes to words to numbers."""
