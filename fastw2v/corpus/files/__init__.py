"""Where the files of a corpus are."""
