"""`odapi config`: check, show, compare and change pipeline configs."""

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from odapi.cli.app import App
from odapi.cli.options import Json, Set
from odapi.cli.output import next_step, print_json, print_table, quoted, table
from odapi.console import console, write_line
from odapi.wording import counted

if TYPE_CHECKING:
    from odapi.config.findings import Finding

app = App(help="Check, show, compare and change pipeline configs.")

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
        write_line(
            f"{config}: {counted(errors, 'error')}, {counted(warnings, 'warning')}"
            + ("" if errors else "; the config can be used")
        )
        if not errors:
            next_step(f"odapi train {quoted(config)} --model-dir DIR")
    if errors:
        raise typer.Exit(1)


@app.command()
def show(
    config: Config,
    overrides: Set = None,
    defaults: Annotated[
        bool, typer.Option(help="Show the defaults of every block as well.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print a config as canonical text, with overrides applied.

    With --json, as nested objects with the names of the fields.
    """
    from odapi.config import diff, parse
    from odapi.config.load import load_config

    loaded = load_config(config, overrides or ())
    text = diff.with_defaults(loaded) if defaults else parse.to_text(loaded)
    if as_json:
        from google.protobuf.json_format import MessageToDict

        shown = load_config(text) if defaults else loaded
        print_json(MessageToDict(shown, preserving_proto_field_name=True))
        return
    write_line(text.removesuffix("\n"))
    next_step(f"odapi config check {quoted(config)}")


@app.command()
def merge(
    config: Config,
    patch: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="OVERRIDES",
            help="File with one PATH=VALUE per line, as for --set; # begins a comment.",
        ),
    ],
    output: Annotated[
        pathlib.Path | None,
        typer.Option(metavar="FILE", help="New config file. Default: print it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Apply the overrides of a file, such as that of `odapi data anchors`, to a config.

    The result is canonical text, without comments.
    """
    from odapi.config import parse
    from odapi.config.load import save_config
    from odapi.config.merge import merge as run
    from odapi.outputs.file import check_new_file

    if output is not None:
        check_new_file(output)
    merged = run(config, patch)
    if output is not None:
        save_config(merged, output)
    if as_json:
        from google.protobuf.json_format import MessageToDict

        print_json(MessageToDict(merged, preserving_proto_field_name=True))
        return
    if output is None:
        write_line(parse.to_text(merged).removesuffix("\n"))
        return
    write_line(f"Wrote {output}")
    next_step(
        f"odapi config diff {quoted(config)} {quoted(output)}",
        f"odapi config check {quoted(output)}",
    )


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
        write_line("no difference")
    else:
        shown = table("field", left, right)
        for row in found:
            shown.add_row(row.path, row.left, row.right)
        print_table(shown)
        next_step(f"odapi config check {quoted(right)}")
    if found:
        raise typer.Exit(1)


def _print_findings(found: "list[Finding]", file: str) -> None:
    """Prints one line per finding, and the next step below it."""
    from rich.text import Text

    output = console(stderr=False)
    for finding in found:
        place = f"{file}:{finding.line}" if finding.line else file
        style, kind = ("red", "error") if finding.is_error else ("yellow", "warning")
        line = Text.assemble(f"{place}: ", (kind, style), ": ", (finding.path, "bold"))
        output.print(line.append(f": {finding.problem}"))
        if finding.hint:
            output.print(f"  hint: {finding.hint}")
