"""Dataset specs: `coco:PATH`, `voc:PATH?split=train`, `yolo:PATH` ..."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Callable, Mapping

from odapi.data.sources.ava import open_ava
from odapi.data.sources.base import BaseSource
from odapi.data.sources.coco import open_coco
from odapi.data.sources.csv_boxes import open_csv
from odapi.data.sources.cvat import ANNOTATIONS as CVAT
from odapi.data.sources.cvat import open_cvat
from odapi.data.sources.kitti import open_kitti
from odapi.data.sources.labelme import open_labelme
from odapi.data.sources.listing import forget
from odapi.data.sources.lvis import open_lvis
from odapi.data.sources.openimages import open_openimages
from odapi.data.sources.openimages_files import BOXES as OPEN_IMAGES
from odapi.data.sources.pets import open_pets
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.data.sources.voc import open_voc
from odapi.data.sources.yolo import open_yolo
from odapi.data.sources.yolo_folders import split_in_data_file
from odapi.errors import DataError, did_you_mean, unknown_choice
from odapi.labels import LabelMap

# Text after the last "?" of a path is options only in this form, since a glob of
# records may contain question marks.
_OPTIONS = re.compile(r"\?([a-z_]+=[^?&]*(?:&[a-z_]+=[^?&]*)*)$")

# Options of all datasets with image files.
_COMMON = ("images", "split", "missing", "unknown")


@dataclasses.dataclass(frozen=True)
class Spec:
    """A parsed dataset spec.

    Args:
        kind: One of `KINDS`.
        path: File, folder or glob.
        options: Options after the "?".
    """

    kind: str
    path: str
    options: Mapping[str, str]


def parse_spec(text: str) -> Spec:
    """Parses `KIND:PATH?option=value&option=value`; KIND is optional.

    Raises:
        DataError: The kind is unknown and cannot be guessed from the path.

    >>> parse_spec("voc:data/bccd?split=train")
    Spec(kind='voc', path='data/bccd', options={'split': 'train'})
    """
    path, options = text, {}
    match = _OPTIONS.search(text)
    if match:
        path = text[: match.start()]
        options = _options(match[1], text)
    kind, colon, rest = path.partition(":")
    if colon and len(kind) > 1:  # One letter is a Windows drive.
        if kind not in _OPENERS:
            raise unknown_choice(f"dataset {text!r}", kind, _OPENERS, DataError)
        _refuse_empty(rest, text)
        return Spec(kind, os.path.expanduser(rest), options)
    _refuse_empty(path, text)
    path = os.path.expanduser(path)
    return Spec(_guess(path), path, options)


def _refuse_empty(path: str, spec: str) -> None:
    if not path.strip():
        hint = "the current folder is '.', as in coco:."
        raise DataError(f"dataset {spec!r}", "has no path", hint=hint)


def open_source(
    spec: str,
    label_map: LabelMap | None = None,
    load_masks: bool = True,
    drop_unknown: bool = False,
    part: str = "",
) -> BaseSource:
    """Opens a dataset for random access.

    Args:
        spec: `coco:FILE.json?images=DIR`, `coco:DIR`, `voc:DIR?split=train`,
            `yolo:DIR_OR_YAML?split=val`, `csv:FILE.csv`, `tfrecord:GLOB`, or another
            one of `KINDS`, which docs/data.md describes. All accept
            `unknown=drop`, which drops objects of classes that the label map lacks;
            those with image files `images=DIR` and `missing=skip`, records of
            tf.SequenceExample `type=sequence`.
        label_map: The classes; None uses those of the dataset.
        load_masks: Whether samples get masks, which take time to decode.
        drop_unknown: Drop objects of classes that `label_map` lacks; the same as
            `unknown=drop`.
        part: "train" or "val": the part of a YOLO `data.yaml` to read if `spec` has no
            `split`; "" reads all.

    Returns:
        The source; its `problems` list what was found so far.

    Raises:
        DataError: The dataset cannot be used.
    """
    forget()  # Files may have been added since the last dataset was opened.
    parsed = parse_spec(spec)
    split = default_split(parsed, part)
    if split:
        options = {**parsed.options, "split": split}
        parsed = dataclasses.replace(parsed, options=options)
    if drop_unknown:
        options = {**parsed.options, "unknown": "drop"}
        parsed = dataclasses.replace(parsed, options=options)
    try:
        return _OPENERS[parsed.kind](parsed, label_map, load_masks)
    except OSError as error:  # Such as a folder without permission, or a long name.
        place = os.fsdecode(error.filename or f"{parsed.kind}:{parsed.path}")[:200]
        reason = f"cannot be read: {error.strerror or error}"
        raise DataError(place, reason) from error


def default_split(spec: Spec, part: str) -> str:
    """Returns the split that a dataset stands for in training or in evaluation.

    To users of YOLO, a `data.yaml` is all parts of a dataset, each for its purpose.

    Args:
        spec: The dataset.
        part: "train" or "val".

    Returns:
        The split; "" for all images, as of other formats, or without such a part.
    """
    if spec.kind != "yolo" or "split" in spec.options or not part:
        return ""
    return split_in_data_file(pathlib.Path(spec.path), part)


def _ava(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, _COMMON)
    return open_ava(spec.path, label_map, **options)


def _coco(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, _COMMON)
    return open_coco(spec.path, label_map, load_masks=load_masks, **options)


def _lvis(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, _COMMON)
    return open_lvis(spec.path, label_map, load_masks=load_masks, **options)


def _csv(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, _COMMON)
    return open_csv(spec.path, label_map, **options)


def _cvat(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, _COMMON)
    return open_cvat(spec.path, label_map, load_masks=load_masks, **options)


def _kitti(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, (*_COMMON, "level", "dontcare"))
    return open_kitti(spec.path, label_map, **options)


def _labelme(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, _COMMON)
    return open_labelme(spec.path, label_map, load_masks=load_masks, **options)


def _openimages(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, _COMMON)
    return open_openimages(spec.path, label_map, load_masks=load_masks, **options)


def _pets(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, (*_COMMON, "boxes"))
    return open_pets(spec.path, label_map, load_masks=load_masks, **options)


def _voc(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, _COMMON)
    return open_voc(spec.path, label_map, **options)


def _yolo(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, (*_COMMON, "lines"))
    return open_yolo(spec.path, label_map, load_masks=load_masks, **options)


def _tfrecord(spec: Spec, label_map: LabelMap | None, load_masks: bool) -> BaseSource:
    options = _taken(spec, ("unknown", "type"))
    whole = pathlib.Path(spec.path).exists()  # File names may contain commas.
    paths = [spec.path] if whole else [p for p in spec.path.split(",") if p]
    return open_tfrecord(paths, label_map, load_masks=load_masks, **options)


_OPENERS: dict[str, Callable[[Spec, LabelMap | None, bool], BaseSource]] = {
    "ava": _ava,
    "coco": _coco,
    "csv": _csv,
    "cvat": _cvat,
    "kitti": _kitti,
    "labelme": _labelme,
    "lvis": _lvis,
    "openimages": _openimages,
    "pets": _pets,
    "voc": _voc,
    "tfrecord": _tfrecord,
    "yolo": _yolo,
}
KINDS = tuple(_OPENERS)

# Options with a single allowed value, and the argument that it sets.
_SWITCHES = {
    "missing": ("skip", "skip_missing"),
    "unknown": ("drop", "drop_unknown"),
    "type": ("sequence", "sequences"),
    "lines": ("polygons", "polygons"),
    "dontcare": ("drop", "drop_regions"),
}


def _options(given: str, text: str) -> dict[str, str]:
    """Returns the options of a spec by name; an option given twice is an error."""
    options: dict[str, str] = {}
    for name, _, value in (one.partition("=") for one in given.split("&")):
        if name in options:
            problem = f"option {name!r} is given twice"
            raise DataError(f"dataset {text!r}", problem, hint="keep one of the two")
        options[name] = value
    return options


def _taken(spec: Spec, known: tuple[str, ...]) -> dict:
    """Returns the options as keyword arguments."""
    place = f"dataset {spec.kind}:{spec.path}"
    arguments: dict[str, str | bool] = {}
    for name, value in spec.options.items():
        if name not in known:
            options = ", ".join(sorted(known))
            problem = f"unknown option {name!r}; known options are {options}"
            raise DataError(place, problem, hint=did_you_mean(name, known))
        if name not in _SWITCHES:
            arguments[name] = value
            continue
        word, argument = _SWITCHES[name]
        if value != word:
            raise unknown_choice(f"{place}?{name}", value, [word], DataError)
        arguments[argument] = True
    return arguments


def _guess(path: str) -> str:
    """Returns the kind of a dataset given by its path alone."""
    place = pathlib.Path(path)
    if place.suffix == ".json":
        return "coco"
    if place.suffix.lower() == ".xml":
        return "cvat"
    if place.suffix in (".yaml", ".yml", ".data"):
        return "yolo"
    if place.suffix.lower() == ".csv":
        if OPEN_IMAGES in place.name:
            return "openimages"
        return "ava" if _AVA.match(place.name) else "csv"
    if "record" in place.name.lower():
        return "tfrecord"
    if place.is_dir():
        for kind, patterns in _SIGNS.items():
            if any(_visible(place, pattern) for pattern in patterns):
                look_alike, test = _LOOK_ALIKES.get(kind, ("", None))
                return look_alike if test is not None and test(place) else kind
    raise DataError(
        f"dataset {path!r}",
        "the format cannot be guessed"
        + ("" if place.exists() else "; the path does not exist"),
        hint=f"write one of {', '.join(f'{k}:{path}' for k in sorted(_OPENERS))}",
    )


def _is_pets(folder: pathlib.Path) -> bool:
    """Returns whether the list of a folder has class, species and breed, as of pets."""
    try:
        with open(folder / "annotations" / "trainval.txt", "rb") as opened:
            lines = opened.read(_START).splitlines()
    except OSError:
        return False
    words = next((w for w in map(bytes.split, lines) if w and w[0][:1] != b"#"), [])
    return len(words) == 4 and all(word.isdigit() for word in words[1:])


def _is_labelme(folder: pathlib.Path) -> bool:
    """Returns whether the first JSON file in a folder has shapes, as of LabelMe."""
    file = min(folder.glob("*.json"), default=None)
    if file is None:
        return False
    with open(file, "rb") as opened:
        start = opened.read(_START)
    return b'"shapes"' in start and b'"annotations"' not in start


def _visible(folder: pathlib.Path, pattern: str) -> bool:
    """Returns whether a file matches; not `.idea/workspace.xml` of an editor."""
    found = (f.relative_to(folder).parts for f in folder.glob(pattern))
    return any(not any(p.startswith(".") for p in parts) for parts in found)


_AVA = re.compile(r"ava_.*_v\d+\.\d+\.csv$")  # Without a line of column names.
_START = 4096  # Bytes of a file that tell its format.

# Kinds with the same files as another one, and the test of a folder for them.
_LOOK_ALIKES = {"coco": ("labelme", _is_labelme), "voc": ("pets", _is_pets)}

# Files that identify the kind of a folder.
_SIGNS = {
    "ava": ("ava_*_v?.?.csv",),
    "cvat": (CVAT,),
    "kitti": ("label_2/*.txt", "*/label_2/*.txt"),
    "openimages": (f"*{OPEN_IMAGES}.csv", f"annotations/*{OPEN_IMAGES}.csv"),
    "voc": ("Annotations/*.xml", "*.xml", "annotations/*.xml", "*/*.xml", "*/*/*.xml"),
    "yolo": (
        "data.yaml",
        "*.yaml",
        "labels/*.txt",
        "labels/*/*.txt",
        "*/labels/*.txt",
        "obj.data",
    ),
    "coco": ("*.json", "annotations/*.json", "*/*.json"),
    "tfrecord": ("*record*",),
    "csv": ("*.csv",),
}
