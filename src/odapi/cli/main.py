"""The command `odapi`: one module per subcommand.

A module has one function with the name of its subcommand. Modules of this package
import no backend, NumPy or OpenCV at their top, so that `odapi --help` is fast.
"""

import errno
import os
import pathlib
import sys
import warnings
from typing import TextIO

import typer

from odapi import __version__
from odapi.cli import (
    benchmark,
    config,
    data,
    doctor,
    evaluate,
    export,
    predict,
    quickstart,
    runs,
    tools,
    train,
    tune,
    zoo,
)
from odapi.cli.app import App
from odapi.console import prepare_streams, write_line
from odapi.data.loader.malloc import keep_freed_memory
from odapi.errors import OdapiError

app = App(
    name="odapi",
    help="Train, evaluate and ship object detectors from a pipeline.config.",
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted by Ctrl-C. "
    "With --json, standard output has one JSON document and nothing else; "
    "errors are text on standard error.\n\n"
    "odapi --install-completion sets up completion for your shell.",
)
app.command("quickstart")(quickstart.quickstart)
app.command("train")(train.train)
app.command("tune")(tune.tune)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.command("benchmark")(benchmark.benchmark)
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")
app.add_typer(data.app, name="data")
app.add_typer(runs.app, name="runs")
app.add_typer(zoo.app, name="zoo")
app.add_typer(tools.app, name="tools")


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version."),
) -> None:
    if version:
        write_line(__version__)
        raise typer.Exit()


def main() -> None:
    """Runs the command; an error of the user is one message, not a traceback.

    Exits with 0 when done, 1 when something failed, 2 for wrong usage.
    """
    prepare_streams()
    warnings.showwarning = _show_warning
    keep_freed_memory()  # Before a backend starts its threads.
    try:
        app(prog_name="odapi")
    except OdapiError as error:
        _fail(error, str(error))
    except OSError as error:
        if error.filename is None and error.errno not in _FULL:
            raise
        # A path that the system refuses, such as an output below a file, or no space.
        place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        _fail(error, f"{place}{error.strerror}")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Prints a warning of odapi without the line of code; others as Python does."""
    if category is UserWarning and pathlib.Path(filename).is_relative_to(_PACKAGE):
        write_line(f"warning: {message}", stderr=True)
    else:
        _show_foreign(message, category, filename, lineno, file, line)


_PACKAGE = pathlib.Path(__file__).parents[1]
_show_foreign = warnings.showwarning


def _fail(error: Exception, text: str) -> None:
    write_line(f"{type(error).__name__}: {text}", stderr=True)
    sys.exit(1)


_FULL = (errno.ENOSPC, errno.EDQUOT)
