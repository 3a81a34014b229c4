"""Label maps for the original's checkpoints, which do not contain one."""

import importlib.resources
import json
import os
import pathlib
from typing import Any

from odapi.checkpoints import folder as folders
from odapi.config.label_map import load_label_map
from odapi.config.rules.files import is_placeholder
from odapi.errors import CheckpointError
from odapi.labels import Category, LabelMap, label_map_of
from odapi.wording import counted

_COCO_CLASSES = 90  # The highest id; ten have no class.


def classes_of(
    config: Any,
    num_classes: int,
    beside: pathlib.Path,
    given: str | os.PathLike[str] | None = None,
) -> tuple[LabelMap, str]:
    """Returns the label map of a model, and a description of its origin.

    In this order: the given one, that of the config's readers, `label_map.pbtxt`
    beside the config, COCO's for configs of the zoo (90 classes and a placeholder
    path), or numbered names.

    Args:
        config: A TrainEvalPipelineConfig.
        num_classes: Number of classes of the model.
        beside: Folder of the config; paths may be relative to it.
        given: Path of a label map; None: search for one.

    Raises:
        CheckpointError: The label map has more classes than the model.
        DataError: A label map cannot be read.
    """
    path = (
        pathlib.Path(given).expanduser() if given else _find_label_map(config, beside)
    )
    if path is not None:
        found = load_label_map(path)
        if found.num_classes > num_classes:
            raise CheckpointError(
                str(path),
                f"has ids up to {found.num_classes}, the model "
                f"{counted(num_classes, 'class', 'classes')}",
                hint="use the label map of the training: --label-map FILE",
            )
        return found, f"{len(found)}, of {path}"
    if num_classes == _COCO_CLASSES and _is_zoo_config(config):
        found = coco()
        return found, f"{len(found)} of COCO, as in the zoo"
    names = [f"class {n + 1}" for n in range(num_classes)]
    origin = f"{num_classes} without names: no label map found; set --label-map FILE"
    return label_map_of(names), origin


def num_classes_of(config: Any) -> int:
    """Returns `num_classes` of the model of a config; 0 without a model."""
    model = config.model.WhichOneof("model")
    return getattr(config.model, model).num_classes if model else 0


def coco() -> LabelMap:
    """Returns the 80 classes of COCO, with ids up to 90 as in the original."""
    file = importlib.resources.files("odapi.zoo") / "facts" / "coco_classes.json"
    names = json.loads(file.read_text("utf-8"))
    return LabelMap(tuple(Category(int(i), n) for i, n in names.items()), "COCO")


def _paths(config: Any) -> list[str]:
    readers = [config.train_input_reader, *config.eval_input_reader]
    return [r.label_map_path for r in readers if r.label_map_path]


def _find_label_map(config: Any, beside: pathlib.Path) -> pathlib.Path | None:
    for path in map(pathlib.Path, _paths(config)):
        # The path itself, else a copy next to the config, for another machine.
        for place in (path, beside / path, beside / path.name):
            if not is_placeholder(str(path)) and place.is_file():
                return place
    written = beside / folders.LABEL_MAP  # By `export_checkpoint`, for any config.
    return written if written.is_file() else None


def _is_zoo_config(config: Any) -> bool:
    paths = _paths(config)
    return not paths or any(is_placeholder(p) or "mscoco" in p for p in paths)
