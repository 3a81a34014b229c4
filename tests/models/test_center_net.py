"""CenterNet: losses and detections from maps, and the contract of tasks."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.build.center_extractor import build_center_extractor
from odapi.build.detector import build_detector
from odapi.build.hyperparams import BuildContext
from odapi.geometry.nms.batched import NonMaxSuppression
from odapi.layers.pixels import UNCHANGED
from odapi.losses.boxes import GiouLoss, L1Loss
from odapi.losses.classification import PenaltyReducedFocalLoss
from odapi.models.center.box_task import CenterBoxes
from odapi.models.center.center_net import CenterNet, CenterParts, suppress_overlaps
from odapi.models.center.object_heatmap import ObjectCenters
from odapi.models.center.task import Frame, Peaks
from odapi.structures import Detections, Groundtruth
from small_models import small_batch, small_config

pytestmark = pytest.mark.backend

OBJECTS = ObjectCenters(2, PenaltyReducedFocalLoss(), max_detections=3)
BOXES = CenterBoxes(L1Loss())


def np_(value):
    return ops.convert_to_numpy(value)


def maps_of(logits, size=(0.0, 0.0), offset=(0.0, 0.0), map_size=(4, 4)):
    """Maps of one image; `logits` by (row, column, class), -9 elsewhere."""
    center = np.full((1, *map_size, 2), -9.0, "float32")
    for place, value in logits.items():
        center[(0, *place)] = value
    full = np.ones((1, *map_size, 1), "float32")
    return {
        "object_center": ops.convert_to_tensor(center),
        "box/scale": ops.convert_to_tensor(full * np.float32(size)),
        "box/offset": ops.convert_to_tensor(full * np.float32(offset)),
    }


def truth_of(boxes, classes, labeled=None):
    count = len(boxes)
    return Groundtruth(
        boxes=ops.convert_to_tensor(np.float32([boxes])),
        classes=ops.convert_to_tensor(np.int32([classes])),
        valid=ops.convert_to_tensor(np.ones((1, count), bool)),
        weights=ops.convert_to_tensor(np.ones((1, count), "float32")),
        labeled_classes=labeled,
    )


def test_peaks_are_best_first_with_the_scores_of_their_cells():
    maps = maps_of({(1, 2, 0): 2.0, (1, 2, 1): 0.0, (3, 0, 1): 1.0})
    scores = OBJECTS.scores(maps, Frame((16, 16)))
    peaks, cells = OBJECTS.peaks(scores)
    sigmoid = {v: 1 / (1 + np.exp(-v)) for v in (2.0, 1.0, 0.0)}
    assert_allclose(np_(peaks.scores)[0], [sigmoid[v] for v in (2.0, 1.0, 0.0)], 1e-5)
    assert np_(peaks.y).tolist() == [[1, 3, 1]]
    assert np_(peaks.x).tolist() == [[2, 0, 2]]
    assert np_(peaks.classes).tolist() == [[0, 1, 1]]
    assert_allclose(np_(cells)[0, 0], [sigmoid[2.0], sigmoid[0.0]], rtol=1e-5)


def test_padding_counts_by_cells_against_pixels_as_in_the_original():
    maps = maps_of({(3, 0, 0): 2.0, (1, 0, 0): 1.0})
    true_size = ops.convert_to_tensor(np.int32([[3, 16]]))
    scores = np_(OBJECTS.scores(maps, Frame((16, 16), true_size)))
    assert (scores[0, 3] == 0).all()
    assert scores[0, 1, 0, 0] > 0.7


@pytest.mark.parametrize(
    ("true_size", "strided", "box"),
    [
        # Size (2, 1) around (1.5, 2.25).
        (None, (0.5, 1.75, 2.5, 2.75), (2 / 16, 7 / 16, 10 / 16, 11 / 16)),
        ((8, 16), (0.5, 1.75, 2.5, 2.75), (2 / 8, 7 / 16, 1.0, 11 / 16)),
    ],
)
def test_boxes_are_cells_and_shares_of_the_image_without_padding(
    true_size, strided, box
):
    maps = maps_of({}, (2.0, 1.0), (0.5, 0.25))
    if true_size is not None:
        true_size = ops.convert_to_tensor(np.int32([true_size]))
    place = [ops.convert_to_tensor(np.int32([[v]])) for v in (1, 2, 0)]
    peaks = Peaks(*place, scores=ops.ones((1, 1)))
    none = Detections(None, None, None, None)
    found = BOXES.detect(maps, peaks, none, Frame((16, 16), true_size))
    assert_allclose(np_(found.boxes_strided)[0, 0], strided, rtol=1e-6)
    assert_allclose(np_(found.boxes)[0, 0], box, rtol=1e-6)


def test_boxes_are_cut_to_the_map_and_have_no_negative_size():
    maps = maps_of({}, (9.0, -1.0))
    place = [ops.convert_to_tensor(np.int32([[v]])) for v in (1, 2, 0)]
    peaks = Peaks(*place, scores=ops.ones((1, 1)))
    found = BOXES.detect(
        maps, peaks, Detections(None, None, None, None), Frame((16, 16))
    )
    assert np_(found.boxes_strided).tolist() == [[[0, 2, 4, 2]]]


def test_losses_of_boxes_are_means_over_objects_and_stages():
    # Sizes are (2, 2) and (1, 4), offsets 0 and (0.5, 0).
    truth = truth_of([[0.0, 0.0, 0.5, 0.5], [0.5, 0.0, 0.75, 1.0]], [0, 1])
    right = maps_of({}, (2.0, 2.0), (0.0, 0.0))
    wrong = maps_of({}, (3.0, 2.0), (0.0, 0.25))
    task = dataclasses.replace(BOXES, weight=2.0, scale_weight=0.1, offset_weight=0.5)
    found = task.losses([right, wrong], truth, Frame((16, 16)))
    # |size|: 0 + 3 and 1 + 4; halves of stages, of objects: 8 / 4.
    assert float(found["Loss/box/scale"]) == pytest.approx(2.0 * 0.1 * 8 / 4)
    # |offset|: 0 + 0.5 and 0.25 + 0.75.
    assert float(found["Loss/box/offset"]) == pytest.approx(2.0 * 0.5 * 1.5 / 4)


def focal(logit, target):
    p = 1 / (1 + np.exp(-logit))
    if target == 1:
        return -((1 - p) ** 2) * np.log(p)
    return -((1 - target) ** 4) * p**2 * np.log(1 - p)


@pytest.mark.parametrize("labeled", [None, [[True, False]]])
def test_the_loss_of_centres(labeled):
    logits = {(y, x, c): 0.0 for y in range(2) for x in range(2) for c in range(2)}
    maps = maps_of(logits, map_size=(2, 2))
    # No size: a deviation of 1/6, so that neighbors are all but 0.
    truth = truth_of([[0.6, 0.6, 0.6, 0.6]], [0], labeled)
    objects = dataclasses.replace(OBJECTS, weight=3.0, use_labeled_classes=True)
    found = objects.losses([maps], truth, Frame((8, 8)))["Loss/object_center"]
    absent = 3 if labeled else 7
    expected = 3.0 * (focal(0.0, 1) + absent * focal(0.0, 0))
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_cells_of_padding_alone_have_no_loss():
    maps = maps_of({(y, x, 0): 3.0 for y in range(4) for x in range(4)})
    truth = truth_of([[0.0, 0.0, 0.1, 0.1]], [1])
    # Of 5 pixels, two rows of cells have something.
    true_size = ops.convert_to_tensor(np.int32([[5, 16]]))
    whole, part = (
        float(OBJECTS.losses([maps], truth, frame)["Loss/object_center"])
        for frame in (Frame((16, 16)), Frame((16, 16), true_size))
    )
    assert whole - part == pytest.approx(8 * (focal(3.0, 0) + focal(-9.0, 0)), rel=1e-3)


def test_suppression_picks_rows_of_every_field():
    boxes = np.float32([[[0, 0, 1, 1], [0, 0, 1, 0.9], [0, 0, 0.1, 0.1], [0, 0, 1, 1]]])
    # Only the score of a peak's own class counts, such as 0.7 of the second.
    scores = np.float32([[[0.9, 0.6], [0.8, 0.7], [0.3, 0.6], [0.9, 0.9]]])
    found = Detections(
        boxes=ops.convert_to_tensor(boxes),
        scores=ops.convert_to_tensor(np.float32([[0.9, 0.7, 0.3, 0.9]])),
        classes=ops.convert_to_tensor(np.int32([[0, 1, 0, 0]])),
        num=ops.convert_to_tensor(np.int32([3])),  # The last one is no peak.
        multiclass_scores=ops.convert_to_tensor(scores),
        embeddings=ops.convert_to_tensor(np.float32([[[5], [6], [7], [8]]])),
    )
    kept = suppress_overlaps(NonMaxSuppression(0.5, 0.2, max_total=4), found)
    assert np_(kept.num).tolist() == [3]
    assert_allclose(np_(kept.scores), [[0.9, 0.7, 0.3, 0]])
    assert np_(kept.classes).tolist() == [[0, 1, 0, 0]]
    assert np_(kept.embeddings)[..., 0].tolist() == [[5, 6, 7, 0]]


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="compiling them takes minutes on JAX; their parts are tested there",
)
def test_images_of_other_sizes_pass_and_true_size_may_be_left_out():
    resizer = "model.center_net.image_resizer={ keep_aspect_ratio_resizer "
    config = small_config(
        "center", resizer + "{ min_dimension: 32 max_dimension: 64 } }"
    )
    detector = build_detector(config)
    assert detector.image_size is None
    for size in ((32, 48), (33, 50)):
        x = {"images": np.zeros((1, *size, 3), np.uint8)}
        outputs = detector(x)
        assert outputs["box/scale/0"].shape[1:3] == (-(-size[0] // 4), -(-size[1] // 4))
        parts = detector.loss_parts(outputs, truth_of([[0, 0, 1, 1]], [1]), x)
        assert all(np.isfinite(np_(v)) for v in parts.values())
        assert detector.detect(x, outputs).boxes.shape == (1, 8, 4)


def test_without_boxes_detections_are_points():
    config = small_config("center")
    config.model.center_net.ClearField("object_detection_task")
    detector = build_detector(config)
    found = detector.detect(small_batch()[0])
    boxes = np_(found.boxes)
    assert (boxes[..., :2] == boxes[..., 2:]).all()
    assert found.boxes_strided is None
    assert detector.loss_trackers.keys() == {"Loss/object_center", "Loss/total_loss"}


def test_output_maps_are_returned_if_requested():
    config = small_config("center", "model.center_net.output_prediction_dict=true")
    found = build_detector(config).detect(small_batch()[0])
    assert {name: tuple(v.shape) for name, v in found.maps.items()} == {
        "preprocessed_inputs": (2, 64, 64, 3),
        "extracted_features": (1, 2, 16, 16, 24),
        "object_center": (1, 2, 16, 16, 2),
        "box/scale": (1, 2, 16, 16, 2),
        "box/offset": (1, 2, 16, 16, 2),
    }


@pytest.mark.parametrize("kind", ["full", "detection", "classification"])
def test_variables_that_a_checkpoint_can_fill(kind):
    detector = build_detector(small_config("center"))
    names = set(detector.variables_for(kind))
    assert ("heads/box-scale_0/predict/bias" in names) == (kind == "full")
    assert ("feature_extractor/backbone/Conv1/kernel" in names) == (
        kind != "classification"
    )
    assert ("Conv1/kernel" in names) == (kind == "classification")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: CenterBoxes(GiouLoss()), "not boxes"),
        (lambda: dataclasses.replace(OBJECTS, min_iou=1.0), "min_box_overlap_iou"),
        (lambda: dataclasses.replace(OBJECTS, num_classes=0), "num_classes must be 1"),
        (lambda: CenterParts(UNCHANGED, OBJECTS, (BOXES, BOXES)), "two tasks predict"),
    ],
)
def test_parts_that_cannot_be_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        change()


class Scale(CenterBoxes):
    """A task with a layer of its own."""

    @property
    def layers(self):
        return (LAYER,)


LAYER = keras.layers.Dense(1, name="own")
LAYER.build((None, 2))


def test_layers_of_tasks_are_weights_of_the_detector():
    message = small_config("center").model.center_net.feature_extractor
    extractor = build_center_extractor(message, "path", BuildContext())
    parts = CenterParts(UNCHANGED, OBJECTS, (Scale(L1Loss()),))
    detector = CenterNet(extractor, parts, image_size=(64, 64))
    detector.build((None, 64, 64, 3))
    assert {"own/kernel", "own/bias"} <= detector.named_variables().keys()
    assert any(v is LAYER.kernel for v in detector.trainable_variables)
