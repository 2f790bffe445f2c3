"""`python -m fastw2v`: the same as the `fastw2v` command."""

from fastw2v.cli import run

run()
