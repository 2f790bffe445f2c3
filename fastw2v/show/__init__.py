"""What users look at: progress, logs, reports, maps."""
