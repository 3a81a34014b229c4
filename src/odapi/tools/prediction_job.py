"""Options of a large prediction, what workers receive, and the check of a resumed run.

`run.json` in the output folder has the settings of the run. A later run with the same
settings computes the shards that are missing; another one is refused by name.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from odapi import __version__
from odapi.api.model_path import ModelPath, locate
from odapi.checkpoints import folder as folders
from odapi.errors import OutputError, unknown_choice
from odapi.files import read_json_object, write_json
from odapi.inference.predict import Classes
from odapi.inference.predictor import Predictor
from odapi.inference.selection import Selection
from odapi.inference.tiling import Tiling
from odapi.labels import LabelMap
from odapi.outputs.folder import new_place
from odapi.outputs.marker import MARKER
from odapi.runtime.backend_choice import VARIABLE, choose
from odapi.tools.image_list import ImageList, read_list
from odapi.wording import counted

RUN_FILE = "run.json"
JSON_LINES, TFRECORD = "jsonl", "tfrecord"
FORMATS = (JSON_LINES, TFRECORD)

# Loads a predictor, given path, overrides and label map.
Load = Callable[[str, Sequence[str], LabelMap | None], Predictor]
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class PredictionOptions:
    """Options of a prediction, those of `odapi predict`.

    Args:
        min_score, classes, max_detections, batch_size, tile, overrides, label_map,
        context: See `odapi.predict`.
        formats: Of the shards: "jsonl", "tfrecord".
        image_pixels: Whether TFRecord files have the images (`image/encoded`).
        device: "cpu", "gpu" or "gpu:N"; None: the default of the backend.

    Raises:
        DataError: There is no such format.
    """

    min_score: float = 0.5
    classes: Classes = None
    max_detections: int | None = None
    batch_size: int = 8
    tile: Tiling | None = None
    overrides: Sequence[str] = ()
    label_map: LabelMap | None = None
    context: str | None = None
    formats: Sequence[str] = FORMATS
    image_pixels: bool = False
    device: str | None = None

    def __post_init__(self) -> None:
        for name in self.formats:
            if name not in FORMATS:
                raise unknown_choice("format", name, FORMATS)


@dataclasses.dataclass(frozen=True)
class Job:
    """Parameters of a large prediction that workers receive; picklable.

    Args:
        model: Path of the model.
        model_digest: Checksum of its files.
        spec: The dataset; "" for image files.
        root: Folder where relative names of image files start.
        output: The output folder.
        shards: Number of shards of the run.
        options: The options.
        selection: The objects to keep.
        environment: Variables that select backend and device.
        load: Loads the model.
    """

    model: str
    model_digest: str
    spec: str
    root: str
    output: str
    shards: int
    options: PredictionOptions
    selection: Selection
    environment: Mapping[str, str]
    load: Load


def load_predictor(
    model: str, overrides: Sequence[str] = (), label_map: LabelMap | None = None
) -> Predictor:
    """Returns the predictor of a path, loaded once per process."""
    from odapi.api.object_detector import ObjectDetector

    return ObjectDetector.load(model, overrides, label_map).predictor


def model_digest(model: str) -> str:
    """Returns a checksum of the files of a model.

    Raises:
        CheckpointError: There is no model.
    """
    place = locate(model)
    digest = hashlib.sha256()
    for name, file in _model_files(place):
        digest.update(f"{name}\0{file.stat().st_size}\0".encode(errors="replace"))
        with open(file, "rb") as opened:
            while chunk := opened.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _model_files(place: ModelPath) -> list[tuple[str, pathlib.Path]]:
    """Returns the files that decide what a model predicts, with their names."""
    if place.keras_file is not None:
        return [("keras", place.keras_file)]
    folder = place.exported or place.weights or place.path
    if folder.is_file():
        return [("program", folder)]
    found = [
        (file.relative_to(folder).as_posix(), file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MARKER
    ]
    beside = folder.parent / folders.LABEL_MAP
    if place.exported is not None and beside.is_file():
        found.append((f"../{folders.LABEL_MAP}", beside))
    return found


def backend_environment(device: str | None) -> dict[str, str]:
    """Returns the variables that select backend and device in a worker."""
    made = {VARIABLE: choose().name}
    if device is not None:  # The option has set them in this process.
        names = ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_TORCH_DEVICE")
        made |= {name: os.environ[name] for name in names if name in os.environ}
    return made


def settings_of(job: Job, images: ImageList) -> dict[str, Any]:
    """Returns what decides the content of the output, as plain data by option."""
    options = job.options
    is_program = job.model_digest and locate(job.model).exported is not None
    label_map = options.label_map
    return {
        "model": job.model_digest,
        "min_score": options.min_score,
        "classes": sorted(job.selection.class_ids or ()),
        "max_detections": options.max_detections,
        "batch_size": options.batch_size,
        "tile": None if options.tile is None else dataclasses.asdict(options.tile),
        "set": list(options.overrides),
        "label_map": None
        if label_map is None
        else _text_digest([dataclasses.astuple(c) for c in label_map]),
        "context": None if options.context is None else _file_digest(options.context),
        "backend": "" if is_program else job.environment[VARIABLE],
        "format": sorted(options.formats),
        "image_pixels": options.image_pixels,
        "dataset": job.spec,
        "folder of the images": job.root,
        "images": images.digest,
        "num_shards": job.shards,
    }


def _text_digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()


def _file_digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_run(
    folder: pathlib.Path, settings: Mapping[str, Any], images: ImageList
) -> bool:
    """Returns whether a folder has a run to resume, which has the same settings.

    Raises:
        OutputError: The folder has a run with other settings; they are named.
    """
    written = read_json_object(folder / RUN_FILE).get("settings")
    if not isinstance(written, dict):
        return False
    differing = [name for name in settings if settings[name] != written.get(name)]
    if not differing:
        return True
    problems = [
        _difference(folder, name, written.get(name), settings[name], images)
        for name in differing
    ]
    raise OutputError(
        str(folder),
        "has a prediction with other settings: " + "; ".join(problems),
        hint="repeat the command with the settings of that run to resume it, or "
        f"choose a new folder, such as {new_place(folder)}",
    )


def write_run(
    folder: pathlib.Path, settings: Mapping[str, Any], model: str, images: ImageList
) -> None:
    """Writes the list and the settings of a new run."""
    images.write(folder)
    about = {"odapi": __version__, "model": model, "settings": settings}
    write_json(folder / RUN_FILE, about, durable=True, error=OutputError)


def _difference(
    folder: pathlib.Path, name: str, before: Any, now: Any, images: ImageList
) -> str:
    if name == "images":
        return _image_difference(folder, images)
    if name in ("model", "label_map", "context") and before and now:
        return f"the files of {name} have changed"
    return f"{name} was {_shown(before)}, now {_shown(now)}"


def _shown(value: Any) -> str:
    return "not given" if value in (None, "", []) else json.dumps(value)


def _image_difference(folder: pathlib.Path, images: ImageList) -> str:
    before = [entry.name or str(entry.id) for entry in read_list(folder)]
    now = [entry.name or str(entry.id) for entry in images]
    old, new = set(before), set(now)
    added = [name for name in now if name not in old]
    removed = [name for name in before if name not in new]
    parts = [
        f"{counted(len(found), 'image')} {verb}, such as {found[0]}"
        for verb, found in (("added", added), ("removed", removed))
        if found
    ]
    return " and ".join(parts) or "the images have another order"
