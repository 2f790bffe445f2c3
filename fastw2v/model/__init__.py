"""What a run is: arrays, plans, streams and tables; imports NumPy and errors only."""
