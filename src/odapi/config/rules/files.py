"""Files that a config names, and label maps against `num_classes`."""

import glob
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning
from odapi.config.label_map import load_label_map
from odapi.config.load import options
from odapi.config.readers import all_readers
from odapi.config.rules.keypoint_classes import find_keypoint_classes
from odapi.config.windows_paths import is_windows_path
from odapi.errors import DataError
from odapi.files import matching_paths
from odapi.labels import LabelMap
from odapi.wording import counted

PLACEHOLDER = "PATH_TO_BE_CONFIGURED"


def is_placeholder(path: str) -> bool:
    """Returns True if a path is still the placeholder of an example config."""
    return PLACEHOLDER in path


def find(config: Any, for_training: bool = True) -> Iterator[Finding]:
    """Yields paths that do not exist, and label maps that contradict the model.

    Args:
        config: A TrainEvalPipelineConfig.
        for_training: False skips the training data and the fine-tuning checkpoint.
    """
    maps: dict[str, LabelMap] = {}
    ours = options(config)
    center_net = config.model.center_net
    if center_net.keypoint_estimation_task and center_net.keypoint_label_map_path:
        where = "model.center_net.keypoint_label_map_path"
        missing = list(_find_missing(where, center_net.keypoint_label_map_path))
        yield from missing or find_keypoint_classes(center_net)
    if for_training:
        yield from _find_checkpoint(config)
        yield from _find_reader(
            config, "train_input_reader", config.train_input_reader, maps
        )
    if path := ours.data_loading.label_hierarchy:
        yield from _find_missing("options.data_loading.label_hierarchy", path)
    if not config.eval_input_reader and not ours.eval_data:
        problem = "is missing: nothing is evaluated"
        yield (
            warning("eval_input_reader", problem)
            if for_training
            else error("eval_input_reader", problem, "give --eval-data")
        )
    readers = list(config.eval_input_reader)
    if not readers and ours.eval_data:
        yield from _find_spec("options.eval_data", ours.eval_data)
    for index, reader in enumerate(readers):
        yield from _find_reader(config, f"eval_input_reader[{index}]", reader, maps)
    if len(readers) > 1:
        yield warning(
            "eval_input_reader",
            f"has {counted(len(readers), 'entry', 'entries')}; the original evaluates "
            f"only the first, too",
        )
    yield from _find_other_classes(maps)
    if for_training and (readers or ours.eval_data):
        evaluated = readers[0] if readers else None
        yield from _find_shared_data(config.train_input_reader, evaluated, ours)


def _find_reader(
    config: Any, path: str, reader: Any, maps: dict[str, LabelMap]
) -> Iterator[Finding]:
    ours = options(config)
    option = "train_data" if path.startswith("train") else "eval_data"
    spec = getattr(ours, option)
    if spec:
        yield from _find_spec(f"options.{option}", spec)
    else:
        yield from _find_records(path, reader)
    where = f"{path}.label_map_path"
    if not reader.label_map_path or (spec and is_placeholder(reader.label_map_path)):
        if not spec:
            yield error(where, "is missing; it names the classes")
        return
    yield from _find_label_map(config, where, reader.label_map_path, maps)


def _find_records(path: str, reader: Any) -> Iterator[Finding]:
    kind = reader.WhichOneof("input_reader")
    if kind is None:
        option = "--train-data" if path.startswith("train") else "--eval-data"
        yield error(
            path, "names no data", f"set tf_record_input_reader, or pass {option}"
        )
        return
    if kind != "tf_record_input_reader":
        return
    patterns = reader.tf_record_input_reader.input_path
    where = f"{path}.tf_record_input_reader.input_path"
    if not patterns:
        yield error(where, "is missing", "such as input_path: 'data/train-*.tfrecord'")
    for index, pattern in enumerate(patterns):
        yield from _find_missing(f"{where}[{index}]", pattern, globs=True)


def _find_missing(
    where: str, path: str, globs: bool = False, needed: bool = True
) -> Iterator[Finding]:
    if is_placeholder(path):
        whole = where if not needed else where.partition("[")[0]
        hint = f"--set {where}=..."
        if not needed or where.startswith("eval_input_reader"):
            hint += f", or remove it: --set {whole}="
        problem = f"is still the placeholder {PLACEHOLDER}; set it to your file"
        yield error(where, problem, hint)
    elif "://" in path:
        yield error(where, f"{path!r} is a remote path", "copy it to a local disk")
    elif _matches(path, globs):
        return
    elif globs and glob.has_magic(path):
        yield error(where, f"no file matches {path!r}", _path_hint(path))
    else:
        yield error(where, f"{path!r} does not exist", _path_hint(path))


def _matches(path: str, globs: bool) -> bool:
    full = os.path.expanduser(path)
    return os.path.exists(full) or (globs and bool(matching_paths(full)))


