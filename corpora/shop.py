"""`python -m corpora.shop`: what customers of an invented shop put into their baskets, one event a row.

A session has one category at a time, Zipf-distributed, and Zipf-distributed items in it. The next item is a
complement of the last one (three fixed ones each, of any category; 25 %), one of the same category (55 %), or
of another one, which the session then has (20 %). Sessions overlap in time, so that their rows are mixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from corpora import SETTINGS, Script, make_folder
from corpora.planted.draws import draw, zipf_frequencies
from fastw2v.system.files import atomic_writer

N_COMPLEMENTS = 3
COMPLEMENT, SAME = 0.25, 0.55
LENGTHS = (3, 15)  # of sessions, uniform
OVERLAP = 50  # sessions that are under way at once
ADJECTIVES = ("red", "blue", "small", "large", "old", "new", "soft", "round")
THINGS = ("lamp", "chair", "cup", "book", "shirt", "knife", "bag", "clock", "plant", "brush")

Integers = NDArray[np.int64]


class Shop(NamedTuple):
    """What there is to buy.

    category     int64 (n_items,)
    items        of each category, the most bought first
    complements  int64 (n_items, N_COMPLEMENTS)
    """

    category: Integers
    items: list[Integers]
    complements: Integers


def shop_of(n_items: int, n_categories: int, rng: np.random.Generator) -> Shop:
    """Items in categories, every one of which has some."""
    category = rng.integers(0, n_categories, n_items)
    category[rng.permutation(n_items)[:n_categories]] = np.arange(n_categories)
    items = [rng.permutation(np.flatnonzero(category == c)) for c in range(n_categories)]
    return Shop(category, items, rng.integers(0, n_items, (n_items, N_COMPLEMENTS)))


def sessions(shop: Shop, n: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """The items of n sessions, in order."""
    of_categories = np.cumsum(zipf_frequencies(len(shop.items)))
    of_items = [np.cumsum(zipf_frequencies(len(items))) for items in shop.items]

    def any_of(category: int) -> int:
        return int(shop.items[category][draw(of_items[category], 1, rng)[0]])

    for length in rng.integers(LENGTHS[0], LENGTHS[1] + 1, n).tolist():
        category = int(draw(of_categories, 1, rng)[0])
        basket = [any_of(category)]
        for choice in rng.random(length - 1).tolist():
            if choice < COMPLEMENT:
                basket.append(int(shop.complements[basket[-1], rng.integers(N_COMPLEMENTS)]))
                continue
            if choice >= COMPLEMENT + SAME:
                category = int(draw(of_categories, 1, rng)[0])
            basket.append(any_of(category))
        yield basket


def events_of(baskets: list[list[int]], rng: np.random.Generator) -> pa.Table:
    """A row for each item, in the order of time: session int64, time in seconds, item string."""
    lengths = np.array([len(basket) for basket in baskets])
    session = np.repeat(np.arange(len(baskets)), lengths)
    starts = np.repeat(np.cumsum(rng.integers(1, 600 // OVERLAP, len(baskets))), lengths)
    steps = rng.integers(1, 60, len(session))
    before = np.cumsum(steps)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    time = starts + before - before[first]
    items = np.array([f"item_{item:05d}" for basket in baskets for item in basket])
    order = np.argsort(time, kind="stable")
    return pa.table({"session": session[order], "time": time[order], "item": items[order]})


def products_of(shop: Shop) -> pa.Table:
    """A row for each item: item, title, category."""
    numbers = range(len(shop.category))
    titles = [f"{ADJECTIVES[n % 8]} {THINGS[c % 10]} {n}" for n, c in enumerate(shop.category.tolist())]
    names = {"item": [f"item_{n:05d}" for n in numbers], "title": titles}
    return pa.table(names | {"category": [f"category_{c:02d}" for c in shop.category.tolist()]})


@click.command(cls=Script, context_settings=SETTINGS)
@click.option("--items", "n_items", type=click.IntRange(50, 99_999), default=2_500, help="Distinct items.")
@click.option("--categories", type=click.IntRange(1, 50), default=50, help="Categories of items.")
@click.option("--sessions", "n_sessions", type=click.IntRange(1), default=60_000, help="Sessions.")
@click.option("--seed", type=click.IntRange(0), default=1, help="Of all draws.")
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("shop"), help="Folder."
)
def main(n_items: int, categories: int, n_sessions: int, seed: int, output: Path) -> None:
    """Make events.parquet of a shop (session, time, item), and products.parquet (item, title, category).

    \b
    Examples:
      python -m corpora.shop -o shop
    """
    rng = np.random.default_rng(seed)
    shop = shop_of(n_items, categories, rng)
    make_folder(output)
    events = events_of(list(sessions(shop, n_sessions, rng)), rng)
    for name, table in (("events", events), ("products", products_of(shop))):
        with atomic_writer(output / f"{name}.parquet") as file:
            pq.write_table(table, file, compression="zstd", write_page_checksum=True)
    click.echo(f"{output}: {events.num_rows:,} events of {n_items:,} items in {n_sessions:,} sessions")


if __name__ == "__main__":
    main()
