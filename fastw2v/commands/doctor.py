"""`fastw2v doctor`: what this machine is to the kernels, and what would make it faster."""

from __future__ import annotations

import click

from fastw2v.commands.options import waiting


@click.command(short_help="Say what decides the speed on this machine.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def doctor(as_json: bool) -> None:
    """Say what decides the speed here: versions, processor, vector width, threads, cache, memory.

    \b
    Examples:
      fastw2v doctor
      fastw2v doctor --json
    """
    from dataclasses import asdict

    from fastw2v.show.doctor import advice, describe, examine

    with waiting("measuring this machine"):
        findings = examine()
    faster = advice(findings)
    if as_json:
        import json

        content = asdict(findings) | {"compiler": findings.compiler._asdict(), "faster": faster}
        click.echo(json.dumps(content, indent=2))
        return
    for name, text in describe(findings):
        click.echo(f"{name:<14}{text}")
    for line in faster or ["nothing that this command knows of"]:
        click.echo(f"{'faster':<14}{line}")
