"""Metrics, speed and configs of several runs side by side."""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from odapi.checkpoints import folder as folders
from odapi.checkpoints.array_file import read_arrays
from odapi.config.diff import diff_all
from odapi.errors import CheckpointError, DataError
from odapi.files import Pathlike
from odapi.losses.names import TOTAL_LOSS
from odapi.report.metric_names import TRAIN, find_names
from odapi.report.run_list import run_as_json
from odapi.report.run_record import RunRecord, read_run

# Summary metrics, by the ends of the original's names.
_SUMMARY = ("/mAP", "/mAP@.50IOU", "/mAP@.75IOU", "/AR@100")
_CATEGORY = "PerformanceByCategory/mAP/"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Several runs side by side.

    Args:
        runs: The runs, with different names.
        metrics: Names of the metrics to show.
        parameters: Number of weights per run; None if unknown.
        differences: Values per run, as text, of each config field in which any two
            runs differ.
    """

    runs: tuple[RunRecord, ...]
    metrics: tuple[str, ...]
    parameters: tuple[int | None, ...]
    differences: dict[str, tuple[str, ...]]

    @property
    def with_config(self) -> tuple[RunRecord, ...]:
        """The runs whose configs are compared."""
        return tuple(run for run in self.runs if run.config is not None)


def compare_runs(paths: Sequence[Pathlike], metrics: Sequence[str] = ()) -> Comparison:
    """Compares runs and outputs of evaluations.

    Args:
        paths: See `odapi.report.run_record.read_run`.
        metrics: Metrics and losses, as in `odapi.report.metric_names`; empty: the
            summary metrics, AP per category with objects, and the total losses that
            there are.

    Raises:
        DataError: A path is neither a run nor an evaluation, is given twice, or no run
            has a metric.
    """
    runs = tuple(read_run(p, n) for p, n in zip(paths, _names(paths), strict=True))
    known = list(dict.fromkeys(name for run in runs for name in run.curves))
    measured = [n for n in known if _CATEGORY not in n or any(r.best(n) for r in runs)]
    chosen = find_names(metrics, known) if metrics else default_metrics(measured)
    configs = [run.config for run in runs if run.config is not None]
    return Comparison(
        runs,
        tuple(chosen),
        tuple(run.num_parameters or _parameters(run.folder) for run in runs),
        diff_all(configs) if len(configs) > 1 else {},
    )


def default_metrics(known: Iterable[str]) -> list[str]:
    """Returns the metrics of a comparison that names none."""
    known = list(known)
    summary = [n for n in known if n.endswith(_SUMMARY) and "By" not in n]
    categories = [n for n in known if _CATEGORY in n]
    losses = [n for n in (TOTAL_LOSS, TRAIN + TOTAL_LOSS) if n in known]
    others = [n for n in known if not n.startswith(TRAIN)][:4]
    return [*(summary or others), *categories, *losses]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Returns a comparison as JSON content."""
    rows = zip(comparison.runs, comparison.parameters, strict=True)
    return {
        "runs": [
            run_as_json(run, comparison.metrics) | {"parameters": number}
            for run, number in rows
        ],
        "differences": {
            path: dict(
                zip((r.name for r in comparison.with_config), values, strict=True)
            )
            for path, values in comparison.differences.items()
        },
    }


def _names(paths: Sequence[Pathlike]) -> list[str]:
    """Returns names of the runs: their paths without the part that all share."""
    places = [pathlib.Path(path).absolute() for path in paths]
    for index, place in enumerate(places):
        if place in places[:index]:
            raise DataError(str(paths[index]), "is given twice")
    if len(places) < 2:
        return [place.name for place in places]
    parts = [place.parts for place in places]
    shared = 0
    while len({p[: shared + 1] for p in parts}) == 1:
        shared += 1
    shared = min(shared, *(len(p) - 1 for p in parts))
    return ["/".join(p[shared:]) for p in parts]


def _parameters(folder: pathlib.Path) -> int | None:
    checkpoint = folders.latest(folder) if folder.is_dir() else None
    if checkpoint is None:
        return None
    try:
        arrays = read_arrays(checkpoint / folders.WEIGHTS)
    except CheckpointError:
        return None
    return sum(array.size for array in arrays.values())
