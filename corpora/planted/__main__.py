"""`python -m corpora.planted`."""

from __future__ import annotations

from corpora.planted.command import main

if __name__ == "__main__":
    main()