def _path_hint(path: str) -> str:
    if is_windows_path(path):
        return (
            "this is a Windows path, and no end of it exists here; set it to the path "
            "on this machine, with / between folders"
        )
    if os.path.isabs(path):
        parent = pathlib.Path(path).parent
        return "" if parent.is_dir() else f"the folder {str(parent)!r} does not exist"
    return f"relative paths are resolved against {os.getcwd()}"


def _find_label_map(
    config: Any, where: str, path: str, maps: dict[str, LabelMap]
) -> Iterator[Finding]:
    missing = list(_find_missing(where, path))
    yield from missing
    if missing:
        return
    try:
        label_map = load_label_map(os.path.expanduser(path))
    except DataError as problem:
        yield error(where, f"{problem.place}: {problem.problem}", problem.hint)
        return
    maps[where] = label_map
    yield from _find_hierarchy(config, where, label_map)
    model = config.model.WhichOneof("model")
    num_classes = getattr(getattr(config.model, model or "", None), "num_classes", 0)
    highest = label_map.num_classes
    if not num_classes or options(config).sampling.single_class:
        return
    field = f"model.{model}.num_classes"
    fix = f"--set {field}={highest}"
    if highest > num_classes:
        yield error(
            field,
            f"is {num_classes}, but the highest id of {path} is {highest} "
            f"({label_map.by_id[highest].label})",
            fix,
        )
    elif highest < num_classes and where.startswith("train"):
        yield warning(
            field,
            f"is {num_classes}, but the highest id of {path} is {highest}: "
            f"{counted(num_classes - highest, 'class', 'classes')} are never trained",
            fix,
        )


def _find_hierarchy(config: Any, where: str, label_map: LabelMap) -> Iterator[Finding]:
    """Yields a label map without the hierarchy that its reader expands."""
    path = where.rpartition(".")[0]
    reader = dict(all_readers(config))[path]
    ours = options(config).data_loading.label_hierarchy
    has_ids = any(c.ancestor_ids or c.descendant_ids for c in label_map)
    if reader.expand_labels_hierarchy and not ours and not has_ids:
        yield error(
            f"{path}.expand_labels_hierarchy",
            f"needs ancestor_ids and descendant_ids, which no item of "
            f"{label_map.source} has",
            "--set options.data_loading.label_hierarchy=FILE.json names the hierarchy "
            "file of Open Images",
        )


def _find_other_classes(maps: dict[str, LabelMap]) -> Iterator[Finding]:
    named = list(maps.items())
    for where, other in named[1:]:
        for category in other:
            mine = named[0][1].by_id.get(category.id)
            if mine is not None and mine.name != category.name:
                yield error(
                    where,
                    f"class {category.id} is {category.name!r}, but {mine.name!r} in "
                    f"{named[0][0]}",
                    "use the same label map in both readers",
                )
                break


def _find_checkpoint(config: Any) -> Iterator[Finding]:
    train, ours = config.train_config, options(config)
    where, path = "train_config.fine_tune_checkpoint", train.fine_tune_checkpoint
    weights = ours.backbone_weights
    if weights and weights != "imagenet":
        yield from _find_missing("options.backbone_weights", weights)
    if not path:
        return
    if weights and is_placeholder(path):
        yield warning(
            where, f"{path!r} is ignored: options.backbone_weights replaces it"
        )
    elif not os.path.exists(os.path.expanduser(path) + ".index"):
        yield from _find_missing(where, path, needed=False)


def _find_spec(where: str, spec: str) -> Iterator[Finding]:
    from odapi.data.sources.open import KINDS, parse_spec  # Imports OpenCV.

    kind, colon, _ = spec.partition(":")
    if not colon or kind not in KINDS:
        forms = ", ".join(f"{name}:PATH" for name in KINDS)
        yield error(where, f"{spec!r} is not a dataset", f"use one of {forms}")
        return
    # A "?" may belong to a glob: data-?????-of-00010.
    path = parse_spec(spec).path
    for one in path.split(",") if kind == "tfrecord" else [path]:
        yield from _find_missing(where, one, globs=True)


def _has_parts(spec: str) -> bool:
    """Returns whether a dataset means other images for training than for evaluation."""
    from odapi.data.sources.open import default_split, parse_spec  # Imports OpenCV.

    try:
        parsed = parse_spec(spec)
        parts = [default_split(parsed, part) for part in ("train", "val")]
    except DataError:
        return False  # Reported when it is opened.
    return parts[0] != parts[1]


def _find_shared_data(train: Any, evaluated: Any, ours: Any) -> Iterator[Finding]:
    if ours.train_data or ours.eval_data:
        if ours.train_data == ours.eval_data and not _has_parts(ours.train_data):
            yield warning(
                "options.eval_data", "is the training data", check="evaluates_training"
            )
        return
    mine = set(train.tf_record_input_reader.input_path)
    same = mine & set(evaluated.tf_record_input_reader.input_path)
    for path in sorted(same):
        if not is_placeholder(path):
            yield warning(
                "eval_input_reader[0].tf_record_input_reader.input_path",
                f"{path!r} is training data, too: the metrics will be too high",
                check="evaluates_training",
            )
