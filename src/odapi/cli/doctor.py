"""`odapi doctor`."""

import typer

from odapi.cli.options import Json


def doctor(as_json: Json = False) -> None:
    """Report versions, backends and devices, and how to install what is missing.

    Exit code 1 if something that odapi requires is missing or broken.
    """
    from odapi.runtime.environment import environment, is_usable

    components = environment()
    if as_json:
        import dataclasses

        from odapi.cli.output import print_json

        print_json([dataclasses.asdict(c) for c in components])
    else:
        _show(components)
    if not is_usable(components):
        raise typer.Exit(1)


def _show(components) -> None:
    from rich.text import Text

    from odapi.cli.output import next_step, print_table, table

    shown = table("component", "status", "version", "")
    colors = {"ok": "green", "not installed": "dim"}
    for c in components:
        note = f"{c.note}: {c.install}" if c.install else c.note
        color = colors.get(c.status, "red")
        shown.add_row(c.name, Text(c.status, style=color), c.version, note)
    print_table(shown)
    from odapi.runtime.environment import is_usable

    if is_usable(components):
        next_step("odapi quickstart")
