"""Lines that a training prints for the user.

They may go to a file on a full disk, which must not end the training.
"""

import contextlib
import pathlib
from collections.abc import Sequence
from typing import Any

from odapi.console import console


def print_lines(*lines: str) -> None:
    """Prints lines on standard error."""
    shown = console()
    with contextlib.suppress(OSError):
        for line in lines:
            shown.print(line)


def print_kept(files: Sequence[pathlib.Path]) -> None:
    """Prints which files of the user were kept in the folder of a run."""
    for file in files:
        print_lines(
            f"Kept {file}, which odapi did not write; that of this run is beside its "
            "checkpoints"
        )


def print_problems(dataset_name: str, pipeline: Any) -> None:
    """Prints the table of problems in a dataset, if there were any."""
    problems = getattr(pipeline, "problems", None)
    if problems:
        table = problems.table(f"Problems in the {dataset_name}")
        with contextlib.suppress(OSError):
            console().print(table)
