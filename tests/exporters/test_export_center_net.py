"""A CenterNet as a SavedModel: the original's names, the detector's answers."""

import keras
import numpy as np
import pytest

import odapi
from odapi.build.resizer import model_resizer
from odapi.checkpoints.folder import CONFIG, LABEL_MAP, WEIGHTS
from odapi.checkpoints.weights import save_weights
from odapi.config.label_map import save_label_map
from odapi.config.load import save_config
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from odapi.exporters.saved_model.saved_model_writer import write_saved_model
from odapi.labels import label_map_of
from small_models import small_config

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)

PADDED = (
    "model.center_net.image_resizer={keep_aspect_ratio_resizer{"
    "min_dimension: 64 max_dimension: 64 pad_to_max_dimension: true}}"
)
MAPS = "model.center_net.output_prediction_dict=true"
# Of the part "deepmac" of ../shared/golden/saved_model_signature.txt, without masks.
SIGNATURE = {
    "detection_boxes": (1, 8, 4),
    "detection_boxes_strided": (1, 8, 4),
    "detection_classes": (1, 8),
    "detection_multiclass_scores": (1, 8, 2),
    "detection_scores": (1, 8),
    "num_detections": (1,),
}
SUPPRESSED = (
    "model.center_net.post_processing={batch_non_max_suppression{"
    "iou_threshold: 0.5 max_total_detections: 5}}"
)


def spread_detector(config):
    """Gives weights that tell places and classes apart, as trained ones do."""
    detector = odapi.build_detector(config, seed=1)
    rng = np.random.default_rng(0)
    for name, variable in sorted(detector.named_variables().items()):
        shape = tuple(variable.shape)
        if len(shape) == 4:
            fan = shape[0] * shape[1] * (1 if "depthwise" in name else shape[2])
            variable.assign(rng.normal(0, 1.3 / fan**0.5, shape))
    return detector


def picture(height, width):
    rng = np.random.default_rng(3)
    image = rng.integers(0, 60, (height, width, 3))
    image[10:30, 5:40] += 150
    return image.astype(np.uint8)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ((PADDED,), SIGNATURE),
        (
            (SUPPRESSED,),
            {k: s if s == (1,) else (1, 5, *s[2:]) for k, s in SIGNATURE.items()},
        ),
        (
            (MAPS,),
            SIGNATURE
            | {
                "preprocessed_inputs": (1, 64, 64, 3),
                "extracted_features": (1, 1, 16, 16, 24),
                "object_center": (1, 1, 16, 16, 2),
                "box/scale": (1, 1, 16, 16, 2),
                "box/offset": (1, 1, 16, 16, 2),
            },
        ),
    ],
)
def test_signature_is_the_original_s(tmp_path, overrides, expected):
    config = small_config("center", *overrides)
    detector = spread_detector(config)
    write_saved_model(detector, model_resizer(config), tmp_path, batch_size=1)
    predictor = SavedModelPredictor(tmp_path)
    outputs = predictor.signatures["serving_default"].structured_outputs
    assert {k: tuple(v.shape) for k, v in outputs.items()} == expected
    assert {v.dtype.name for v in outputs.values()} == {"float32"}
    found = predictor.outputs(picture(64, 50))
    assert (np.diff(found["detection_scores"][0]) <= 1e-6).all()
    classes = found["detection_classes"][0, : int(found["num_detections"][0])]
    assert set(classes.tolist()) <= {1.0, 2.0}


@pytest.mark.slow
def test_an_export_gives_what_the_detector_gives(tmp_path):
    config = small_config("center", PADDED)
    detector = spread_detector(config)
    folder = tmp_path / "checkpoints" / "step-00000009"
    folder.mkdir(parents=True)
    save_weights(detector, folder / WEIGHTS)
    save_config(config, folder / CONFIG)
    save_label_map(label_map_of(["cat", "dog"]), folder / LABEL_MAP)
    done = odapi.export(folder, tmp_path / "out", "encoded_image_string_tensor")
    assert done.files[0].difference < 1e-4
    images = [picture(64, 64), picture(64, 50)]
    exported = SavedModelPredictor(tmp_path / "out")
    found = odapi.predict(exported, images, min_score=0.02)
    expected = odapi.predict(folder, images, min_score=0.02)
    assert len(found[0].scores) > 0
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
