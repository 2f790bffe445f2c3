"""Data-parallel training: a replica of the vectors in each process, combined every so many words."""
