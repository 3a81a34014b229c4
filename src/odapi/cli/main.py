"""The command `odapi`: one module per subcommand.

A module has one function with the name of its subcommand. Modules of this package
import no backend, NumPy or OpenCV at their top, so that `odapi --help` is fast.
"""

import errno
import os
import sys

import typer

from odapi import __version__
from odapi.cli import (
    config,
    data,
    doctor,
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
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage. "
    "odapi --install-completion sets up completion for your shell.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("quickstart")(quickstart.quickstart)
app.command("train")(train.train)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.command("doctor")(doctor.doctor)
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
    """Runs the command; an error of the user is one message, not a traceback.

    Exits with 0 when done, 1 when something failed, 2 for wrong usage.
    """
    keep_freed_memory()  # Before a backend starts its threads.
    try:
        app()
    except OdapiError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.filename is None and error.errno not in _FULL:
            raise
        # A path that the system refuses, such as an output below a file, or no space.
        place = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        print(f"{type(error).__name__}: {place}{error.strerror}", file=sys.stderr)
        sys.exit(1)


_FULL = (errno.ENOSPC, errno.EDQUOT)
