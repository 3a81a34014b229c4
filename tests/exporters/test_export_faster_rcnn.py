"""Two-stage detectors as SavedModels: the original's names, the detector's answers."""

import keras
import numpy as np
import pytest

import odapi
from odapi.build.resizer import model_resizer
from odapi.checkpoints.folder import CONFIG, LABEL_MAP, WEIGHTS
from odapi.checkpoints.weights import save_weights
from odapi.config.label_map import save_label_map
from odapi.config.load import save_config
from odapi.exporters.saved_model import SavedModelPredictor, write_saved_model
from odapi.labels import label_map_of
from small_models import small_config

pytestmark = [
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
    ),
    pytest.mark.slow,
]

MODEL = "model.faster_rcnn"
PADDED = (
    f"{MODEL}.image_resizer={{keep_aspect_ratio_resizer{{"
    "min_dimension: 64 max_dimension: 64 pad_to_max_dimension: true}}"
)
HEAD = f"{MODEL}.second_stage_box_predictor.mask_rcnn_box_predictor"
MASKS = (
    f"{MODEL}.number_of_stages=3",
    f"{HEAD}.predict_instance_masks=true",
    f"{HEAD}.mask_prediction_conv_depth=8",
    f"{HEAD}.conv_hyperparams={{initializer {{truncated_normal_initializer {{}}}}}}",
)
# Of ../shared/golden/saved_model_signature.txt: 8 detections of 16 proposals, 2
# classes, and 2 anchors at each of 8 * 8 + 4 * 4 + 2 * 2 places.
SIGNATURE = {
    "detection_anchor_indices": (1, 8),
    "detection_boxes": (1, 8, 4),
    "detection_classes": (1, 8),
    "detection_multiclass_scores": (1, 8, 3),
    "detection_scores": (1, 8),
    "num_detections": (1,),
    "raw_detection_boxes": (1, 16, 4),
    "raw_detection_scores": (1, 16, 3),
}
OF_MASKS = SIGNATURE | {
    "anchors": (168, 4),
    "box_classifier_features": (16, 1, 1, 1024),
    "class_predictions_with_background": (16, 3),
    "detection_masks": (1, 8, 15, 15),
    "final_anchors": (1, 16, 4),
    "image_shape": (4,),
    "mask_predictions": (8, 2, 15, 15),
    "num_proposals": (1,),
    "proposal_boxes": (1, 16, 4),
    "proposal_boxes_normalized": (1, 16, 4),
    "refined_box_encodings": (16, 2, 4),
    "rpn_box_encodings": (1, 168, 4),
    "rpn_objectness_predictions_with_background": (1, 168, 2),
}


def picture(height, width):
    image = np.random.default_rng(3).integers(0, 60, (height, width, 3))
    image[10:30, 5:40] += 150
    return image.astype(np.uint8)


@pytest.mark.parametrize(
    ("overrides", "expected"), [((PADDED,), SIGNATURE), (MASKS, OF_MASKS)]
)
def test_signature_is_the_original_s(tmp_path, overrides, expected):
    config = small_config("rcnn", *overrides)
    detector = odapi.build_detector(config, seed=1)
    write_saved_model(detector, model_resizer(config), tmp_path, batch_size=1)
    predictor = SavedModelPredictor(tmp_path)
    outputs = predictor.signatures["serving_default"].structured_outputs
    assert {k: tuple(v.shape) for k, v in outputs.items()} == expected
    assert {v.dtype.name for v in outputs.values()} == {"float32"}
    found = predictor.outputs(picture(64, 50))
    assert (np.diff(found["detection_scores"][0]) <= 1e-6).all()


def test_an_export_gives_what_the_detector_gives(tmp_path):
    config = small_config("rcnn", PADDED)
    detector = odapi.build_detector(config, seed=1)
    folder = tmp_path / "checkpoints" / "step-00000009"
    folder.mkdir(parents=True)
    save_weights(detector, folder / WEIGHTS)
    save_config(config, folder / CONFIG)
    save_label_map(label_map_of(["cat", "dog"]), folder / LABEL_MAP)
    done = odapi.export(folder, tmp_path / "out", "encoded_image_string_tensor")
    assert done.difference < 1e-4
    images = [picture(64, 64), picture(64, 50)]
    exported = SavedModelPredictor(tmp_path / "out")
    found = odapi.predict(exported, images, min_score=0.02)
    expected = odapi.predict(folder, images, min_score=0.02)
    assert len(found[0].scores) > 0
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
        np.testing.assert_allclose(one.boxes, other.boxes, atol=1e-3)
