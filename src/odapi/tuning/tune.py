"""`odapi.tune`: searches hyperparameters by training."""

import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from odapi.config.check import find, print_warnings
from odapi.config.load import Config, load_config, options, save_config
from odapi.console import console
from odapi.errors import ConfigError, OdapiError, OutputError
from odapi.files import Pathlike
from odapi.outputs.folder import check_folder
from odapi.outputs.kinds import STUDY
from odapi.outputs.marker import Marker, write_marker
from odapi.tuning.field_reads import check_reads
from odapi.tuning.search_space import parse_space, sampled_overrides
from odapi.tuning.settings import (
    JOURNAL,
    MAXIMIZE,
    MEDIAN,
    MINIMIZE,
    NONE,
    TPE,
    Settings,
    check_choice,
    settle,
)
from odapi.tuning.space_checks import check_space
from odapi.tuning.study import Study, Trial, import_optuna
from odapi.tuning.study_report import FAILED, StudyResult, report
from odapi.tuning.trial_process import TrainProcess
from odapi.tuning.tuner import FAILING, Limits, StartTrial, Tuner

if TYPE_CHECKING:
    from odapi.config.findings import Finding

_LOSS = "Loss/"
_METRIC = "options.evaluation.best_metric"


def tune(  # noqa: PLR0913 (keyword arguments of the public API)
    config: "Pathlike | Config",
    model_dir: Pathlike,
    search: Sequence[str],
    overrides: Sequence[str] = (),
    *,
    trials: int = 20,
    jobs: int = 1,
    max_hours: float = 0.0,
    metric: str = "",
    direction: str = "",
    sampler: str = TPE,
    pruner: str = "",
    startup_trials: int = 5,
    seed: int = 0,
    storage: str = JOURNAL,
    train_arguments: Sequence[str] = (),
    devices: Sequence[str] = (),
    start: StartTrial | None = None,
) -> StudyResult:
    """Searches values of config fields with Optuna; each trial is a training.

        odapi.tune("pipeline.config", "runs/study",
                   ["train_config.batch_size=choice(8, 16)"], trials=10)

    The same call resumes a study, and several processes may work on one at the same
    time. Ctrl-C and SIGTERM save the running trials, which the next call resumes; the
    second time, they raise KeyboardInterrupt.

    Args:
        config: A `pipeline.config`, its folder, its text, or a loaded config.
        model_dir: Folder of the study: `trials/0000` and so on are runs; `best.config`,
            `trials.csv` and `history.png` are written at the end of each call.
        search: Fields and their values: "PATH=log(1e-4, 1e-1)", "uniform(0, 1)",
            "int(1, 8)", "logint(1, 64)", "choice(a, b)". Paths with commas between
            them get the same value.
        overrides: Config overrides of all trials.
        trials: Number of trials of the study, failed ones included.
        jobs: Trials that run at the same time.
        max_hours: Hours of this call; 0: no limit.
        metric: Metric or evaluation loss to optimize; "": that of the config,
            `options.evaluation.best_metric`.
        direction: "maximize" or "minimize"; "": maximize, and minimize a loss.
        sampler: "tpe" or "random".
        pruner: "median", "hyperband" or "none"; "": median if trials are evaluated
            before their last step.
        startup_trials: Trials that are sampled at random and not pruned.
        seed: Of the sampler; `options.seed` is that of the trainings.
        storage: "journal" or "sqlite", a file in the folder.
        train_arguments: Further arguments of `odapi train` for all trials.
        devices: Devices of `odapi train --device`, one per job; they are repeated.
        start: Starts a trial, instead of `odapi train` in a process.

    Raises:
        ConfigError: The config, a searched field or an option cannot be used, or the
            study in `model_dir` has other settings.
        OutputError: `model_dir` has files that odapi did not write.
        MissingPackageError: Optuna is not installed.
        OdapiError: The first 5 trials failed.
    """
    folder = check_folder(model_dir, STUDY)
    import_optuna()
    _check_limits(trials, jobs, max_hours, startup_trials)
    loaded = load_config(config, overrides)
    space = parse_space(search)
    metric = metric or options(loaded).evaluation.best_metric
    is_loss = metric.startswith(_LOSS)
    if not is_loss:  # The best checkpoint of a trial is that of its value.
        loaded = load_config(loaded, [f"{_METRIC}={metric}"])
    settings = Settings(
        space,
        metric,
        direction or (MINIMIZE if is_loss else MAXIMIZE),
        sampler,
        _pruner(loaded, pruner),
        seed,
        startup_trials,
        storage,
    )
    _check_evaluation(loaded)
    check_space(loaded, space)
    check_reads(loaded, space)
    print_warnings(_warnings(loaded, settings))
    folder.mkdir(parents=True, exist_ok=True)
    write_marker(folder, Marker(STUDY.name, {}))
    settle(folder, settings, loaded)
    steps = loaded.train_config.num_steps
    study = Study(folder, settings, steps, _interval(loaded))
    launch = start or _launcher(folder, settings, loaded, train_arguments, devices)
    limits = Limits(trials, jobs, max_hours)
    tuner = Tuner(
        study, settings, limits, steps, launch, lambda n: trial_folder(folder, n), _note
    )
    reason = tuner.run()
    result = report(folder, study, settings, loaded, reason)
    if reason == FAILING:
        raise _all_failed(result)
    return result


