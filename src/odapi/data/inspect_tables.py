"""The statistics of a dataset as tables for a terminal."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from odapi.data.inspect import Report
from odapi.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

_BAR = 40  # Characters of the longest bar.
_MAX_LISTED = 10  # Outliers and near-duplicates; report.json has more.
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, width: int = _BAR) -> str:
    """Returns a bar of text for a share from 0 to 1.

    >>> bar(0.5, 4)
    '██'
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + _EIGHTHS[rest]).rstrip()


def tables(report: Report, max_rows: int = 30) -> "list[Table]":
    """Returns the tables of a report, to print with rich.

    Args:
        report: The statistics.
        max_rows: Maximum number of classes to list; the rest is summed up in one row.
    """
    shares = {_share(high): n for high, n in report.box_shares.items()}
    areas = {
        "small, below 32 x 32": report.box_areas["small"],
        "medium, below 96 x 96": report.box_areas["medium"],
        "large": report.box_areas["large"],
    }
    return [
        _summary(report),
        _classes(report, max_rows),
        _bars("objects per image", "images", report.objects_in_bins()),
        _bars("box side, relative to the image", "objects", shares),
        _bars("box size, pixels", "objects", areas),
        _sizes(report),
        *_tiny(report),
        *_outliers(report),
        *_near_duplicates(report),
    ]


def _summary(report: Report) -> "Table":
    table = _table(report.name, ("", ""))
    used = sum(1 for n in report.classes.values() if n)
    table.add_row("images", f"{report.images}")
    table.add_row("without objects", f"{report.empty}")
    table.add_row("unusable images", f"{report.unusable}")
    table.add_row("objects", f"{report.objects}")
    table.add_row("classes", f"{len(report.classes)}, {used} with objects")
    if report.keys:
        table.add_row("other fields", ", ".join(report.keys))
    return table


def _classes(report: Report, max_rows: int) -> "Table":
    table = _table("classes", ("class", "objects", "images", ""))
    ranked = sorted(report.classes.items(), key=lambda item: -item[1])
    highest = max(report.classes.values(), default=0) or 1
    for name, count in ranked[:max_rows]:
        images = report.class_images.get(name, 0)
        table.add_row(name, f"{count}", f"{images}", bar(count / highest))
    rest = ranked[max_rows:]
    if rest:
        total = sum(n for _, n in rest)
        table.add_row(f"{len(rest)} more classes", f"{total}", "", "")
    return table


def _bars(title: str, what: str, counts: Mapping[str, int]) -> "Table":
    table = _table(title, ("", what, ""))
    highest = max(counts.values(), default=0) or 1
    for name, count in counts.items():
        table.add_row(name, f"{count}", bar(count / highest))
    return table


def _sizes(report: Report, max_rows: int = 8) -> "Table":
    table = _table("image sizes", ("width x height", "images", ""))
    highest = max(report.sizes.values(), default=0) or 1
    for (height, width), count in report.sizes.most_common(max_rows):
        table.add_row(f"{width} x {height}", f"{count}", bar(count / highest))
    if len(report.sizes) > max_rows:
        table.add_row(f"{len(report.sizes) - max_rows} more sizes", "", "")
    return table


def _tiny(report: Report) -> "list[Table]":
    if report.tiny is None or not report.tiny.objects:
        return []
    counts = {
        "height or width below 1 pixel": report.tiny.below_pixel,
        f"both below the stride, {report.tiny.stride} pixels": report.tiny.below_stride,
        "all objects": report.tiny.objects,
    }
    return [_bars("objects at the training resolution", "objects", counts)]


def _outliers(report: Report) -> "list[Table]":
    if not report.outliers:
        return []
    objects = counted(report.objects, "object")
    title = f"label outliers: {report.num_outliers} of {objects}"
    columns = ("class", "size or aspect", "deviations", "image", "object")
    table = _table(title, columns)
    for o in report.outliers[:_MAX_LISTED]:
        factor = f"{o.factor:g} times the median, {o.reason}"
        row = (o.label, factor, f"{o.score:g}", o.image_id, f"{o.object + 1}")
        table.add_row(*row)
    return [table]


def _near_duplicates(report: Report) -> "list[Table]":
    if not report.near_duplicates:
        return []
    found = counted(len(report.near_duplicates), "evaluation image")
    table = _table(
        f"near-duplicates: {found}",
        ("evaluation image", "training image", "correlation", ""),
    )
    for p in report.near_duplicates[:_MAX_LISTED]:
        mirrored = "mirrored" if p.mirrored else ""
        table.add_row(p.image_id, p.other_id, f"{p.correlation:.3f}", mirrored)
    return [table]


def _table(title: str, columns: tuple[str, ...]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.show_header = any(columns)
    for name in columns:
        right = name in ("objects", "images")
        table.add_column(name, justify="right" if right else "left")
    return table


def _share(high: float) -> str:
    return f"up to {high:.0%}"
