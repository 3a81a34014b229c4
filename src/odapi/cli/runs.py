"""`odapi runs`: list and compare training runs."""

import pathlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odapi.cli.app import App
from odapi.cli.options import Json
from odapi.cli.output import next_step, print_json, print_table, quoted, table
from odapi.console import write_line
from odapi.wording import counted

if TYPE_CHECKING:
    from odapi.report.comparison import Comparison
    from odapi.report.run_list import RunList
    from odapi.report.run_record import RunRecord

app = App(help="List and compare training runs.")

_SORTS = ("name", "state", "step", "metric", "time", "speed", "date")
_MAX_CATEGORIES = 20  # Rows of the table; --metric shows any.


@app.command("list")
def list_runs(
    folder: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="FOLDER", help="Folder with runs at any depth.", show_default=True
        ),
    ] = pathlib.Path("runs"),
    sort: Annotated[
        str,
        typer.Option(
            help="name, state, step, metric (best first), time (longest first), speed "
            "(fastest first) or date (newest first)."
        ),
    ] = "name",
    metric: Annotated[
        str,
        typer.Option(
            help="Metric or loss to show: a name or its end, such as mAP@.50IOU. "
            "Default: the metric by which each run selects its best checkpoint.",
            show_default=False,
        ),
    ] = "",
    state: Annotated[
        list[str] | None,
        typer.Option(
            help="Only runs of this state: running, finished, interrupted, "
            "'time limit', 'early stopped', diverged, stopped or evaluation (outputs "
            "of odapi eval). Repeatable."
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(metavar="GLOB", help="Only runs whose name matches."),
    ] = "*",
    as_json: Json = False,
) -> None:
    """List the runs below a folder: state, steps, best metric, speed, model, data.

    A run whose process was killed is interrupted. Outputs of odapi eval --output are
    listed if the folder has no runs.
    """
    from odapi.report.run_list import as_json as to_json
    from odapi.report.run_list import list_runs as run

    _check_choice("--sort", sort, _SORTS)
    listed = run(folder, sort, metric, _states(state or []), name)
    _print_problems(listed.runs)
    if as_json:
        print_json(to_json(listed))
        return
    if not listed.runs:
        write_line(f"{folder}: no runs" + (" of this kind" if state else ""))
        return
    _print_list(listed)
    first = [quoted(run.folder) for run in listed.runs[:2]]
    if len(first) == 2:
        next_step(f"odapi runs compare {' '.join(first)}")


