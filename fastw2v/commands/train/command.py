"""`fastw2v train`: read, train, write."""

from __future__ import annotations

from typing import Any

import click

from fastw2v.commands.declared import FORM, OUTPUT, READING, RUNNING, START, TRAINING
from fastw2v.commands.effects import require_one_voice
from fastw2v.commands.options import declared
from fastw2v.commands.train.sections import Sectioned
from fastw2v.commands.train.settings import settings_options


@click.command(cls=Sectioned, short_help="Train vectors on a corpus.")
@click.argument("source", nargs=-1)
@declared(*OUTPUT)
@declared(*READING)
@declared(*FORM)
@declared(*TRAINING)
@declared(*START)
@settings_options
@declared(*RUNNING)
def train(**options: Any) -> None:
    """Train vectors on SOURCE: files of Parquet or text, folders of them, glob patterns, or - for a pipe.

    \b
    Examples:
      fastw2v train corpus.parquet --dim 300 -k 10
      fastw2v train shards/ --column tokens --min-count 1 -o items.vectors.bin
      fastw2v train 'logs-*.parquet' --window 10 --sample 1e-5 --threads 8
      fastw2v train novels/ --tokenize simple --lines paragraphs
      zcat wiki.txt.gz | fastw2v train - -o - > wiki.vectors.txt
      fastw2v train large.parquet --memory-limit 2GB --cache-dir cache
      fastw2v train genes.fasta --kmers 6 --reverse-complement
      fastw2v train baskets.parquet --preset items
      fastw2v train corpus.parquet --phrases 2 --connector-words english
      fastw2v train --graph edges.parquet --walks 10 --p 0.5 --q 2
      tail -F log.txt | fastw2v train - --endless -o log.vectors.txt
      fastw2v train --config corpus.vectors.config.toml
      fastw2v train corpus.parquet --checkpoint kept --checkpoint-every 10m
      fastw2v train --resume kept

    Options can also come from the environment, as FASTW2V_TRAIN_DIM=300 for --dim 300.
    """
    require_one_voice(options["verbose"], options["quiet"])
    if options["endless"]:
        from fastw2v.commands.train.endless import follow

        follow(options)
        return
    from fastw2v.commands.train.job import opened

    with opened(options) as job:
        corpus = job.read()
        if options["dry_run"]:
            job.estimate(corpus)
            return
        trained = job.train(corpus)
        job.write(trained)
