"""What Arrow data looks like."""