@app.command()
def compare(
    runs: Annotated[
        list[pathlib.Path],
        typer.Argument(
            metavar="RUN...", help="Run folders, or outputs of odapi eval --output."
        ),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Metric or loss: a name, its end or a glob, such as mAP@.50IOU, a "
            "class, 'train/Loss/*'. Repeatable. Default: summary metrics, AP per "
            "class, total losses."
        ),
    ] = None,
    plot: Annotated[
        pathlib.Path | None,
        typer.Option(
            metavar="FILE", help="PNG or JPEG file for the metrics over the steps."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare metrics, speed and configs of several runs."""
    from odapi.report.comparison import as_json as to_json
    from odapi.report.comparison import compare_runs

    if plot is not None:
        from odapi.outputs.file import check_new_file
        from odapi.outputs.image_mark import is_marked

        check_new_file(plot, is_marked)
    comparison = compare_runs(runs, metric or ())
    _print_problems(comparison.runs)
    if as_json:
        print_json(to_json(comparison))
    else:
        _print_comparison(comparison, every_row=bool(metric))
    if plot is not None:
        _save_plot(plot, comparison, metric or ())


def _save_plot(
    file: pathlib.Path, comparison: "Comparison", metrics: "list[str] | tuple[()]"
) -> None:
    from odapi.draw.file import save_image
    from odapi.report.comparison_plot import plot_comparison

    image = plot_comparison(comparison, comparison.metrics if metrics else ())
    if image is None:
        write_line("No plot: the runs have none of the metrics", stderr=True)
        return
    write_line(f"Saved {save_image(file, image)}", stderr=True)


def _check_choice(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise typer.BadParameter(
            f"{value!r}; known are {', '.join(known)}", param_hint=option
        )


def _states(given: list[str]) -> list[str]:
    from odapi.report.run_record import STATES

    for state in given:
        _check_choice("--state", state, STATES)
    return given


def _print_problems(runs: "tuple[RunRecord, ...]") -> None:
    for run in runs:
        for problem in run.problems:
            write_line(f"warning: {problem}", stderr=True)


def _print_list(listed: "RunList") -> None:
    from odapi.report.metric_names import short_name

    metrics = {listed.metric_of(run) for run in listed.runs}
    shared = short_name(next(iter(metrics))) if len(metrics) == 1 else ""
    shown = table(
        "run", "state", "step", shared or "best", "at step", "time", "images/s",
        "model", "data",
    )  # fmt: skip
    for run in listed.runs:
        best = run.best(listed.metric_of(run))
        value = _number(best[1]) if best else "-"
        if best and not shared:
            value += f" {short_name(listed.metric_of(run))}"
        shown.add_row(
            run.name,
            run.state,
            _steps(run),
            value,
            str(best[0]) if best else "-",
            _time(run),
            _speed(run),
            run.model or "-",
            run.data or "-",
        )
    print_table(shown)


def _print_comparison(comparison: "Comparison", every_row: bool) -> None:
    runs = comparison.runs
    shown = table("run", "state", "step", "time", "images/s", "parameters", "model")
    for run, number in zip(runs, comparison.parameters, strict=True):
        parameters = f"{number:,}" if number else "-"
        shown.add_row(
            run.name, run.state, _steps(run), _time(run), _speed(run), parameters,
            run.model or "-",
        )  # fmt: skip
    print_table(shown)
    write_line("")
    _print_metrics(comparison, every_row)
    if comparison.differences:
        write_line("")
        shown = table("field", *(run.name for run in comparison.with_config))
        for path, values in comparison.differences.items():
            shown.add_row(path, *values)
        print_table(shown)
    elif len(comparison.with_config) > 1:
        write_line("\nThe configs do not differ.")


def _print_metrics(comparison: "Comparison", every_row: bool) -> None:
    from odapi.report.metric_names import short_name

    names, left_out = list(comparison.metrics), 0
    categories = [n for n in names if "ByCategory" in n]
    if not every_row and len(categories) > _MAX_CATEGORIES:
        left_out = len(categories) - _MAX_CATEGORIES
        names = [n for n in names if n not in categories[_MAX_CATEGORIES:]]
    if not names:
        write_line("No run has metrics yet.")
        return
    shown = table("best", *(run.name for run in comparison.runs))
    for name in names:
        shown.add_row(short_name(name), *(_cell(run, name) for run in comparison.runs))
    print_table(shown)
    if left_out:
        write_line(f"and {counted(left_out, 'class', 'classes')} more: --metric '*'")


def _cell(run: "RunRecord", name: str) -> str:
    """Returns the best value with its step, and the last one if it differs."""
    best, last = run.best(name), run.last(name)
    if best is None or last is None:
        return "-"
    if len(run.curves[name]) < 2:
        return _number(best[1])
    text = f"{_number(best[1])} @{best[0]}"
    return text if best[0] == last[0] else f"{text}, last {_number(last[1])}"


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.4g}"


def _steps(run: "RunRecord") -> str:
    if run.step is None:
        return "-"
    return f"{run.step}/{run.num_steps}" if run.num_steps else str(run.step)


def _time(run: "RunRecord") -> str:
    from odapi.progress import duration

    return duration(run.seconds) if run.seconds else "-"


def _speed(run: "RunRecord") -> Any:
    speed = run.images_per_second
    if not speed:
        return "-"
    return f"{speed:.1f}" if speed >= 1 else f"{speed:.2g}"
