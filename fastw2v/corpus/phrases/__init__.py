"""Pairs of words that belong together, found by their counts and joined into one token."""
