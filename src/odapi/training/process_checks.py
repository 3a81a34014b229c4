"""Checks that all processes of a training do the same, before anything is built."""

import hashlib
import os
import pathlib
from collections.abc import Callable
from typing import Any

import keras

from odapi.checkpoints import folder as folders
from odapi.config import parse
from odapi.config.diff import diff
from odapi.config.load import Config, load_config
from odapi.data.loader.pipeline import Pipeline
from odapi.errors import ClusterError, ConfigError
from odapi.runtime.distribution.strategy import Strategy
from odapi.training.resume import find_checkpoint


def check_alone(strategy: Strategy, option: str, is_set: bool) -> None:
    """Refuses an option that one process decides by itself, among several.

    Raises:
        ConfigError: It is set.
    """
    if is_set and not strategy.is_alone:
        raise ConfigError(
            option,
            f"works in one process, and this is one of {strategy.num_processes}",
            hint="leave it out",
        )


def check_same_config(
    strategy: Strategy, config: Config, model_dir: pathlib.Path
) -> None:
    """Checks that all processes train by the same config, into the same folder.

    Raises:
        ClusterError: They do not; in process 0, which ends the others.
    """
    if strategy.num_processes == 1:
        return
    own = [parse.to_text(config), os.path.abspath(model_dir), keras.__version__]
    found = strategy.gather(own)

    def check() -> None:
        for process, (text, folder, version) in enumerate(found):
            if text != found[0][0]:
                changes = diff(load_config(found[0][0]), load_config(text))
                first = changes[0] if changes else None
                raise _differs(
                    process,
                    f"{first.path}: {first.right}, and process 0 {first.left}"
                    if first
                    else "another config",
                    "start all with the same config and options",
                )
            if folder != found[0][1]:
                raise _differs(
                    process,
                    f"the --model-dir {folder}, and process 0 {found[0][1]}",
                    "one training has one folder, which all processes see; for "
                    "separate trainings, --num-processes 1",
                )
            if version != found[0][2]:
                raise _differs(
                    process,
                    f"Keras {version}, and process 0 {found[0][2]}",
                    "install the same versions everywhere",
                )

    strategy.on_chief(check)


def check_same_data(
    strategy: Strategy, pipeline: Pipeline, evaluation: Pipeline | None
) -> None:
    """Checks that all processes read the same images and classes.

    Raises:
        ClusterError: They do not; in process 0, which ends the others.
    """
    if strategy.num_processes == 1:
        return
    names = ["training data", "evaluation data"]
    found = strategy.gather([_facts(pipeline), evaluation and _facts(evaluation)])

    def check() -> None:
        for process, sets in enumerate(found):
            for name, facts, expected in zip(names, sets, found[0], strict=True):
                if facts == expected:
                    continue
                images = [
                    f"{known['images']} images" if known else "no images"
                    for known in (facts, expected)
                ]
                other = " with other names or classes" if images[0] == images[1] else ""
                raise _differs(
                    process,
                    f"other {name}: {images[0]}{other}, and process 0 {images[1]}",
                    "all processes need the same files, on a shared file system or as "
                    "equal copies",
                )

    strategy.on_chief(check)


def _facts(pipeline: Pipeline) -> dict[str, Any]:
    """Returns the number of images, and a checksum of their ids and of the classes."""
    ids = getattr(pipeline.source, "image_ids", ())
    checksum = hashlib.sha256()
    for part in (*ids, *(f"{c.id} {c.name}" for c in pipeline.label_map)):
        checksum.update(f"{part}\n".encode(errors="surrogateescape"))
    return {"images": pipeline.num_images, "checksum": checksum.hexdigest()}


def shared_checkpoint(
    strategy: Strategy, model_dir: pathlib.Path
) -> pathlib.Path | None:
    """Returns the checkpoint to resume from, that which process 0 finds; None: none.

    Raises:
        CheckpointError: It has no training state.
        ClusterError: Another process does not see it.
    """

    def find() -> str:
        found = find_checkpoint(model_dir)
        return found.name if found else ""

    name = strategy.on_chief(find)
    if not name:
        return None
    folder = folders.path_of(model_dir, 0).parent / name
    if not (folder / folders.WEIGHTS).is_file():
        raise ClusterError(
            str(folder),
            f"is the checkpoint that process 0 resumes from, and process "
            f"{strategy.process_id} does not see it",
            hint="--model-dir must be on a file system that all processes share",
        )
    return folder


def decided(strategy: Strategy, decide: Callable[[], Any]) -> Any:
    """Returns the result of a function, if it is not None in process 0.

    Process 0 calls it first, so that it has written what it writes.
    """
    results: list[Any] = []

    def first() -> bool:
        results.append(decide())
        return results[0] is not None

    if not strategy.on_chief(first):
        return None
    return results[0] if results else decide()


def _differs(process: int, what: str, hint: str) -> ClusterError:
    return ClusterError(f"process {process}", f"has {what}", hint)
