"""Pages of HTML, looked into by tests."""

from __future__ import annotations

import html.parser


class Elements(html.parser.HTMLParser):
    """The elements of a page, in order, and their attributes; what becomes of texts is up to a subclass."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes
