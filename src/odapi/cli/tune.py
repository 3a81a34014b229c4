"""`odapi tune`."""

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from odapi.cli.options import EvalData, Json, Set, TrainData
from odapi.cli.output import next_step, print_json, print_table, quoted, table
from odapi.console import write_line
from odapi.wording import counted

if TYPE_CHECKING:
    from odapi.tuning.study_report import StudyResult

_INTERRUPTED = 130


def tune(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG", help="A pipeline.config, or a folder that has one."
        ),
    ],
    model_dir: Annotated[
        pathlib.Path,
        typer.Option(
            help="Folder of the study; its trials are runs in it. An existing study is "
            "resumed."
        ),
    ],
    search: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH=RANGE",
            help="Config field and its values: log(1e-4,1e-1), uniform(0,1), int(1,8), "
            "logint(1,64) or choice(a,b). Repeatable.",
        ),
    ] = None,
    trials: Annotated[
        int,
        typer.Option(min=1, help="Trials of the study, failed ones included."),
    ] = 20,
    jobs: Annotated[
        int, typer.Option(min=1, help="Trials that run at the same time.")
    ] = 1,
    max_hours: Annotated[
        float,
        typer.Option(
            min=0,
            help="Hours of this call; 0: no limit. Running trials are "
            "saved, and resumed by the same command.",
        ),
    ] = 0.0,
    metric: Annotated[
        str,
        typer.Option(
            help="Metric or evaluation loss to optimize, as in metrics.jsonl. Default: "
            "options.evaluation.best_metric.",
            show_default=False,
        ),
    ] = "",
    direction: Annotated[
        str,
        typer.Option(
            help="maximize or minimize. Default: maximize; minimize a loss.",
            show_default=False,
        ),
    ] = "",
    sampler: Annotated[str, typer.Option(help="tpe (multivariate) or random.")] = "tpe",
    pruner: Annotated[
        str,
        typer.Option(
            help="median, hyperband or none. Default: median if trials are evaluated "
            "before their last step.",
            show_default=False,
        ),
    ] = "",
    startup_trials: Annotated[
        int,
        typer.Option(min=0, help="Trials that are sampled at random and not pruned."),
    ] = 5,
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Seed of the sampler; options.seed is that of the trainings."
        ),
    ] = 0,
    storage: Annotated[
        str, typer.Option(help="journal or sqlite: the file of the study.")
    ] = "journal",
    train_data: TrainData = None,
    eval_data: EvalData = None,
    num_steps: Annotated[
        int | None, typer.Option(min=1, help="Sets train_config.num_steps.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Sets train_config.batch_size.")
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEVICE",
            help="cpu, gpu or gpu:N; repeat it for one device per job.",
        ),
    ] = None,
    overrides: Set = None,
    backend: Annotated[
        str | None,
        typer.Option(help="tensorflow, jax or torch. Default: as of odapi train."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Search config values with Optuna; each trial is a training.

    Ctrl-C saves the running trials and ends; the same command resumes them. Needs
    pip install 'odapi[tune]'.
    """  # fmt: skip
    from odapi.tuning.tune import tune as run

    short = {
        "options.train_data": train_data,
        "options.eval_data": eval_data,
        "train_config.num_steps": num_steps,
        "train_config.batch_size": batch_size,
    }
    given = [f"{path}={value}" for path, value in short.items() if value is not None]
    result = run(
        config,
        model_dir,
        search or (),
        [*(overrides or ()), *given],
        trials=trials,
        jobs=jobs,
        max_hours=max_hours,
        metric=metric,
        direction=direction,
        sampler=sampler,
        pruner=pruner,
        startup_trials=startup_trials,
        seed=seed,
        storage=storage,
        train_arguments=["--backend", backend] if backend else (),
        devices=device or (),
    )
    if as_json:
        _print_as_json(result)
    else:
        _show(result)
    if result.reason == "interrupted":
        raise typer.Exit(_INTERRUPTED)


def _print_as_json(result: "StudyResult") -> None:
    import dataclasses

    print_json(dataclasses.asdict(result))


def _show(result: "StudyResult") -> None:
    from odapi.progress import duration
    from odapi.report.metric_names import short_name

    names = list(dict.fromkeys(name for row in result.trials for name in row.values))
    shown = table(
        "trial", "state", short_name(result.metric), "at step", "time",
        *(_short(name, names) for name in names), "failure",
    )  # fmt: skip
    for row in result.trials:
        shown.add_row(
            str(row.number),
            row.state + (" (best)" if row == result.best else ""),
            "-" if row.value is None else f"{row.value:.4f}",
            "-" if row.step is None else str(row.step),
            duration(row.seconds) if row.seconds else "-",
            *(_value(row.values.get(name, "-")) for name in names),
            row.failure or "-",
        )
    print_table(shown)
    if result.importances:
        write_line("")
        shown = table("importance", "field")
        for name, share in result.importances.items():
            shown.add_row(f"{share:.0%}", name)
        print_table(shown)
    _show_next(result)


def _show_next(result: "StudyResult") -> None:
    states = [row.state for row in result.trials]
    parts = [
        f"{states.count(state)} {state}"
        for state in ("complete", "pruned", "failed", "running")
        if state in states
    ]
    write_line(
        f"{result.folder}: {counted(len(states), 'trial')}: {', '.join(parts)}",
        stderr=True,
    )
    if result.reason != "done":
        write_line(
            f"Ended by {_REASONS[result.reason]}; the same command resumes the search",
            stderr=True,
        )
    if result.best_config is None:
        return
    trial = f"{result.folder}/trials/{result.best.number:04d}" if result.best else ""
    next_step(
        f"odapi train {quoted(result.best_config)} --model-dir DIR",
        f"odapi eval {quoted(trial)} --output evaluation",
        f"odapi runs list {quoted(result.folder)} --sort metric",
    )


_REASONS = {"interrupted": "a signal", "time limit": "the time limit"}


def _short(name: str, names: list[str]) -> str:
    """Returns the last words of a path that distinguish it from the others."""
    words = name.split(",")[0].split(".")
    for count in range(1, len(words)):
        end = ".".join(words[-count:])
        if sum(n.split(",")[0].endswith(end) for n in names) == 1:
            return end
    return name


def _value(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
