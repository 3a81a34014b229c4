"""Output of the subcommands: tables for people, one JSON document for programs.

Exit codes of every subcommand: 0 done, 1 failed, 2 wrong usage. With `--json`, standard
output has one JSON document and nothing else; progress, warnings and errors are text on
standard error, and a command that fails prints no document unless it has a result.
"""

import sys
from typing import TYPE_CHECKING, Any

from odapi.console import console, write_line

if TYPE_CHECKING:
    from rich.table import Table


def print_json(content: Any) -> None:
    """Prints one JSON document to standard output."""
    import json

    encoding = (sys.stdout.encoding or "").lower()
    is_ascii = not encoding.startswith("utf")
    write_line(json.dumps(content, indent=2, ensure_ascii=is_ascii, default=str))


def next_step(*commands: str) -> None:
    """Prints the commands that may follow, on standard error."""
    for number, command in enumerate(commands):
        write_line(("      " if number else "Next: ") + command, stderr=True)


def quoted(text: object) -> str:
    """Returns a path or spec quoted for the shell, where `?`, `*` and `[` are globs."""
    import shlex

    return shlex.quote(str(text))


def table(*columns: str, title: str = "") -> "Table":
    """Returns a table without frame whose cells fold instead of being cut."""
    from rich import box
    from rich.table import Table

    made = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        title=title or None,
        title_justify="left",
    )
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def print_table(shown: "Table") -> None:
    """Prints a table to standard output: one line per row in a pipe."""
    console(stderr=False).print(shown)
