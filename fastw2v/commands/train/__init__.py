"""`fastw2v train`."""
