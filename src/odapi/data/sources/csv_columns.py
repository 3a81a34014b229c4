"""Columns of CSV files with one box per row, by the names that tools give them."""

import csv
import dataclasses
import io
import re
from collections.abc import Iterator, Mapping, Sequence

from odapi.data.clean import annotated_size
from odapi.data.numbers import number_of
from odapi.errors import DataError

HEADER = "filename,width,height,class,xmin,ymin,xmax,ymax"

_SHOWN = 120  # Characters of the first line that an error shows.

# Names in lower case without separators, the most specific first.
_IMAGE = (
    "filename", "file", "imagename", "imagefilename", "imagefile", "imgname",
    "filepath", "imagepath", "imgpath", "path", "image", "img", "imageid", "imgid",
)  # fmt: skip
_CLASS = (
    "classname", "labelname", "categoryname", "class", "label", "category", "name",
    "object", "classid", "labelid", "categoryid",
)  # fmt: skip
_WIDTH = ("imagewidth", "imgwidth", "width")
_HEIGHT = ("imageheight", "imgheight", "height")
# Top, left, bottom, right.
_CORNERS = (
    ("ymin", "xmin", "ymax", "xmax"),
    ("miny", "minx", "maxy", "maxx"),
    ("bboxymin", "bboxxmin", "bboxymax", "bboxxmax"),
    ("y1", "x1", "y2", "x2"),
    ("y0", "x0", "y1", "x1"),
    ("top", "left", "bottom", "right"),
)
# Top, left, height, width.
_SIZED = (
    ("bboxy", "bboxx", "bboxheight", "bboxwidth"),
    ("bboxy", "bboxx", "bboxh", "bboxw"),
    ("y", "x", "h", "w"),
    ("y", "x", "height", "width"),
    ("top", "left", "height", "width"),
)


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of a CSV file.

    Args:
        line: Its last line in the file, counted from 1.
        image: Name of the image, or "".
        label: The class, or "".
        box: Four cells, top, left, bottom, right; numbers, NaN if one is no number;
            None if all are empty.
        size: (height, width) of the image, or None.
        is_too_long: Whether it has more cells than the header.
    """

    line: int
    image: str
    label: str
    box: tuple[float, float, float, float] | None
    size: tuple[int, int] | None
    is_too_long: bool = False


@dataclasses.dataclass(frozen=True)
class _Columns:
    image: int
    label: int
    box: tuple[int, int, int, int]
    is_sized: bool
    size: tuple[int, int] | None


def read_rows(text: str, place: str) -> Iterator[Row]:
    """Yields the rows of a CSV file whose first line names its columns.

    Args:
        text: The content; the cells are separated by commas, semicolons or tabs.
        place: The file, for errors.

    Raises:
        DataError: A column is missing, a quotation mark is not closed, or the text is
            no CSV.
    """
    first = text.lstrip("\n").partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    decimal = "." if delimiter == "," else ","
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True)
    columns, count, end = None, 0, 0
    try:
        for cells in reader:
            before, end = end, reader.line_num
            cells = [cell.strip() for cell in cells]
            if not any(cells):
                continue
            if columns is None:
                columns, count = _columns(cells, place), len(cells)
                continue
            too_long = any(cells[count:])
            needed = (columns.image, columns.label, *columns.box)
            rest = "".join(
                cells[i].partition("\n")[2] for i in needed if i < len(cells)
            )
            if delimiter in rest:
                raise DataError(
                    f"{place}:{before + 1}",
                    "a cell contains the next row",
                    hint="is a quotation mark not closed?",
                )
            cells += [""] * (count - len(cells))
            yield _row(reader.line_num, cells, columns, decimal, too_long)
    except csv.Error as error:
        raise DataError(f"{place}:{reader.line_num}", f"is no CSV: {error}") from error
    if columns is None:
        raise DataError(place, "has no rows; the file is empty", _hint())


def _row(
    line: int, cells: Sequence[str], columns: _Columns, decimal: str, too_long: bool
) -> Row:
    texts = [cells[i] for i in columns.box]
    box = None
    if any(texts):
        top, left, bottom, right = (_number(t, decimal) for t in texts)
        if columns.is_sized:
            bottom, right = top + bottom, left + right
        box = (top, left, bottom, right)
    size = None
    if columns.size:
        size = annotated_size(*(_number(cells[i], decimal) for i in columns.size))
    return Row(line, cells[columns.image], cells[columns.label], box, size, too_long)


def _number(text: str, decimal: str) -> float:
    return number_of(text.replace(decimal, "."))


def _columns(header: Sequence[str], place: str) -> _Columns:
    """Finds the columns by their names, in any order."""
    names: dict[str, int] = {}
    for index, cell in enumerate(header):
        names.setdefault(re.sub(r"[^a-z0-9]", "", cell.lower()), index)
    corners = _all_of(names, _CORNERS)
    box = corners or _all_of(names, _SIZED)
    if not corners and box:
        # These are of the box, not of the image.
        names = {k: v for k, v in names.items() if v not in box}
    image, label = _one_of(names, _IMAGE), _one_of(names, _CLASS)
    missing = [
        what
        for what, found in (("image", image), ("class", label), ("box", box))
        if found is None
    ]
    if image is None or label is None or box is None:
        raise DataError(
            place,
            f"has no columns for {', '.join(missing)}; the first line is "
            f"{', '.join(header)[:_SHOWN]}",
            _hint(),
        )
    height, width = _one_of(names, _HEIGHT), _one_of(names, _WIDTH)
    size = None if height is None or width is None else (height, width)
    return _Columns(image, label, box, not corners, size)


def _one_of(names: Mapping[str, int], wanted: Sequence[str]) -> int | None:
    return next((names[w] for w in wanted if w in names), None)


def _all_of(
    names: Mapping[str, int], wanted: Sequence[tuple[str, str, str, str]]
) -> tuple[int, int, int, int] | None:
    for a, b, c, d in wanted:
        if {a, b, c, d} <= names.keys():
            return names[a], names[b], names[c], names[d]
    return None


def _hint() -> str:
    return f"the first line names the columns, in any order: {HEADER}"
