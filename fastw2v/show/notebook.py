"""Progress in a notebook: a bar and the live line, in one place of the cell that is rewritten.

By IPython, which is there already, rather than tqdm or rich, whose imports a run would wait for and which
need ipywidgets beside them to be more than text.
"""

from __future__ import annotations

import html
import re
import sys
from typing import Any, TextIO

from fastw2v.show.progress import Display

NOTEBOOK_SECONDS = 0.25  # each rewriting is a message to the browser
PERCENT = re.compile(r"(\d+\.\d)%")  # all lines of progress that know their end have it


def is_notebook() -> bool:
    """Whether this is a kernel of a notebook: Jupyter, Colab, VS Code and their like."""
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def display_of(stream: TextIO | None, *, quiet: bool) -> Display:
    """What shows progress here: in a notebook within the cell, else on the stream."""
    return NotebookDisplay(stream) if not quiet and is_notebook() else Display(stream, quiet=quiet)


def as_html(line: str) -> str:
    """A line, with a bar before it where it says a percentage."""
    found = PERCENT.search(line)
    bar = f'<progress max="100" value="{found[1]}"></progress> ' if found else ""
    return f"{bar}<code>{html.escape(line)}</code>"


class NotebookDisplay(Display):
    """A `Display` whose live line is an output of the cell; lines that stay go to the stream."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(stream)
        self.live, self.pause = True, NOTEBOOK_SECONDS
        self.handle: Any = None

    def show(self, line: str) -> None:
        """Rewrite the output; the first line makes it."""
        bundle = {"text/html": as_html(line) if line else "", "text/plain": line}
        if self.handle is None:
            from IPython.display import display

            self.handle = display(bundle, raw=True, display_id=True)
        else:
            self.handle.update(bundle, raw=True)
        self.width = len(line)

    def close(self) -> None:
        """Leave nothing of the live line; the next one has a place of its own."""
        if self.handle is not None:
            self.show("")
        self.handle = None
