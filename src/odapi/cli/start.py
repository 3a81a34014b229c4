"""Entry point of the command `odapi`: catches signals before anything is imported."""

import sys

from odapi.runtime.interrupts import ExitWatch, Interrupts, last_signal


def main() -> None:
    """Runs the command; after Ctrl-C or SIGTERM it ends within seconds.

    Exits with 128 plus the number of the signal: 130 for Ctrl-C, 143 for SIGTERM.
    A training that has saved its last step exits with 0.
    """
    with Interrupts(), ExitWatch():
        try:
            from odapi.cli.main import main as run

            run()
        except SystemExit as error:
            # Typer makes 130 of every KeyboardInterrupt.
            if last_signal() is None or error.code != 130:
                raise
        except BaseException:
            # An interrupted import may end with another error.
            if last_signal() is None:
                raise
        else:
            return
    print("Interrupted.", file=sys.stderr)
    sys.exit(128 + (last_signal() or 0))
