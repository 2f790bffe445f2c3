"""`--help` of `fastw2v train`: its options in sections, those that matter first."""

from __future__ import annotations

import click

from fastw2v.commands.declared import SECTIONS
from fastw2v.commands.options import DeclaredOption


class Sectioned(click.Command):
    """A command whose help has a heading for each section of declared options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section; --help and what is not declared stand in the last."""
        rows: dict[str, list[tuple[str, str]]] = {section: [] for section in SECTIONS}
        for parameter in self.get_params(ctx):
            # Arguments, of which click 8.2 and later have records too, are in the line of usage.
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                option = parameter.declared if isinstance(parameter, DeclaredOption) else None
                rows[option.section if option else SECTIONS[-1]].append(record)
        for section, records in rows.items():
            if records:
                with formatter.section(section):
                    formatter.write_dl(records)
