"""HTML pages that need nothing else, made of a template with places called @name@."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fastw2v.system.files import atomic_writer


def write_filled(path: Path, template: Path, values: Mapping[str, str]) -> None:
    """Write the template with values, which are HTML, in their places; complete or not at all.

    Raises OutputError if the page cannot be written.
    """
    text = template.read_text(encoding="utf-8")
    page = re.sub(f"@({'|'.join(values)})@", lambda match: values[match[1]], text)
    with atomic_writer(path) as file:
        file.write(page.encode(errors="replace"))
