"""`odapi quickstart`: everything once, from pictures to an exported model."""

import dataclasses
import importlib.resources
import os
import pathlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import odapi
from odapi.errors import DataError
from odapi.files import write_json
from odapi.progress import console, duration
from odapi.quickstart.dataset import MadeDataset, make_dataset
from odapi.quickstart.glyphs import has_digits

_DATA, _MODEL, _EXPORTED = "data", "model", "exported"
_EVALUATION, _PREDICTIONS = "evaluation", "predictions"
_SUMMARY, _PICTURE, _MARK = "summary.json", "detections.jpg", ".quickstart"
_SHOWN = 12  # Pictures in the mosaic.
_MIN_SCORE = 0.5


@dataclasses.dataclass(frozen=True)
class Summary:
    """What the quick start did.

    Args:
        folder: Where everything lies.
        objects: "digits" or "shapes".
        classes: Their names.
        images: Number by split.
        steps: Of the training.
        metrics: On the held-out split, by the original's names.
        difference: Between exported model and detector, as `Exported.difference`.
        found: Objects in the predicted pictures with a score of 0.5 or more.
        seconds: By phase, and "total".
        picture: The mosaic of predictions.
    """

    folder: pathlib.Path
    objects: str
    classes: tuple[str, ...]
    images: dict[str, int]
    steps: int
    metrics: dict[str, float]
    difference: float
    found: int
    seconds: dict[str, float]
    picture: pathlib.Path

    @property
    def next_command(self) -> str:
        """What to try next."""
        folder = self.folder
        return (
            f"odapi predict {folder / _EXPORTED} {folder / _DATA / 'val'} "
            f"--output {folder / 'all_predictions'}"
        )


def quickstart(
    output: str | os.PathLike = "runs/quickstart",
    seed: int = 0,
    objects: str | None = None,
    overrides: tuple[str, ...] = (),
    num_train: int = 2000,
    num_val: int = 150,
) -> Summary:
    """Makes a data set, trains on it, evaluates, exports and predicts.

    Args:
        output: Folder for everything; that of an earlier quick start is replaced.
        seed: Of pictures, weights and order.
        objects: "digits" (real handwriting, from scikit-learn) or "shapes"; None
            takes digits where scikit-learn is installed.
        overrides: Of the recipe, such as "train_config.num_steps=100".
        num_train, num_val: Pictures to make.

    Raises:
        DataError: `output` holds something else.
    """
    objects = objects or ("digits" if has_digits() else "shapes")
    folder = _cleared(pathlib.Path(output))
    phases = _Phases()
    with phases("data", f"{num_train + num_val} pictures of {objects}"):
        data = make_dataset(folder / _DATA, objects, num_train, num_val, seed)
    with phases("train", "a small SSD, from nothing"):
        config = _config(data, seed, overrides)
        odapi.train(config, folder / _MODEL)
    with phases("evaluate", "on objects that it has not seen"):
        result = odapi.evaluate(folder / _MODEL, output=folder / _EVALUATION)
    with phases("export", "a SavedModel, compared with the detector"):
        exported = odapi.export(
            folder / _MODEL, folder / _EXPORTED, check_images=_val_images(data)[:2]
        )
    with phases("predict", "with the exported model"):
        found = _predict(exported.folder, data, folder)
    summary = Summary(
        folder=folder,
        objects=objects,
        classes=data.names,
        images={"train": num_train, "val": num_val},
        steps=config.train_config.num_steps,
        metrics=dict(result.metrics),
        difference=exported.difference,
        found=found,
        seconds=phases.seconds | {"total": sum(phases.seconds.values())},
        picture=folder / _PICTURE,
    )
    write_json(folder / _SUMMARY, as_json(summary))
    return summary


def as_json(summary: Summary) -> dict[str, Any]:
    """Returns what `summary.json` holds."""
    content = dataclasses.asdict(summary) | {"next": summary.next_command}
    content["seconds"] = {k: round(v, 2) for k, v in summary.seconds.items()}
    for name in ("folder", "picture"):
        content[name] = str(content[name])
    return content


def _cleared(folder: pathlib.Path) -> pathlib.Path:
    """Returns the folder, without what an earlier quick start left there."""
    if folder.exists() and not (folder / _MARK).is_file():
        if not folder.is_dir() or any(folder.iterdir()):
            raise DataError(
                str(folder),
                "is there and was not made by a quick start",
                hint="name another folder with --output",
            )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()
    for name in (_DATA, _MODEL, _EXPORTED, _EVALUATION, _PREDICTIONS):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (_SUMMARY, _PICTURE):
        (folder / name).unlink(missing_ok=True)
    return folder


def _config(data: MadeDataset, seed: int, overrides: tuple[str, ...]) -> Any:
    text = importlib.resources.files("odapi.quickstart") / "pipeline.config"
    return odapi.load_config(
        text.read_text(),
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


def _predict(exported: pathlib.Path, data: MadeDataset, folder: pathlib.Path) -> int:
    """Draws what the exported model finds; returns how many objects that is."""
    from odapi.data.image.decode import decode_image
    from odapi.draw.file import save_image
    from odapi.draw.mosaic import mosaic

    predictions = odapi.predict(
        exported,
        _val_images(data)[:_SHOWN],
        output=folder / _PREDICTIONS,
        min_score=_MIN_SCORE,
    )
    drawn = [f for f in predictions.files if f.suffix == ".jpg"]
    pictures = [decode_image(f.read_bytes(), str(f)) for f in drawn]
    save_image(folder / _PICTURE, mosaic(pictures, columns=4))
    return sum(len(p) for p in predictions)


class _Phases:
    """Says what is done, and how long each part took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str, what: str) -> Iterator[None]:
        shown = console()
        number = len(self.seconds) + 1
        shown.print(f"[bold]{number}/5 {name}[/bold]: {what} ...")
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
        shown.print(f"    done in {duration(self.seconds[name])}")
