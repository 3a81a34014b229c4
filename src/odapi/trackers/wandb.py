"""Tracker that records a run in Weights & Biases, online or offline."""

import os
import pathlib
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odapi.trackers.class_metrics import class_scalars
from odapi.trackers.experiment import Experiment, check_package, set_default
from odapi.trackers.run_facts import git_facts
from odapi.trackers.tracker import Parameter

NAME = "Weights & Biases"
_KEY = "wandb"
_STEP = "step"
_REFUSED = re.compile(r"[^\w\-.]", re.ASCII)  # In names of artifacts.
_START = threading.Lock()  # The package is set up once per process.


def check_wandb() -> None:
    """Checks that the package is installed.

    Raises:
        MissingPackageError: It is not.
    """
    check_package(NAME, "wandb", "wandb", "wandb")


class Wandb:
    """Records a run as one run of a project.

    Values have the steps of the training as their x axis, so that a run that is resumed
    from an earlier checkpoint may record a step twice.

    Args:
        experiment: The run.
        project: Name of the project.
        entity: User or team; None: the default of the account.
        group: Group of the run.
        is_offline: Write files instead of sending; None: as WANDB_MODE.
    """

    def __init__(
        self,
        experiment: Experiment,
        project: str,
        entity: str | None = None,
        group: str | None = None,
        is_offline: bool | None = None,
    ):
        set_default("WANDB_ERROR_REPORTING", "false")
        import wandb

        self._wandb, self._exit_code = wandb, 0
        modes = {None: None, True: "offline", False: "online"}
        known = experiment.known(_KEY)
        if (known.get("project"), known.get("entity")) != (project, entity):
            known = {}
        folder = experiment.files
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        with _START:
            self._run: Any = wandb.init(
                project=project,
                entity=entity,
                group=group,
                name=experiment.name,
                job_type=experiment.kind,
                tags=experiment.all_tags,
                id=known.get("run_id"),
                resume="allow" if known.get("run_id") else None,
                mode=modes[is_offline],  # type: ignore[arg-type]
                dir=None if folder is None else str(folder),
                reinit="create_new",  # Runs of other trackers in the process go on.
                settings=_settings(wandb),
            )
        self._run.define_metric(_STEP, hidden=True)
        self._run.define_metric("*", step_metric=_STEP)
        ids = {"run_id": self._run.id, "project": project, "entity": entity}
        experiment.remember(_KEY, ids)
        if self._run.offline:
            files = os.path.relpath(pathlib.Path(self._run.dir).parent)
            experiment.note(f"Weights & Biases: to send the run: wandb sync {files}")
        else:
            experiment.note(f"Weights & Biases: {self._run.url}")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Records scalars."""
        self._log(step, dict(values))

    def images(self, step: int, tag: str, images: Sequence[np.ndarray]) -> None:
        """Records images."""
        self._log(step, {tag: [self._wandb.Image(image) for image in images]})

    def text(self, tag: str, text: str) -> None:
        """Records a text as the file `TAG.txt` of the run."""
        path = pathlib.Path(self._run.dir) / f"{_REFUSED.sub('_', tag)}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        self._run.save(str(path), base_path=str(path.parent), policy="now")

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """Records the config; a resumed run may change it."""
        self._run.config.update(dict(values), allow_val_change=True)

    def table(self, step: int, tag: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Records rows as a table, and the first metric of each class."""
        if not rows:
            return
        header = list(rows[0])
        data = [[row.get(name) for name in header] for row in rows]
        table = self._wandb.Table(columns=header, data=data)
        self._log(step, {tag: table, **class_scalars(tag, rows)})

    def artifact(self, name: str, path: pathlib.Path) -> None:
        """Records a file or folder as a version of the artifact `RUN-NAME`."""
        kind = "model" if name.startswith("checkpoint") else "result"
        full = _REFUSED.sub("_", f"{self._run.id}-{name}")
        artifact = self._wandb.Artifact(full, type=kind)
        files = sorted(p for p in path.rglob("*") if p.is_file()) or [path]
        for file in files:  # `add_dir` prints.
            inside = file.relative_to(path).as_posix() if file != path else path.name
            artifact.add_file(str(file), inside)
        self._run.log_artifact(artifact)

    def failed(self, reason: str) -> None:
        """Marks the run as failed."""
        self._run.summary["failure"] = reason
        self._exit_code = 1

    def close(self) -> None:
        """Sends what is pending, and ends the run."""
        self._run.finish(exit_code=self._exit_code)

    def _log(self, step: int, values: Mapping[str, Any]) -> None:
        self._run.log({_STEP: step, **values})


def _settings(wandb: Any) -> Any:
    """Returns settings that leave the program's output, code and machine alone."""
    facts = git_facts()
    return wandb.Settings(
        console="off",
        silent=True,
        disable_code=True,
        save_code=False,
        disable_git=True,  # It would also upload the uncommitted changes.
        git_commit=facts.get("git/commit"),
        git_remote_url=facts.get("git/remote"),
        x_disable_stats=True,
        x_save_requirements=False,  # Recorded as a text.
    )
