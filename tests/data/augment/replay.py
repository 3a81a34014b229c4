"""Replay of the original's preprocessing: samples, draws and results of its cases."""

import numpy as np

from odapi.data.augment.crop import CropImage
from odapi.data.augment.transforms import Window

# Arguments of the original, in the order in which its functions return them, and
# the fields of a sample.
ARGUMENTS = {
    "image": "image",
    "boxes": "boxes",
    "labels": "classes",
    "label_weights": "weights",
    "label_confidences": "confidences",
    "multiclass_scores": "multiclass_scores",
    "masks": "masks",
    "keypoints": "keypoints",
    "densepose_surface_coords": "densepose_points",
}
# The same for the records that pass through its chains of steps.
RECORD = {
    "image": "image",
    "groundtruth_boxes": "boxes",
    "groundtruth_classes": "classes",
    "groundtruth_weights": "weights",
    "groundtruth_confidences": "confidences",
    "multiclass_scores": "multiclass_scores",
    "groundtruth_instance_masks": "masks",
    "groundtruth_keypoints": "keypoints",
}
_DTYPES = {"classes": "int32"}
# Draws that are saved values of earlier draws.
_SAVED = ("pad_image", "crop_to_aspect_ratio", "self_concat_image")


class Replay:
    """Stands for a random generator: gives the values of stored draws, in order."""

    def __init__(self, draws):
        drawn = [d["value"] for d in draws if d["draw"] not in _SAVED]
        # A test that sets a saved value draws nothing.
        self.left = drawn or [value for d in draws for value in d["value"]]

    def _next(self):
        value = self.left.pop(0)
        return array(value) if isinstance(value, dict) and "shape" in value else value

    def random(self, size=None):
        return self._next() if size is None else np.array(self._next()).reshape(size)

    def uniform(self, low, high, size=None):
        value = np.array(self._next(), np.float64)
        assert (value >= low - 1e-6).all()
        assert (value <= high + 1e-6).all()
        return float(value) if size is None else value.reshape(size)

    def integers(self, low, high=None):
        low, high = (0, low) if high is None else (low, high)
        value = self._next()
        assert low <= value < high
        return value

    def window(self):
        value = self._next()
        if isinstance(value, dict):
            value = value["begin"], value["size"]
        (top, left, _), (height, width, _) = value[:2]
        return Window(top, left, height, width)


def replay_windows(monkeypatch):
    """Makes random crops take the stored windows."""
    monkeypatch.setattr(CropImage, "draw", lambda self, size, boxes, rng: rng.window())


def array(value, dtype="float32"):
    """Returns a stored array; None if only its shape is stored."""
    if not isinstance(value, dict):
        return np.array(value, dtype)
    if "left_out" in value:
        return None
    if "empty" in value:
        return np.zeros(value["shape"], dtype)
    if "fill" in value:
        return np.full(value["shape"], value["fill"], dtype)
    blocks, shape = value["blocks"], value["shape"]
    values = np.array(blocks["values"], dtype)
    axis = values.ndim - (3 if shape[-1] == 3 else 2)  # Of the rows.
    for name in ("row", "col"):
        starts = np.array(blocks[f"{name}_starts"])
        block = np.searchsorted(starts, np.arange(shape[axis]), "right") - 1
        values = values.take(block, axis)
        axis += 1
    return values


def sample_of(inputs, names):
    """Returns the sample of a case: class indices count from 0, masks are 0 or 1."""
    sample = {"boxes": np.zeros((0, 4), "float32"), "classes": np.zeros(0, "int32")}
    for name, field in names.items():
        if name in inputs:
            value = array(inputs[name])
            if value is None:
                value = np.zeros(inputs[name]["shape"])
            sample[field] = converted(field, value)
    if "boxes" in inputs and "labels" not in inputs:
        sample["classes"] = np.zeros(len(sample["boxes"]), "int32")
    if "densepose_points" in sample:
        count, points = sample["densepose_points"].shape[:2]
        sample["densepose_num_points"] = np.full(count, points, "int32")
        sample["densepose_part_ids"] = np.zeros((count, points), "int32")
    return sample


def converted(field, value):
    """Returns a value of the original as that of a sample."""
    if field == "image" and value.ndim == 4:
        value = value[0]
    if field == "classes":
        value = value - 1
    if field == "masks":
        value = (value > 0).astype("uint8")
    return value.astype(_DTYPES.get(field, value.dtype))
