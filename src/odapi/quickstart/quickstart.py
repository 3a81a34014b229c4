"""`odapi quickstart`: every step once, from images to an exported model."""

import dataclasses
import importlib.resources
import os
import pathlib
import shlex
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from odapi.api import functions as api
from odapi.config.load import load_config
from odapi.console import console
from odapi.data.image.decode import decode_image
from odapi.draw.file import save_image
from odapi.draw.mosaic import mosaic
from odapi.files import write_json
from odapi.outputs.folder import OutputFolder
from odapi.outputs.kinds import QUICKSTART
from odapi.progress import duration
from odapi.quickstart.dataset import MadeDataset, make_dataset
from odapi.quickstart.glyphs import has_digits
from odapi.runtime import backend
from odapi.runtime.backend_choice import choose, is_installed
from odapi.wording import counted

_DATA, _MODEL, _EXPORTED = "data", "model", "exported"
_EVALUATION, _PREDICTIONS = "evaluation", "predictions"
_SUMMARY, _MOSAIC = "summary.json", "detections.jpg"
_NUM_PREDICTED = 12  # Images in the mosaic.
_MIN_SCORE = 0.5


@dataclasses.dataclass(frozen=True)
class Summary:
    """Results of the quick start.

    Args:
        folder: Output folder.
        objects: "digits" or "shapes".
        classes: Names of the classes.
        images: Number of images by split.
        steps: Number of training steps.
        metrics: On the held-out split, by the original's names.
        difference: Between exported model and detector, as in `ExportedFile`; None
            without TensorFlow, which export needs.
        found: Number of detections in the predicted images with a score of 0.5 or
            more.
        seconds: Duration by phase, and "total".
        mosaic: Mosaic of the predictions.
        backend: Of Keras.
    """

    folder: pathlib.Path
    objects: str
    classes: tuple[str, ...]
    images: dict[str, int]
    steps: int
    metrics: dict[str, float]
    difference: float | None
    found: int
    seconds: dict[str, float]
    mosaic: pathlib.Path
    backend: str

    @property
    def next_command(self) -> str:
        """A command to try next."""
        model = _MODEL if self.difference is None else _EXPORTED
        parts = (model, f"{_DATA}/val", "all_predictions")
        model, images, found = (shlex.quote(str(self.folder / part)) for part in parts)
        return f"odapi predict {model} {images} --output {found}"


def quickstart(
    output: str | os.PathLike = "runs/quickstart",
    seed: int = 0,
    objects: str | None = None,
    overrides: tuple[str, ...] = (),
    num_train: int = 2000,
    num_val: int = 150,
) -> Summary:
    """Generates a dataset, trains on it, evaluates, exports and predicts.

    Args:
        output: Output folder; that of an earlier quick start is replaced.
        seed: Seed of images, weights and order.
        objects: "digits" (real handwriting, from scikit-learn) or "shapes"; None:
            digits if scikit-learn is installed.
        overrides: Config overrides, for example "train_config.num_steps=100".
        num_train, num_val: Number of images per split.

    Raises:
        OutputError: `output` has files of something else, or cannot be written.
    """
    objects = objects or ("digits" if has_digits() else "shapes")
    place = OutputFolder(output, QUICKSTART)
    folder = _cleared(place)
    backend.load()
    phases = _Phases()
    with phases("data", f"{counted(num_train + num_val, 'image')} of {objects}"):
        data = make_dataset(folder / _DATA, objects, num_train, num_val, seed)
    with phases("train", "a small SSD from random weights"):
        config = _config(data, seed, overrides)
        api.train(config, folder / _MODEL)
    with phases("evaluate", "on held-out objects"):
        result = api.evaluate(folder / _MODEL, output=folder / _EVALUATION)
    model, difference = folder / _MODEL, None
    if is_installed("tensorflow"):
        with phases("export", "a SavedModel, verified against the detector"):
            exported = api.export(
                model, folder / _EXPORTED, check_images=_val_images(data)[:2]
            )
        model, difference = exported.folder, exported.files[0].difference
    else:
        phases.skip("export", 'needs TensorFlow: pip install "odapi[tensorflow]"')
    which = "trained detector" if difference is None else "exported model"
    with phases("predict", f"with the {which}"):
        found = _predict(model, data, folder)
    summary = Summary(
        folder=folder,
        objects=objects,
        classes=data.names,
        images={"train": num_train, "val": num_val},
        steps=config.train_config.num_steps,
        metrics=dict(result.metrics),
        difference=difference,
        found=found,
        seconds=phases.seconds | {"total": sum(phases.seconds.values())},
        mosaic=folder / _MOSAIC,
        backend=choose().name,
    )
    write_json(folder / _SUMMARY, as_json(summary))
    place.finish()
    return summary


def as_json(summary: Summary) -> dict[str, Any]:
    """Returns the content of `summary.json`."""
    content = dataclasses.asdict(summary) | {"next": summary.next_command}
    content["seconds"] = {k: round(v, 2) for k, v in summary.seconds.items()}
    for name in ("folder", "mosaic"):
        content[name] = str(content[name])
    return content


def _cleared(output: OutputFolder) -> pathlib.Path:
    """Returns the folder without the files of an earlier quick start."""
    folder = output.begin()
    for name in (_DATA, _MODEL, _EXPORTED, _EVALUATION, _PREDICTIONS):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (_SUMMARY, _MOSAIC):
        (folder / name).unlink(missing_ok=True)
    return folder


def _config(data: MadeDataset, seed: int, overrides: tuple[str, ...]) -> Any:
    text = importlib.resources.files("odapi.quickstart") / "pipeline.config"
    return load_config(
        text.read_text("utf-8"),
        [
            f"model.ssd.num_classes={len(data.names)}",
            f"options.train_data=coco:{data.train}",
            f"options.eval_data=coco:{data.val}",
            f"options.seed={seed}",
            *overrides,
        ],
    )


def _val_images(data: MadeDataset) -> list[pathlib.Path]:
    return sorted((data.val.parent / "val").glob("*.jpg"))


def _predict(model: pathlib.Path, data: MadeDataset, folder: pathlib.Path) -> int:
    """Draws the detections of a model; returns their number."""
    predictions = api.predict(
        model,
        _val_images(data)[:_NUM_PREDICTED],
        output=folder / _PREDICTIONS,
        min_score=_MIN_SCORE,
    )
    drawn = [f for f in predictions.files if f.suffix == ".jpg"]
    images = [decode_image(f.read_bytes(), str(f)) for f in drawn]
    save_image(folder / _MOSAIC, mosaic(images, columns=4))
    return sum(len(p) for p in predictions)


class _Phases:
    """Prints the phases and measures their duration."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._number = 0

    @contextmanager
    def __call__(self, name: str, what: str) -> Iterator[None]:
        self._title(name, f"{what} ...")
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
        console().print(f"    done in {duration(self.seconds[name])}")

    def skip(self, name: str, reason: str) -> None:
        self._title(name, f"skipped: {reason}")

    def _title(self, name: str, text: str) -> None:
        from rich.text import Text

        self._number += 1
        title = Text(f"{self._number}/5 {name}", "bold")
        console().print(title.append(f": {text}", "not bold"))
