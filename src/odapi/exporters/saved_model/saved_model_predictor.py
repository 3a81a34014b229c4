"""Predictor that runs a SavedModel."""

import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from odapi.config.label_map import load_label_map
from odapi.data.context_features import one_bank
from odapi.errors import CheckpointError
from odapi.exporters.saved_model.plain_path import plain_path
from odapi.labels import LabelMap

SERVING = "serving_default"
FOLDER = "saved_model"
_FILE = "saved_model.pb"


class SavedModelPredictor:
    """Runs an exported model; needs TensorFlow, but neither Keras nor a config.

        predictor = SavedModelPredictor("exported")
        odapi.predict(predictor, "photos/", output="drawn")
        predictor.outputs(image)["detection_boxes"][0]  # [100, 4], best first

    Args:
        folder: A folder written by `odapi export`, its `saved_model`, or a SavedModel
            of another exporter with the same signatures.

    Attributes:
        name: Path of the SavedModel.
        label_map: Read from the file next to the SavedModel; empty without one.
        load_seconds: Duration of loading.
        signatures: Concrete functions by name.

    Raises:
        CheckpointError: There is no SavedModel, or it lacks the default signature.
    """

    def __init__(self, folder: str | os.PathLike):
        import tensorflow as tf

        path = _require_saved_model(pathlib.Path(folder))
        self.name = str(path)
        start = time.perf_counter()
        with plain_path(path) as readable:
            self._model = tf.saved_model.load(readable)
        self.load_seconds = time.perf_counter() - start
        self.signatures: dict[str, Any] = dict(self._model.signatures)
        if SERVING not in self.signatures:
            names = ", ".join(sorted(self.signatures)) or "none"
            raise CheckpointError(
                self.name, f"has no signature {SERVING}; its signatures are {names}"
            )
        self.keypoint_edges: tuple[tuple[int, int], ...] = ()
        self.side_inputs: dict[str, np.ndarray] = {}
        beside = path.parent / "label_map.pbtxt"
        self.label_map = load_label_map(beside) if beside.is_file() else LabelMap(())

    def __call__(self, images: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        """Returns the detections of each image; see `Predictor`.

        Args:
            images: uint8 RGB `[h, w, 3]`, of any sizes.

        Returns:
            One dict per image: `boxes [n, 4]` normalized, `classes [n]` from 0,
            `scores [n]`, best first.
        """
        side = self.side_inputs
        found = (self.outputs(image, side) for image in images)
        return [_detections({k: v[0] for k, v in row.items()}) for row in found]

    def attend(self, bank: str | os.PathLike | np.ndarray) -> None:
        """Sets one memory bank `[n, d]` of a Context R-CNN for all images.

        Args:
            bank: `[n, d]`, or a .npy file that contains it.

        Raises:
            DataError: Its shape does not fit the model.
        """
        specs = self.side_specs(self._image_signature())
        shapes = {name: tuple(spec.shape[1:]) for name, spec in specs.items()}
        self.side_inputs = one_bank(bank, shapes)

    def outputs(
        self, images: np.ndarray, side_inputs: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Returns the outputs by the original's names, with a batch dimension.

        Args:
            images: uint8 RGB `[h, w, 3]`, or `[b, h, w, 3]` of one size. They are
                split into batches if the model has a fixed batch size.
            side_inputs: Further inputs by name, one row per image; missing ones are
                zeros, which means no memory bank.

        Raises:
            CheckpointError: The model takes encoded images only.
        """
        import tensorflow as tf

        images = np.asarray(images, np.uint8)
        images = images[None] if images.ndim == 3 else images
        name = self._image_signature()
        spec = self.spec(name)
        size = spec.shape[0] or len(images)
        parts = []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            filled = _fill_up(part, size)
            side = {
                key: _fill_up(np.asarray(value)[start : start + size], size)
                for key, value in (side_inputs or {}).items()
            }
            found = self.run(
                name, tf.cast(tf.constant(filled), spec.dtype), side_inputs=side
            )
            parts.append(
                {k: v[: len(part)] for k, v in found.items() if _is_per_image(k)}
            )
        return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}

    def run(
        self,
        signature: str,
        value: Any,
        boxes: Any = None,
        side_inputs: Mapping[str, Any] | None = None,
    ) -> dict[str, np.ndarray]:
        """Calls a signature with `input_tensor`, and with `boxes` if it takes them.

        Missing `side_inputs` are zeros.
        """
        import tensorflow as tf

        given = {} if boxes is None else {"boxes": boxes}
        for name, spec in self.side_specs(signature).items():
            rows = [n or s for n, s in zip(spec.shape, value.shape[:1], strict=False)]
            shape = [*rows, *spec.shape[1:]]
            zeros = np.zeros(shape, spec.dtype.as_numpy_dtype)
            given[name] = tf.cast((side_inputs or {}).get(name, zeros), spec.dtype)
        found = self.signatures[signature](input_tensor=value, **given)
        return {name: tensor.numpy() for name, tensor in found.items()}

    def _image_signature(self) -> str:
        for name in (SERVING, "image_tensor", "float_image_tensor"):
            if name in self.signatures and self.spec(name).shape.rank == 4:
                return name
        raise CheckpointError(
            self.name,
            "takes encoded images only",
            hint="export it with --input-type image_tensor, or call "
            "run('serving_default', files)",
        )

    def spec(self, name: str) -> Any:
        """Returns the `tf.TensorSpec` of a signature's `input_tensor`."""
        return self.signatures[name].structured_input_signature[1]["input_tensor"]

    def side_specs(self, name: str) -> dict[str, Any]:
        """Returns the `tf.TensorSpec` of each side input of a signature, by name."""
        specs = self.signatures[name].structured_input_signature[1]
        return {k: v for k, v in specs.items() if k not in ("input_tensor", "boxes")}


def _fill_up(rows: np.ndarray, size: int) -> np.ndarray:
    """Returns `size` rows: the last one is repeated."""
    return np.concatenate([rows, rows[-1:].repeat(size - len(rows), 0)])


def _is_per_image(name: str) -> bool:
    """Returns False for prediction maps of CenterNet, whose rows are stages."""
    return name.startswith(("detection_", "num_", "raw_"))


def _detections(outputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the detections of one image in the form of `Predictor`."""
    n = int(outputs["num_detections"])
    found = {
        "boxes": outputs["detection_boxes"][:n],
        "classes": outputs["detection_classes"][:n].astype(np.int32) - 1,
        "scores": outputs["detection_scores"][:n],
    }
    if "detection_masks" in outputs:
        found["box_masks"] = outputs["detection_masks"][:n]
    for key in ("keypoints", "keypoint_scores", "keypoint_depths"):
        if f"detection_{key}" in outputs:
            found[key] = outputs[f"detection_{key}"][:n]
    return found


def find_saved_model(folder: str | os.PathLike) -> pathlib.Path | None:
    """Returns the SavedModel at a path or in the folder of an export, else None."""
    folder = pathlib.Path(folder)
    if folder.name == _FILE and folder.is_file():
        return folder.parent
    candidates = (folder, folder / FOLDER)
    return next((c for c in candidates if (c / _FILE).is_file()), None)


def _require_saved_model(folder: pathlib.Path) -> pathlib.Path:
    found = find_saved_model(folder)
    if found is not None:
        return found
    there = "has" if folder.is_dir() else "does not exist;"
    raise CheckpointError(
        str(folder),
        f"{there} no {_FILE}",
        hint=f"export one with: odapi export {folder} exported",
    )
