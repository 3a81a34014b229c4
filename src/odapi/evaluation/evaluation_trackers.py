"""An evaluation as an experiment of the trackers that it is recorded by."""

import pathlib
from collections.abc import Sequence
from typing import Any

from odapi.build.tracker_settings import tracker_settings
from odapi.console import console
from odapi.evaluation.config_trackers import (
    close_all,
    experiment_of,
    log_start,
    name_of_model,
    service_trackers,
    user_trackers,
)
from odapi.evaluation.result import EvaluationResult
from odapi.evaluation.result_report import class_rows, draw_example
from odapi.trackers.experiment import EVALUATION
from odapi.trackers.tracker import (
    CombinedTracker,
    DetailedTracker,
    PrefixedTracker,
    Tracker,
)


class EvaluationTrackers:
    """Records one evaluation; a context that closes the trackers.

    Args:
        config: Its `options.trackers` turn trackers on.
        model: Path of the model; the experiment gets the name of its run by default.
        trackers: Trackers of the user.
        folder: Output of the evaluation, for ids and for files that are sent later.

    Raises:
        ConfigError: A tracker lacks a method.
        MissingPackageError: The package of a tracker is not installed.
    """

    def __init__(
        self,
        config: Any,
        model: str,
        trackers: Sequence[Tracker] = (),
        folder: pathlib.Path | None = None,
    ):
        settings = tracker_settings(config)
        experiment = experiment_of(
            settings, name_of_model(model), kind=EVALUATION, folder=folder
        )
        self._config, self.model = config, model
        self._queues = service_trackers(settings, experiment, _print)
        self._queues += user_trackers(settings, trackers, _print)
        self._all = CombinedTracker(self._queues)
        self._eval = CombinedTracker(
            [PrefixedTracker(q, "eval/") for q in self._queues]
        )

    @property
    def is_used(self) -> bool:
        """True if there is any tracker."""
        return bool(self._queues)

    def log_config(self, step: int | None) -> None:
        """Records the config, the model and the code.

        Args:
            step: Number of training steps of the model, if known.
        """
        if self.is_used:
            known = {} if step is None else {"model_step": step}
            log_start(self._all, self._config, {"model": self.model, **known})

    def log_result(
        self, result: EvaluationResult, files: Sequence[pathlib.Path]
    ) -> None:
        """Records metrics, metrics per class, drawn examples and files.

        Args:
            result: The result.
            files: Such as `metrics.json`; images are left out.
        """
        log_metrics(self._eval, result.step or 0, result, self._config.eval_config)
        for file in files:
            if file.suffix in (".json", ".csv"):
                self._all.artifact(file.name, file)

    def __enter__(self) -> "EvaluationTrackers":
        return self

    def __exit__(
        self, kind: object, error: BaseException | None, trace: object
    ) -> None:
        close_all(self._queues, error)


def log_metrics(
    tracker: DetailedTracker, step: int, result: EvaluationResult, eval_config: Any
) -> None:
    """Records metrics, metrics per class and drawn examples.

    Args:
        tracker: The tracker.
        step: Training step of the evaluated weights.
        result: The result.
        eval_config: The config's `eval_config`, for the boxes that are drawn.
    """
    tracker.scalars(step, result.metrics)
    tracker.table(step, "metrics_per_class", class_rows(result))
    for index, example in enumerate(result.examples):
        drawn = draw_example(
            result,
            example,
            eval_config.min_score_threshold,
            eval_config.max_num_boxes_to_visualize,
        )
        tracker.images(step, f"eval_side_by_side_{index}_0", [drawn])


def _print(line: str) -> None:
    console().print(line)
