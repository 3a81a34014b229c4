"""A detector for the images of records, loaded once per process.

The model is a SavedModel, of `odapi export` or of the original's exporter, or a run
folder. Workers receive its path, not the model.
"""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from odapi.api.model_path import locate
from odapi.data.image.decode import decode_image
from odapi.errors import DataError
from odapi.exporters.saved_model.detection_signature import SERVING
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from odapi.tools import records

Found = dict[str, np.ndarray]
Find = Callable[[bytes], Found]

FINAL, PROPOSAL = "final_box_features", "rpn_box_features"
# By kind of embedding: name in `Detections`, name in SavedModels, config field.
FEATURES = {
    FINAL: ("features", "detection_features", "output_final_box_features"),
    PROPOSAL: (
        "rpn_features",
        "cropped_rpn_box_features",
        "output_final_box_rpn_features",
    ),
}

_LOADED: dict[tuple[str, str], Find] = {}
_LOCK = threading.Lock()


def load_finder(model: str, features: str = "") -> Find:
    """Returns a function from a serialized tf.Example to the detections in its image.

    These are `boxes [n, 4]`, `scores [n]` and optional `features [n, h, w, c]`, best
    first. The function is cached per process.

    Args:
        model: A SavedModel, a folder with one, or a run folder.
        features: A key of `FEATURES`; "": none.

    Raises:
        CheckpointError: There is no such model.
        DataError: The model does not output features of that kind.
    """
    with _LOCK:
        key = (model, features)
        if key not in _LOADED:
            saved = locate(model).exported is not None
            _LOADED[key] = (_of_saved_model if saved else _of_run)(model, features)
        return _LOADED[key]


def _of_run(model: str, features: str) -> Find:
    from odapi.inference.detector_predictor import load_predictor

    overrides = []
    if features:
        overrides = [f"model.faster_rcnn.{FEATURES[features][2]}=true"]
    predictor = load_predictor(model, overrides, batch_size=1)

    def find(record: bytes) -> Found:
        found = predictor([image_of(record)])[0]
        return _checked(found, FEATURES[features][0] if features else "", model)

    return find


def _of_saved_model(model: str, features: str) -> Find:
    import tensorflow as tf

    predictor = SavedModelPredictor(model)
    name = next(
        (
            n
            for n in (SERVING, "image_tensor", "tf_example")
            if n in predictor.signatures
            and (predictor.spec(n).dtype == tf.uint8 or n == "tf_example")
        ),
        SERVING,  # Exported by the original with --input_type tf_example.
    )

    def find(record: bytes) -> Found:
        value: Any = tf.constant([record])
        if predictor.spec(name).dtype != tf.string:
            value = tf.cast(image_of(record)[None], predictor.spec(name).dtype)
        outputs = predictor.run(name, value)
        count = int(outputs["num_detections"][0])
        found = {
            "boxes": outputs["detection_boxes"][0][:count],
            "scores": outputs["detection_scores"][0][:count],
        }
        named = FEATURES[features][1] if features else ""
        if named in outputs:
            found[named] = outputs[named][0][:count]
        return _checked(found, named, model)

    return find


def _checked(found: dict[str, Any], name: str, model: str) -> Found:
    kept = {key: np.asarray(found[key]) for key in ("boxes", "scores")}
    if not name:
        return kept
    if name not in found:
        raise DataError(
            model,
            "does not output features of its detections",
            hint="export a Faster R-CNN with "
            "--set model.faster_rcnn.output_final_box_features=true",
        )
    return kept | {"features": np.asarray(found[name])}


def image_of(record: bytes) -> np.ndarray:
    """Returns the image of a tf.Example, uint8 RGB `[h, w, 3]`.

    Raises:
        DataError: The image is missing or damaged.
    """
    example = records.parse(record)
    place = records.text(example, records.SOURCE_ID) or "a record"
    encoded = records.values(example, "image/encoded")
    if not encoded:
        raise DataError(place, "has no image/encoded")
    return decode_image(encoded[0], place)
