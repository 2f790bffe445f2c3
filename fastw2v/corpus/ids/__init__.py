"""The encoded corpus: in memory, in files, in the cache."""
