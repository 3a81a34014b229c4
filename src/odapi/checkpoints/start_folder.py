"""The folder where a training was started: relative paths of its config begin there."""

import os
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any

from odapi.checkpoints.training_state import FACTS
from odapi.config.load import Config, options
from odapi.errors import DataError
from odapi.files import matching_paths, read_json_object

_FOLDER, _FROM_RUN = "start_folder", "start_folder_from_run"

# A kind, a path, and options: "coco:val.json?images=photos".
_SPEC = re.compile(r"((?:[A-Za-z]\w+:)?)([^?]*)(.*)", re.DOTALL)


def start_facts(model_dir: pathlib.Path) -> dict[str, str]:
    """Returns the current folder for the facts of a checkpoint.

    It is also kept relative to the run, which may be moved or copied with its data.
    """
    here = os.path.abspath(os.curdir)
    facts = {_FOLDER: here}
    try:
        facts[_FROM_RUN] = os.path.relpath(here, model_dir.resolve())
    except ValueError:  # On Windows, another drive.
        return facts
    return facts


def start_folders(checkpoint: pathlib.Path) -> list[pathlib.Path]:
    """Returns the folders where relative paths of a run may begin, most likely first.

    Args:
        checkpoint: A folder `model_dir/checkpoints/step-...`.
    """
    facts = read_json_object(checkpoint / FACTS)
    run = checkpoint.resolve().parent.parent
    start, from_run = facts.get(_FOLDER), facts.get(_FROM_RUN)
    found = [pathlib.Path(start)] if isinstance(start, str) else []
    if isinstance(from_run, str):
        found.append(pathlib.Path(os.path.normpath(run / from_run)))
    return list(dict.fromkeys(found))


def use_start_folder(config: Config, checkpoint: pathlib.Path) -> None:
    """Makes relative data paths of a run's config absolute if they exist there.

    In the folder where the training was started, nothing is changed.

    Args:
        config: Config of a checkpoint, before overrides, whose paths begin here.
        checkpoint: Folder of the checkpoint.
    """
    here = pathlib.Path(os.path.abspath(os.curdir))
    starts = start_folders(checkpoint)
    if not starts or starts[0] == here:
        return
    for path, assign in _paths(config):
        if path and not os.path.isabs(os.path.expanduser(path)):
            places = (start / path for start in starts)
            existing = next((p for p in places if _exists(str(p))), None)
            if existing is not None:
                assign(os.path.normpath(existing))


def with_start_folder(error: DataError, checkpoint: pathlib.Path) -> DataError:
    """Returns the error for evaluation data, with where a run's paths were looked for.

    Args:
        error: The error of the data.
        checkpoint: Folder of the checkpoint whose config names the data.
    """
    place = error.place.partition(":")[2] if ":" in error.place else error.place
    if any(_exists(p) or os.path.isabs(p) for p in (error.place, place)):
        return error
    looked = [*map(str, start_folders(checkpoint)), os.path.abspath(os.curdir)]
    return DataError(
        error.place,
        error.problem,
        hint="the path is that of the run's config, which begins where training was "
        f"started; looked in {', '.join(dict.fromkeys(looked))}. Name the data: "
        "--eval-data SPEC, such as coco:PATH",
    )


def _exists(path: str) -> bool:
    return os.path.exists(path) or bool(matching_paths(path))


def _paths(config: Any) -> Iterator[tuple[str, Callable[[str], None]]]:
    """Yields each path of data in a config, with a function that replaces it."""
    ours = options(config)
    for name in ("train_data", "eval_data"):
        kind, path, rest = _SPEC.fullmatch(getattr(ours, name)).groups()  # type: ignore[union-attr]
        yield path, _spec_setter(ours, name, kind, rest)
    for reader in (config.train_input_reader, *config.eval_input_reader):
        yield reader.label_map_path, _setter(reader, "label_map_path")
        records = reader.tf_record_input_reader.input_path
        for index, path in enumerate(records):
            yield path, _item_setter(records, index)


def _setter(message: Any, name: str) -> Callable[[str], None]:
    return lambda path: setattr(message, name, path)


def _item_setter(items: Any, index: int) -> Callable[[str], None]:
    return lambda path: items.__setitem__(index, path)


def _spec_setter(
    message: Any, name: str, kind: str, rest: str
) -> Callable[[str], None]:
    return lambda path: setattr(message, name, f"{kind}{path}{rest}")
