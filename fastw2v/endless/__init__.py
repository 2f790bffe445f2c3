"""Training on a stream without end from Python, and what the command shares with it."""
