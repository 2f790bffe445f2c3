"""Measurements: `python -m bench --help`. Correctness is asserted before anything is timed."""
