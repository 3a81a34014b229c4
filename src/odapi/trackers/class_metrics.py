"""Tables of metrics per class, as trackers show them."""

from collections.abc import Mapping, Sequence
from typing import Any

CLASS, OBJECTS = "class", "objects"
_MAX_CLASSES = 100  # With a curve each; the table has all.


def class_scalars(tag: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Returns the first metric of each class as a scalar `TAG/METRIC/CLASS`.

    Values of -1 (nothing to measure) are left out, and classes behind the 100 with the
    most objects.

    >>> class_scalars("eval", [{"class": "cat", "objects": 3, "AP": 0.5, "AP50": 0.9}])
    {'eval/AP/cat': 0.5}
    """
    found = {}
    ordered = sorted(rows, key=lambda row: -row.get(OBJECTS, 0))
    for row in ordered[:_MAX_CLASSES]:
        metric = next((name for name in row if name not in (CLASS, OBJECTS)), None)
        if metric is not None and row[metric] != -1:
            found[f"{tag}/{metric}/{row.get(CLASS, '')}"] = float(row[metric])
    return found


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns rows as a Markdown table; "" without rows.

    >>> print(markdown([{"class": "cat", "AP": 0.51239}]))
    | class | AP |
    |---|---|
    | cat | 0.5124 |
    """
    if not rows:
        return ""
    names = list(rows[0])
    lines = [names, ["---"] * len(names)]
    lines += [[_cell(row.get(name, "")) for name in names] for row in rows]
    shown = ["| " + " | ".join(line) + " |" for line in lines]
    shown[1] = shown[1].replace(" ", "")
    return "\n".join(shown)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "-" if value == -1 else f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")