def trial_folder(study: pathlib.Path, number: int) -> pathlib.Path:
    """Returns the folder of the run of a trial."""
    return study / "trials" / f"{number:04d}"


def _launcher(
    folder: pathlib.Path,
    settings: Settings,
    config: Config,
    arguments: Sequence[str],
    devices: Sequence[str],
) -> StartTrial:
    """Returns a function that trains a trial by `odapi train`."""

    def start(trial: Trial, slot: int) -> TrainProcess:
        name = f"{trial.number:04d}"
        file = folder / "configs" / f"{name}.config"
        overrides = sampled_overrides(settings.space, trial.values)
        save_config(load_config(config, overrides), file, error=OutputError)
        run = str(trial_folder(folder, trial.number))
        device = ["--device", devices[slot % len(devices)]] if devices else []
        return TrainProcess(
            [str(file), "--model-dir", run, *device, *arguments],
            folder / "logs" / f"{name}.log",
        )

    return start


def _check_limits(
    trials: int, jobs: int, max_hours: float, startup_trials: int
) -> None:
    for name, value, least in (
        ("--trials", trials, 1),
        ("--jobs", jobs, 1),
        ("--max-hours", max_hours, 0),
        ("--startup-trials", startup_trials, 0),
    ):
        if value < least:
            raise ConfigError(name, f"is {value}; it must be {least} or more")


def _check_evaluation(config: Config) -> None:
    if not (options(config).eval_data or config.eval_input_reader):
        raise ConfigError(
            "eval_input_reader",
            "is missing: without evaluation, trials cannot be compared",
            hint="--eval-data SPEC",
        )


def _pruner(config: Config, given: str) -> str:
    """Returns the name of the pruner.

    Raises:
        ConfigError: It is asked for, and trials are evaluated at their end only.
    """
    check_choice("pruner", given or NONE)
    every, steps = _interval(config), config.train_config.num_steps
    if 0 < every < steps:
        return given or MEDIAN
    if given in ("", NONE):
        return NONE
    raise ConfigError(
        f"--pruner {given}",
        "has no effect: a trial is evaluated after its last step only "
        f"(options.evaluation.every_n_steps is {every}, num_steps {steps})",
        hint="evaluate more often: --set "
        f"options.evaluation.every_n_steps={max(1, steps // 5)}",
    )


def _interval(config: Config) -> int:
    return options(config).evaluation.every_n_steps


def _warnings(config: Config, settings: Settings) -> "list[Finding]":
    """Returns the warnings about fields that are not searched."""
    paths = [path for parameter in settings.space for path in parameter.paths]
    found = [f for f in find(config) if not f.is_error and f.path not in paths]
    if settings.pruner == NONE:
        _note(
            "No trial is pruned: trials are evaluated after their last step only"
            if not 0 < _interval(config) < config.train_config.num_steps
            else "No trial is pruned"
        )
    return found


def _all_failed(result: StudyResult) -> OdapiError:
    failed = [row for row in result.trials if row.state == FAILED]
    logs = result.folder / "logs"
    return OdapiError(
        str(result.folder),
        f"the first {len(failed)} trials failed; the last one: {failed[-1].failure}",
        hint=f"see {logs / f'{failed[-1].number:04d}.log'}; the search goes on when "
        "the same command is run again",
    )


def _note(text: str) -> None:
    console().print(text)


Note = Callable[[str], Any]
