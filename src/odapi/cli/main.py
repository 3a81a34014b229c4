"""The command `odapi`: one verb a file, imported only when it is called.

A verb's module has one function of the verb's name, with typer options. Nothing
here or at the top of a verb's module may import a backend, NumPy or OpenCV:
`odapi --help` answers at once.
"""

import sys

import typer

from odapi import __version__
from odapi.cli import (
    config,
    data,
    evaluate,
    export,
    predict,
    quickstart,
    tools,
    train,
    zoo,
)
from odapi.data.loader.malloc import keep_freed_memory
from odapi.errors import OdapiError

app = typer.Typer(
    name="odapi",
    help="Train, evaluate and ship object detectors from a pipeline.config.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("quickstart")(quickstart.quickstart)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.add_typer(config.app, name="config")
app.add_typer(data.app, name="data")
app.add_typer(zoo.app, name="zoo")
app.add_typer(tools.app, name="tools")


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit()


def main() -> None:
    """Runs the command; a mistake of the user is one message, not a traceback."""
    keep_freed_memory()  # Before a backend starts its threads.
    try:
        app()
    except OdapiError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
