"""Output for people: text without markup, tables with frames on a terminal only.

Names of classes, files and fields come from the user's data. They are printed as they
are: brackets are no markup, `:name:` is no emoji, control characters are escaped, and
what the stream's encoding does not have is escaped by `prepare_streams`.
"""

import contextlib
import functools
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from odapi.wording import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_LOG_WIDTH = 120  # Columns of a pipe or log file, where rich would take 80.
_MAX_PADDED = 40  # A few longer cells of a table in a pipe shift their row.
_MAX_PADDED_PATHS = 100  # Where most cells are long.
_BLOCKS = str.maketrans(dict.fromkeys("▏▎▍▌▋▊▉█", "#"))


def prepare_streams() -> None:
    """Makes standard output and error escape characters that they cannot encode.

    A pipe or file has cp1252 on Windows and ASCII in some containers. Names that are
    not valid UTF-8 cannot be encoded anywhere.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, io.TextIOWrapper):  # Names of files, as the system does.
        sys.stdin.reconfigure(errors="surrogateescape")


def write_line(text: str, stderr: bool = False) -> None:
    """Writes text and a line end to standard output or standard error."""
    stream = sys.stderr if stderr else sys.stdout
    try:
        stream.write(visible(text) + "\n")
        stream.flush()
    except BrokenPipeError:  # As in `odapi ... | head`: end without a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise SystemExit(1) from None


_silent = False


@contextlib.contextmanager
def silenced(silent: bool = True) -> Iterator[None]:
    """Within this context, consoles print nothing; errors and `write_line` do."""
    global _silent
    before, _silent = _silent, silent or _silent
    try:
        yield
    finally:
        _silent = before


def console(stderr: bool = True, soft_wrap: bool = True) -> "Console":
    """Returns a console on standard error or standard output.

    Strings are printed without markup; `rich.text.Text` has styles. In a pipe or log
    file, a table has one line per row, without frames and padding.

    Args:
        stderr: True for progress and notes; False for results that were asked for.
        soft_wrap: Whether long lines are left to the terminal instead of folded.
    """
    stream = sys.stderr if stderr else sys.stdout
    return _console_class()(
        stderr=stderr,
        width=None if stream.isatty() else _LOG_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=soft_wrap,
        quiet=_silent,
    )


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows that something takes a while: a spinner, or one line in a log file."""
    shown = console()
    if not shown.is_terminal:
        shown.print(f"{what} ...")
        yield
        return
    from rich.text import Text

    with shown.status(Text(f"{what} ...")):
        yield


@functools.cache
def _console_class() -> Any:
    """Returns the class; rich is imported only where something is printed."""
    from rich.console import Console
    from rich.table import Table

    class PlainConsole(Console):
        """A console that prints tables in a pipe as lines."""

        def print(self, *objects: Any, **options: Any) -> None:
            if len(objects) == 1 and isinstance(objects[0], Table):
                self._print_table(objects[0], options)
                return
            super().print(*objects, **options)

        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(visible(text), **options)

        def _print_table(self, table: Table, options: dict[str, Any]) -> None:
            if self.is_terminal:
                super().print(_folded(table), **({"soft_wrap": False} | options))
                return
            plain = not self.encoding.startswith("utf")
            for line in table_lines(table):
                text = line.translate(_BLOCKS) if plain else line
                super().print(text, soft_wrap=True)

    return PlainConsole


def table_lines(table: "Table") -> list[str]:
    """Returns a table as lines for a pipe: title, header, rows; no frame, no padding.

    Cells are whole. Columns are aligned up to 40 characters, or up to 100 if most of
    their cells are longer than 40.
    """
    from rich.cells import cell_len

    header = [_cell(c.header) for c in table.columns] if table.show_header else []
    columns = [[_cell(cell) for cell in c.cells] for c in table.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    if any(header):
        rows.insert(0, header)
    columns = [list(column) for column in zip(*rows, strict=True)]
    widths = [_width([cell_len(cell) for cell in column]) for column in columns]
    lines = [_cell(table.title)] if table.title else []
    for row in rows:
        padded = (
            _pad(text, width, column.justify == "right", cell_len(text))
            for text, width, column in zip(row, widths, table.columns, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return lines


def _cell(content: Any) -> str:
    return visible(" ".join(str(content or "").split("\n")))


def _width(lengths: list[int]) -> int:
    """Returns the width to which the cells of a column are padded."""
    num_long = sum(length > _MAX_PADDED for length in lengths)
    limit = _MAX_PADDED_PATHS if 2 * num_long > len(lengths) else _MAX_PADDED
    return min(limit, max(lengths, default=0))


def _pad(text: str, width: int, right: bool, length: int) -> str:
    blanks = " " * max(0, width - length)
    return blanks + text if right else text + blanks


def _folded(table: "Table") -> "Table":
    """Makes cells that are too long fold instead of being cut."""
    for column in table.columns:
        if column.overflow == "ellipsis" and not column.no_wrap:
            column.overflow = "fold"
    return table
