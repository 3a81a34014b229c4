"""Tracker that records a run as a task of ClearML, online or offline."""

import contextlib
import io
import os
import pathlib
import shutil
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odapi.trackers.class_metrics import class_scalars
from odapi.trackers.experiment import (
    EVALUATION,
    Experiment,
    check_package,
    set_default,
)
from odapi.trackers.tracker import Parameter

NAME = "ClearML"
_KEY = "clearml"
_PARAMETERS = "config"  # Section of the hyperparameters.

# ClearML patches these when a task starts, unless each is turned off. Its search for
# the imports of a repository takes up to a minute.
_FRAMEWORKS = dict.fromkeys(
    (
        "catboost", "detect_repository", "fastai", "gradio", "hydra", "joblib",
        "lightgbm", "matplotlib", "megengine", "pytorch", "scikit", "tensorboard",
        "tensorflow", "tfdefines", "xgboost",
    ),
    False,
)  # fmt: skip
_TASK_LOCK = threading.Lock()  # There is one main task per process.


def check_clearml() -> None:
    """Checks that the package is installed.

    Raises:
        MissingPackageError: It is not.
    """
    check_package(NAME, "clearml", "clearml", "clearml")


class ClearML:
    """Records a run as one task.

    Names "train/..." and "eval/..." become two series of one plot. An offline task
    cannot be opened again: a resumed run writes another session.

    Args:
        experiment: The run.
        project: Name of the project.
        is_offline: Write a zip file instead of sending; None: as CLEARML_OFFLINE_MODE.
        output_uri: Where artifacts go; None: the file server of ClearML.
    """

    def __init__(
        self,
        experiment: Experiment,
        project: str,
        is_offline: bool | None = None,
        output_uri: str | None = None,
    ):
        set_default("CLEARML_LOG_LEVEL", "WARNING")
        from clearml import Task

        self._experiment = experiment
        self._is_offline = Task.is_offline() if is_offline is None else is_offline
        with _TASK_LOCK, contextlib.redirect_stdout(io.StringIO()):
            if Task.is_offline() != self._is_offline:
                Task.set_offline(self._is_offline)
            self._task = Task.init(
                project_name=project,
                task_name=experiment.name,
                task_type="testing" if experiment.kind == EVALUATION else "training",
                tags=experiment.all_tags,
                output_uri=None if self._is_offline else output_uri,
                auto_connect_arg_parser=False,
                auto_connect_frameworks=_FRAMEWORKS,
                auto_resource_monitoring=False,
                auto_connect_streams=False,
                **self._continued(),
            )
        self._logger = self._task.get_logger()
        self._remember(project)

    def _continued(self) -> dict[str, Any]:
        """Returns arguments that continue the task of the run, or start a new one."""
        known = self._experiment.known(_KEY)
        new = {"continue_last_task": False, "reuse_last_task_id": False}
        if not known.get("task_id"):
            return new
        if self._is_offline or known.get("is_offline"):
            self._experiment.note(
                "ClearML: a task that was recorded offline cannot be continued; the "
                "resumed run is a new task"
            )
            return new
        # 0 adds nothing to the steps, which are those of the run.
        return {"continue_last_task": 0, "reuse_last_task_id": known["task_id"]}

    def _remember(self, project: str) -> None:
        ids = {
            "task_id": self._task.id,
            "is_offline": self._is_offline,
            "project": project,
        }
        self._experiment.remember(_KEY, ids)
        if not self._is_offline:
            self._experiment.note(f"ClearML: {self._task.get_output_log_web_page()}")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Records scalars; "train/Loss/x" is the series "train" of "Loss/x".

        Those of an evaluation are also in the table of single values.
        """
        for name, value in values.items():
            title, series = _title_and_series(name)
            self._logger.report_scalar(title, series, value=value, iteration=step)
            if self._experiment.kind == EVALUATION:
                self._logger.report_single_value(title, value)

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Records images as debug samples."""
        title, series = _title_and_series(tag)
        for index, image in enumerate(images):
            name = f"{series} {index}" if index else series
            self._logger.report_image(title, name, iteration=step, image=image)

    def text(self, tag: str, text: str) -> None:
        """Records a text as a configuration object."""
        self._task.set_configuration_object(tag, config_text=text)

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """Records hyperparameters in the section "config"."""
        named = {f"{_PARAMETERS}/{name}": value for name, value in values.items()}
        self._task.set_parameters(named)

    def table(self, step: int, tag: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Records rows as a table, and the first metric of each class as a scalar."""
        if not rows:
            return
        title, series = _title_and_series(tag)
        header = list(rows[0])
        cells = [[_cell(row.get(name)) for name in header] for row in rows]
        self._logger.report_table(
            title, series, iteration=step, table_plot=[header, *cells]
        )
        for name, value in class_scalars(tag, rows).items():
            metric, _, label = name.removeprefix(f"{tag}/").partition("/")
            self._logger.report_scalar(
                f"{metric} per class ({series})", label, value=value, iteration=step
            )

    def artifact(self, name: str, path: pathlib.Path) -> None:
        """Records a file or folder; returns when it is sent."""
        self._task.upload_artifact(name, path, wait_on_upload=True)

    def failed(self, reason: str) -> None:
        """Marks the task as failed."""
        self._task.mark_failed(ignore_errors=True, status_reason=reason, force=True)

    def close(self) -> None:
        """Sends what is pending; moves the file of an offline session into the run."""
        folder = self._task.get_offline_mode_folder() if self._is_offline else None
        with contextlib.redirect_stdout(io.StringIO()):
            self._task.close()
        if folder is None:
            return
        archive = folder.with_name(f"{folder.name}.zip")
        files = self._experiment.files
        if files is not None:
            files.mkdir(parents=True, exist_ok=True)
            archive = pathlib.Path(
                shutil.move(archive, files / f"clearml-{self._task.id}.zip")
            )
        self._experiment.note(
            "ClearML: to send the session: clearml-task --import-offline-session "
            f"{os.path.relpath(archive)}"
        )


def _title_and_series(name: str) -> tuple[str, str]:
    """Splits "train/Loss/x" into the plot "Loss/x" and its series "train"."""
    series, slash, title = name.partition("/")
    return (title, series) if slash else (name, name)


def _cell(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value
