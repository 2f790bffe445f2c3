"""Pairs of a centre word and an outside word read: of two vocabularies, numbered, with their weights."""
