"""Maps of words: vectors laid out in the plane, as a page to explore or as a picture."""
