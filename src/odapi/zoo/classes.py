"""The label map of a checkpoint of the original, which it does not hold itself."""

import importlib.resources
import json
import os
import pathlib
from typing import Any

from odapi.config.label_map import load_label_map
from odapi.config.rules.files import is_placeholder
from odapi.errors import CheckpointError
from odapi.labels import Category, LabelMap, label_map_of

_COCO_CLASSES = 90  # The highest id; ten have no class.


def classes_of(
    config: Any,
    num_classes: int,
    beside: pathlib.Path,
    given: str | os.PathLike[str] | None = None,
) -> tuple[LabelMap, str]:
    """Returns the label map of a model, and where it is from.

    That is the one given, else what the config's readers name, else COCO's where
    the config is one of the zoo (90 classes, a path to be filled in), else numbers.

    Args:
        config: A TrainEvalPipelineConfig.
        num_classes: Of the model.
        beside: The folder of the config, in which a path may be meant.
        given: Path of a label map; None: look for one.

    Raises:
        CheckpointError: There are more classes than the model knows.
        DataError: A label map cannot be read.
    """
    path = pathlib.Path(given).expanduser() if given else _named(config, beside)
    if path is not None:
        found = load_label_map(path)
        if found.num_classes > num_classes:
            raise CheckpointError(
                str(path),
                f"has ids up to {found.num_classes}, the model {num_classes} classes",
                hint="give the one that it was trained with: --label-map",
            )
        return found, f"{len(found)}, of {path}"
    if num_classes == _COCO_CLASSES and _of_the_zoo(config):
        found = coco()
        return found, f"{len(found)} of COCO, as in the zoo"
    names = [f"class {n + 1}" for n in range(num_classes)]
    told = f"{num_classes} without names: no label map is there; give it: --label-map"
    return label_map_of(names), told


def coco() -> LabelMap:
    """Returns the 80 classes of COCO, with ids up to 90 as in the original."""
    file = importlib.resources.files("odapi.zoo") / "facts" / "coco_classes.json"
    names = json.loads(file.read_text("utf-8"))
    return LabelMap(tuple(Category(int(i), n) for i, n in names.items()), "COCO")


def _paths(config: Any) -> list[str]:
    readers = [config.train_input_reader, *config.eval_input_reader]
    return [r.label_map_path for r in readers if r.label_map_path]


def _named(config: Any, beside: pathlib.Path) -> pathlib.Path | None:
    for path in map(pathlib.Path, _paths(config)):
        # Where it is, else a copy beside the config, from another machine.
        for place in (path, beside / path, beside / path.name):
            if not is_placeholder(str(path)) and place.is_file():
                return place
    return None


def _of_the_zoo(config: Any) -> bool:
    paths = _paths(config)
    return not paths or any(is_placeholder(p) or "mscoco" in p for p in paths)
