"""Maps of words in the plane."""
