"""Rows of CSV files whose columns are known by name or by position."""

import csv
import pathlib
from collections.abc import Iterator, Sequence

from odapi.errors import DataError
from odapi.files import read_text

_SHOWN = 120  # Characters of the first line that an error shows.


def read_table(
    file: pathlib.Path, needed: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, list[str] | None]]:
    """Yields the rows of a CSV file whose first line names its columns.

    Args:
        file: The file, with commas between cells.
        needed: Names of columns.
        optional: Names of columns that may be missing; their cells are "".

    Yields:
        Number of the line, and the cells of `needed` and `optional`; None for a row
        with more cells than columns.

    Raises:
        DataError: A column is missing, or the file is no CSV.
    """
    rows = read_rows(file)
    _, header = next(rows, (0, []))
    names = [cell.strip().lower() for cell in header]
    missing = [name for name in needed if name.lower() not in names]
    if missing:
        shown = ",".join(header)[:_SHOWN] or "empty"
        raise DataError(
            str(file),
            f"has no columns {', '.join(missing)}; the first line is {shown}",
            hint=f"the columns are {','.join((*needed, *optional))}",
        )
    places = [
        names.index(name.lower()) if name.lower() in names else None
        for name in (*needed, *optional)
    ]
    for line, cells in rows:
        if any(cells[len(names) :]):
            yield line, None
            continue
        cells += [""] * (len(names) - len(cells))
        yield line, ["" if place is None else cells[place] for place in places]


def read_rows(file: pathlib.Path) -> Iterator[tuple[int, list[str]]]:
    """Yields line number and cells of the rows of a CSV file; empty ones are left out.

    Raises:
        DataError: The file is no CSV.
    """
    text = read_text(file)
    reader = csv.reader(_lines(text), skipinitialspace=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            place = f"{file}:{reader.line_num}"
            raise DataError(place, f"is no CSV: {error}") from error
        if cells is None:
            return
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield reader.line_num, cells


def _lines(text: str) -> Iterator[str]:
    """Yields lines; these files have millions, and a list of them takes gigabytes."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end
