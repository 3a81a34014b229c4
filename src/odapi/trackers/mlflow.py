"""Tracker that records a run in MLflow: a server, or a SQLite file."""

import os
import pathlib
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from odapi.trackers.class_metrics import class_scalars
from odapi.trackers.experiment import Experiment, check_package, set_default
from odapi.trackers.run_facts import run_facts
from odapi.trackers.tracker import Parameter

NAME = "MLflow"
_KEY = "mlflow"
_DEFAULT_URI = "sqlite:///mlflow.db"
_MAX_PARAMETERS, _MAX_METRICS = 100, 1000  # Per call of the server.
_MAX_VALUE, _MAX_NAME = 6000, 250  # Characters.
_NUMBERED = re.compile(r"(.+)_(\d+)_0")  # As in eval_side_by_side_3_0.
# The pages for models, instead of those for language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
_REFUSED = re.compile(r"[^\w\-. :/]", re.ASCII)


def check_mlflow() -> None:
    """Checks that the package is installed.

    Raises:
        MissingPackageError: It is not.
    """
    check_package(NAME, "mlflow", "mlflow-skinny", "mlflow")


class MLflow:
    """Records a run as one run of an MLflow experiment.

    Args:
        experiment: The run.
        name: Name of the MLflow experiment, which is made if needed.
        tracking_uri: Of a server, or `sqlite:///FILE`; None: MLFLOW_TRACKING_URI, else
            `sqlite:///mlflow.db` in the current folder.
    """

    def __init__(
        self, experiment: Experiment, name: str, tracking_uri: str | None = None
    ):
        # On by default since MLflow 3.2.
        set_default("MLFLOW_DISABLE_TELEMETRY", "true")
        set_default("MLFLOW_LOGGING_LEVEL", "WARNING")
        from mlflow import MlflowClient

        uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or _DEFAULT_URI
        self._client = MlflowClient(tracking_uri=uri)
        self._status = "FINISHED"
        self._parameters: dict[str, str] = {}
        self._run_id = self._resumed(experiment.known(_KEY), uri)
        if not self._run_id:
            self._run_id = self._new(experiment, name)
        run = self._client.get_run(self._run_id)
        experiment.remember(_KEY, {"run_id": self._run_id, "tracking_uri": uri})
        where = uri
        if uri.startswith("http"):
            base = uri.rstrip("/")
            where = f"{base}/#/experiments/{run.info.experiment_id}/runs/{self._run_id}"
        experiment.note(f"MLflow: run {run.info.run_name} in {where}")

    def _resumed(self, known: Mapping[str, Any], uri: str) -> str:
        """Opens the run of an earlier call; returns "" if it cannot be found there."""
        from mlflow.exceptions import MlflowException

        run_id = known.get("run_id")
        if not run_id or known.get("tracking_uri") != uri:
            return ""
        try:
            run = self._client.get_run(run_id)
        except MlflowException:
            return ""
        if run.info.lifecycle_stage != "active":  # Deleted by the user.
            return ""
        self._parameters = dict(run.data.params)
        self._client.update_run(run_id, status="RUNNING")
        return run_id

    def _new(self, experiment: Experiment, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        experiment_id = (
            found.experiment_id
            if found
            else self._client.create_experiment(name, tags=_EXPERIMENT_TAGS)
        )
        facts = run_facts()
        tags = {tag: "" for tag in experiment.tags} | {
            "kind": experiment.kind,
            # Only what is behind the last "/" is shown; the parameters have the rest.
            "mlflow.source.name": str(facts["command"]).split("/")[0].split(" ")[0],
            "mlflow.source.type": "LOCAL",
        }
        if "git/commit" in facts:
            tags["mlflow.source.git.commit"] = str(facts["git/commit"])
        run = self._client.create_run(
            experiment_id, tags=tags, run_name=experiment.name
        )
        return run.info.run_id

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Records scalars as metrics; characters that MLflow refuses become "_"."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(_name(n), float(v), now, step) for n, v in values.items()]
        for part in _parts(metrics, _MAX_METRICS):
            self._client.log_batch(self._run_id, metrics=part)

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Records images as series over the steps."""
        for index, image in enumerate(images):
            key = _image_key(tag, index)
            self._client.log_image(self._run_id, image, key=key, step=step)

    def text(self, tag: str, text: str) -> None:
        """Records a text as the artifact `TAG.txt`."""
        self._client.log_text(self._run_id, text, f"{_name(tag)}.txt")

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """Records parameters; those of a resumed run that differ become tags.

        MLflow refuses to change parameters.
        """
        from mlflow.entities import Param, RunTag

        named = {_name(n): str(v)[:_MAX_VALUE] for n, v in values.items()}
        new = [Param(n, v) for n, v in named.items() if n not in self._parameters]
        changed = [
            RunTag(f"resumed.{n}"[:_MAX_NAME], v)
            for n, v in named.items()
            if self._parameters.get(n, v) != v
        ]
        for params in _parts(new, _MAX_PARAMETERS):
            self._client.log_batch(self._run_id, params=params)
        for tags in _parts(changed, _MAX_PARAMETERS):
            self._client.log_batch(self._run_id, tags=tags)

    def table(self, step: int, tag: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Records rows as a JSON table, and the first metric of each class."""
        if not rows:
            return
        header = list(rows[0])
        data = [[row.get(name) for name in header] for row in rows]
        file = f"{_name(tag)}/step_{step:08d}.json"
        self._client.log_dict(self._run_id, {"columns": header, "data": data}, file)
        self.scalars(step, class_scalars(tag, rows))

    def artifact(self, name: str, path: pathlib.Path) -> None:
        """Records a file, or the files of a folder under its name."""
        if path.is_dir():
            self._client.log_artifacts(self._run_id, str(path), name)
        else:
            self._client.log_artifact(self._run_id, str(path))

    def failed(self, reason: str) -> None:
        """Marks the run as failed, with the reason as a tag."""
        self._status = "FAILED"
        self._client.set_tag(self._run_id, "failure", reason[:_MAX_VALUE])

    def close(self) -> None:
        """Ends the run."""
        self._client.set_terminated(self._run_id, status=self._status)


def _name(name: str) -> str:
    """Returns a name that MLflow accepts, also as the path of a file.

    >>> _name("eval/DetectionBoxes_Precision/mAP@.50IOU"), _name("eval/AP/a//../b(c)")
    ('eval/DetectionBoxes_Precision/mAP_.50IOU', 'eval/AP/a/_/b_c_')
    """
    parts = _REFUSED.sub("_", name).split("/")
    kept = ["_" if part in (".", "..") else part for part in parts if part]
    return "/".join(kept)[:_MAX_NAME] or "_"


def _image_key(tag: str, index: int) -> str:
    """Returns the name of an image: a section behind the metrics, the number first.

    MLflow sorts sections by name, and cuts the end of the names in them.

    >>> _image_key("eval/eval_side_by_side_3_0", 0), _image_key("train/inputs", 2)
    ('visualizations/3 eval_side_by_side', 'visualizations/2 inputs')
    """
    name = tag.rpartition("/")[2]
    if numbered := _NUMBERED.fullmatch(name):
        name, index = numbered[1], int(numbered[2])
    return _name(f"visualizations/{index} {name}")


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
