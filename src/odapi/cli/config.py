"""`odapi config`: check, show and compare pipeline configs."""

from typing import Annotated

import typer

from odapi.cli.options import Set

app = typer.Typer(
    help="Check, show and compare pipeline configs.", no_args_is_help=True
)

Config = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG", help="A pipeline.config, or a folder that has one."
    ),
]


@app.command()
def check(
    config: Config,
    overrides: Set = None,
    evaluation: Annotated[
        bool,
        typer.Option("--for-eval", help="Leave out what only training needs."),
    ] = False,
    paths: Annotated[
        bool, typer.Option(help="Look whether paths exist and label maps fit.")
    ] = True,
) -> None:
    """Check a config: errors, and what would have no effect.

    Exit code 1 if there is an error.
    """
    from odapi.config import check as checks
    from odapi.config.load import load_config

    loaded = load_config(config, overrides or ())
    found = checks.find(loaded, for_training=not evaluation, for_data=paths)
    errors = sum(finding.is_error for finding in found)
    _print_findings(found)
    warnings = len(found) - errors
    typer.echo(
        f"{config}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"
        + ("" if errors else "; it can be used")
    )
    if errors:
        raise typer.Exit(1)


@app.command()
def show(
    config: Config,
    overrides: Set = None,
    defaults: Annotated[
        bool, typer.Option(help="Show the defaults of every block as well.")
    ] = False,
) -> None:
    """Print a config as canonical text, with overrides applied."""
    from odapi.config import diff, parse
    from odapi.config.load import load_config

    loaded = load_config(config, overrides or ())
    text = diff.with_defaults(loaded) if defaults else parse.to_text(loaded)
    typer.echo(text, nl=False)


@app.command("diff")
def compare(
    left: Annotated[str, typer.Argument(metavar="A", help="A config.")],
    right: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    overrides: Set = None,
) -> None:
    """List the fields in which two configs differ.

    Order, format, comments and defaults that are written out do not count.
    Overrides apply to B. Exit code 1 if they differ.
    """
    from odapi.config.diff import diff
    from odapi.config.load import load_config

    found = diff(load_config(left), load_config(right, overrides or ()))
    if not found:
        typer.echo("no difference")
        return
    table = _table("field", left, right)
    for row in found:
        table.add_row(_plain(row.path), _plain(row.left), _plain(row.right))
    _print(table)
    raise typer.Exit(1)


def _print_findings(found) -> None:
    if not found:
        return
    table = _table("", "field, problem and next step")
    for finding in found:
        kind = "[red]error[/]" if finding.is_error else "[yellow]warning[/]"
        cell = f"[bold]{_plain(finding.path)}[/]\n{_plain(finding.problem)}"
        table.add_row(
            kind, cell + (f"\n{_plain(finding.hint)}" if finding.hint else "")
        )
    _print(table)


def _table(*columns: str):
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print(table) -> None:
    from odapi.progress import console

    console(stderr=False, soft_wrap=False, log_width=160).print(table)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
