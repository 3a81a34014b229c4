"""Two-stage detectors as SavedModels: the original's names, the detector's answers."""

import keras
import numpy as np
import pytest
from keras import ops

from odapi.data.image.resize import FixedShape
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from odapi.exporters.saved_model.saved_model_writer import write_saved_model
from odapi.heads.roi_masks import RoiMaskOptions, RoiMasks
from odapi.models.two_stage.roi_mask_task import RoiMaskTask
from small_rcnn import DETECTIONS, MAKE, SIZE, small_rcnn

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)

# Of ../shared/golden/saved_model_signature.txt: 12 proposals, 2 classes, and 2 anchors
# at each of 4 * 6 places.
SIGNATURE = {
    "detection_anchor_indices": (1, DETECTIONS),
    "detection_boxes": (1, DETECTIONS, 4),
    "detection_classes": (1, DETECTIONS),
    "detection_multiclass_scores": (1, DETECTIONS, 3),
    "detection_scores": (1, DETECTIONS),
    "num_detections": (1,),
    "raw_detection_boxes": (1, 12, 4),
    "raw_detection_scores": (1, 12, 3),
}
OF_MASKS = SIGNATURE | {
    "anchors": (48, 4),
    "box_classifier_features": (12, 2, 2, 8),
    "class_predictions_with_background": (12, 3),
    "detection_masks": (1, DETECTIONS, 6, 6),
    "final_anchors": (1, 12, 4),
    "image_shape": (4,),
    "mask_predictions": (DETECTIONS, 2, 6, 6),
    "num_proposals": (1,),
    "proposal_boxes": (1, 12, 4),
    "proposal_boxes_normalized": (1, 12, 4),
    "refined_box_encodings": (12, 2, 4),
    "rpn_box_encodings": (1, 48, 4),
    "rpn_objectness_predictions_with_background": (1, 48, 2),
}
FEATURES = {
    "detection_features": (1, DETECTIONS, 2, 2, 8),
    "cropped_rpn_box_features": (1, DETECTIONS, 2, 2, 8),
}


def with_masks():
    options = RoiMaskOptions(2, size=(6, 6), depth=4)
    return small_rcnn([RoiMaskTask(RoiMasks(options, MAKE, name="roi_masks"))])


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (small_rcnn, SIGNATURE),
        (with_masks, OF_MASKS),
        (
            lambda: small_rcnn(box_features=True, rpn_features=True),
            SIGNATURE | FEATURES,
        ),
    ],
)
def test_signature_is_the_original_s(tmp_path, make, expected):
    detector = make()
    write_saved_model(detector, FixedShape(*SIZE), tmp_path, batch_size=1)
    predictor = SavedModelPredictor(tmp_path)
    outputs = predictor.signatures["serving_default"].structured_outputs
    assert {k: tuple(v.shape) for k, v in outputs.items()} == expected
    assert {v.dtype.name for v in outputs.values()} == {"float32"}


def test_an_export_gives_what_the_detector_gives(tmp_path):
    detector = small_rcnn()
    image = np.random.default_rng(3).integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    write_saved_model(detector, FixedShape(*SIZE), tmp_path, batch_size=1)
    found = SavedModelPredictor(tmp_path).outputs(image)
    expected = detector.detect({"images": ops.convert_to_tensor(image[None])}, raw=True)
    for name, value in (
        ("detection_boxes", expected.boxes),
        ("detection_scores", expected.scores),
        ("detection_classes", expected.classes + 1),
        ("raw_detection_boxes", expected.raw_boxes),
    ):
        np.testing.assert_allclose(found[name], ops.convert_to_numpy(value), atol=1e-5)
