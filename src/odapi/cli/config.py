"""`odapi config`: check, show and compare pipeline configs."""

from typing import Annotated

import typer

from odapi.cli.options import Json, Set
from odapi.cli.output import plain, print_json, print_table, table
from odapi.wording import counted

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
        bool, typer.Option(help="Check that paths exist and label maps fit.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Check a config: errors, and fields without effect.

    Exit code 1 if there is an error.
    """
    from odapi.config import check as checks
    from odapi.config import parse
    from odapi.config.load import config_file, load_config

    loaded = load_config(config, overrides or ())
    found = checks.find(loaded, for_training=not evaluation, for_data=paths)
    file = config_file(config)
    found = checks.with_lines(found, parse.read_text(file), overrides or ())
    errors = sum(finding.is_error for finding in found)
    if as_json:
        import dataclasses

        print_json([dataclasses.asdict(finding) for finding in found])
    else:
        _print_findings(found, str(file))
        warnings = len(found) - errors
        typer.echo(
            f"{config}: {counted(errors, 'error')}, {counted(warnings, 'warning')}"
            + ("" if errors else "; the config can be used")
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
    as_json: Json = False,
) -> None:
    """List the fields in which two configs differ.

    Order, format, comments and explicit defaults do not count. Overrides apply to B.
    Exit code 1 if the configs differ.
    """
    from odapi.config.diff import diff
    from odapi.config.load import load_config

    found = diff(load_config(left), load_config(right, overrides or ()))
    if as_json:
        import dataclasses

        print_json([dataclasses.asdict(row) for row in found])
    elif not found:
        typer.echo("no difference")
    else:
        shown = table("field", left, right)
        for row in found:
            shown.add_row(plain(row.path), plain(row.left), plain(row.right))
        print_table(shown)
    if found:
        raise typer.Exit(1)


def _print_findings(found, file: str) -> None:
    if not found:
        return
    shown = table("", "field, problem and next step")
    for finding in found:
        kind = "[red]error[/]" if finding.is_error else "[yellow]warning[/]"
        place = f"{plain(file)}:{finding.line}\n" if finding.line else ""
        cell = f"{place}[bold]{plain(finding.path)}[/]\n{plain(finding.problem)}"
        shown.add_row(kind, cell + (f"\n{plain(finding.hint)}" if finding.hint else ""))
    print_table(shown)
