"""A map as one HTML page that needs nothing else: hover, search, zoom; the script is in page.html."""

from __future__ import annotations

import html
import json
from pathlib import Path

from fastw2v.show.maps.projection import WordMap
from fastw2v.show.pages import write_filled

TEMPLATE = Path(__file__).with_name("page.html")


def write_page(path: Path, word_map: WordMap, title: str, caption: str) -> None:
    """Write the page, complete or not at all. Raises OutputError if it cannot be written."""
    values = {"title": html.escape(title), "caption": html.escape(caption), "data": _data(word_map)}
    write_filled(path, TEMPLATE, values)


def _data(word_map: WordMap) -> str:
    """The words and places as JSON; no word can end the script that holds it, for want of a `<`."""
    columns = [word_map.neighbours, word_map.cosines, *(word_map.sureness or ())]
    near = [
        [[place, *(round(number, 3) for number in numbers)] for place, *numbers in zip(*rows, strict=True)]
        for rows in zip(*(column.tolist() for column in columns), strict=True)
    ]
    x, y = word_map.places.round(4).T.tolist()
    data = {"words": word_map.words, "x": x, "y": y, "counts": word_map.counts, "near": near}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
