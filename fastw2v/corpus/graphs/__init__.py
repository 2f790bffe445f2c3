"""Graphs read: edges of every kind to compressed rows."""
