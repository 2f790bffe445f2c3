"""A run from options to vectors, in one process or in several, for the library and for the command."""
