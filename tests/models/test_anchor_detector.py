"""Anchor detector: frames, sizes, losses and variable names."""

import keras
import numpy as np
import pytest
from keras import ops

from odapi.build.detector import build_detector
from odapi.models.preprocess import clip_window
from odapi.structures import Groundtruth
from small_models import SIZE, small_batch, small_config


@pytest.fixture(scope="module")
def detector():
    return build_detector(small_config("ssd"), seed=3)


def test_anchors_belong_to_the_predictions(detector):
    x, _ = small_batch()
    outputs = detector(x)
    anchors = detector.anchors((SIZE, SIZE))
    assert outputs["box_encodings"].shape[1] == len(anchors)
    # Grids of 4, 2 and 1 with 3, 3 and 3 anchors.
    assert len(anchors) == 3 * (16 + 4 + 1)
    assert detector.anchors((SIZE, SIZE)) is anchors  # Made once.


def test_the_window_is_the_image_without_padding():
    window = clip_window(np.array([[32, 64]], np.int32), (64, 64), 1)
    assert ops.convert_to_numpy(window).tolist() == [[0, 0, 0.5, 1]]
    whole = ops.convert_to_numpy(clip_window(None, (64, 64), 2))
    assert whole.tolist() == [[0, 0, 1, 1]] * 2


def test_the_loss_is_the_sum_of_its_tracked_parts(detector):
    x, y = small_batch()
    outputs = detector(x, training=True)
    for tracker in detector.loss_trackers.values():
        tracker.reset_state()
    loss = detector.compute_loss(x, y, outputs)
    parts = {k: float(v.result()) for k, v in detector.loss_trackers.items()}
    total = parts.pop("Loss/total_loss")
    assert set(parts) == {
        "Loss/localization_loss",
        "Loss/classification_loss",
        "Loss/regularization_loss",
    }
    assert total == pytest.approx(sum(parts.values()), rel=1e-5)
    assert float(ops.convert_to_numpy(loss)) == pytest.approx(total, rel=1e-5)


def test_regularization_can_be_left_out():
    config = small_config("ssd", "train_config.add_regularization_loss=false")
    detector = build_detector(config)
    assert "Loss/regularization_loss" not in detector.loss_trackers


def test_names_of_variables_and_their_kinds(detector):
    full = detector.named_variables()
    assert "feature_extractor/backbone/Conv1/kernel" in full
    assert "feature_extractor/neck/map_2/reduce/kernel" in full
    assert "box_predictor/box_0/predict/kernel" in full
    assert detector.variables_for("full") == full
    detection = detector.variables_for("detection")
    assert set(detection) == {n for n in full if n.startswith("feature_extractor/")}
    backbone = detector.variables_for("classification")
    assert backbone["Conv1/kernel"] is full["feature_extractor/backbone/Conv1/kernel"]
    assert len(full) == len(detector.weights)
    with pytest.raises(ValueError, match="classification"):
        detector.variables_for("backbone")


def test_raw_boxes_are_returned_only_if_asked(detector):
    x, _ = small_batch(1)
    plain = detector.predict_on_batch(x)
    assert plain["boxes"].shape == (1, 8, 4)
    assert "raw_boxes" not in plain
    raw = detector.detect(x, raw=True)
    assert raw.raw_boxes.shape == (1, 63, 4)
    assert raw.raw_scores.shape == (1, 63, 3)
    np.testing.assert_allclose(
        ops.convert_to_numpy(raw.scores), plain["scores"], atol=1e-6
    )


def test_true_size_may_be_left_out(detector):
    x, _ = small_batch(1)
    bare = {"images": x["images"]}
    np.testing.assert_array_equal(
        ops.convert_to_numpy(detector.detect(bare).boxes),
        ops.convert_to_numpy(detector.detect(x).boxes),
    )


def test_images_of_varying_size_if_the_resizer_allows_them():
    config = small_config(
        "fpn",
        "model.ssd.image_resizer={ keep_aspect_ratio_resizer "
        "{ min_dimension: 64 max_dimension: 128 } }",
    )
    detector = build_detector(config)
    assert detector.image_size is None
    for size in ((64, 64), (70, 100)):
        x = {"images": np.zeros((1, *size, 3), np.uint8)}
        outputs = detector(x)
        assert outputs["box_encodings"].shape[1] == len(detector.anchors(size))
        truth = Groundtruth(
            boxes=np.zeros((1, 1, 4), np.float32),
            classes=np.zeros((1, 1), np.int32),
            valid=np.zeros((1, 1), bool),
            weights=np.zeros((1, 1), np.float32),
        )
        parts = detector.loss_parts(outputs, truth, x)
        assert all(np.isfinite(ops.convert_to_numpy(v)) for v in parts.values())


def test_pixels_are_not_rounded_to_half_precision(detector):
    assert detector.autocast is False
    assert (
        keras.backend.standardize_dtype(
            detector.preprocess({"images": np.full((1, 2, 2, 3), 201.0)}).dtype
        )
        == "float32"
    )
