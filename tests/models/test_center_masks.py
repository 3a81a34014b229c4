"""CenterNet's masks: targets, loss and crops."""

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from learning import SEED, reached
from odapi.build.detector import build_detector
from odapi.losses.classification import SigmoidLoss
from odapi.models.center.mask_task import HEATMAP, LOSS, CenterMasks
from odapi.models.center.task import Frame
from odapi.structures import Detections, Groundtruth
from odapi.targets.mask_targets import (
    region_weights,
    resize_masks,
    segmentation_targets,
)
from requirement import require
from small_models import SIZE, small_batch, small_config

pytestmark = pytest.mark.backend

TASK = CenterMasks(num_classes=2, loss=SigmoidLoss(), weight=3.0, mask_size=(2, 2))


def np_(x):
    return ops.convert_to_numpy(x)


def truth(masks, classes, **fields):
    masks = np.array(masks, np.uint8)[None]
    number = masks.shape[1]
    return Groundtruth(
        boxes=ops.convert_to_tensor(
            np.tile(np.array([0.0, 0.0, 0.5, 0.5], np.float32), (1, number, 1))
        ),
        classes=ops.convert_to_tensor(np.array([classes], np.int32)),
        valid=ops.convert_to_tensor(fields.pop("valid", np.ones((1, number), bool))),
        weights=ops.ones((1, number)),
        masks=ops.convert_to_tensor(masks),
        **{k: ops.convert_to_tensor(np.float32([v])) for k, v in fields.items()},
    )


def filled(rows, columns, size=8):
    mask = np.zeros((size, size))
    mask[rows, columns] = 1
    return mask


LEFT, RIGHT = filled(slice(None), slice(4)), filled(slice(None), slice(4, None))
NOTHING = np.zeros((8, 8))


@pytest.mark.parametrize(
    ("masks", "classes", "options", "expected"),
    [
        # Two objects of one class: their union.
        ([LEFT, RIGHT], [1, 1], {}, [[[0, 1], [0, 1]], [[0, 1], [0, 1]]]),
        ([LEFT, RIGHT], [0, 1], {}, [[[1, 0], [0, 1]], [[1, 0], [0, 1]]]),
        ([NOTHING], [0], {}, [[[0, 0], [0, 0]], [[0, 0], [0, 0]]]),
        # Padding covers nothing.
        (
            [LEFT, RIGHT],
            [0, 0],
            {"valid": np.array([[True, False]])},
            [[[1, 0], [0, 0]], [[1, 0], [0, 0]]],
        ),
    ],
)
def test_targets_are_the_union_of_a_class(masks, classes, options, expected):
    found = segmentation_targets(truth(masks, classes, **options), 2, (2, 2))
    assert np_(found.maps)[0].tolist() == expected
    assert np_(found.weights).min() == 1


def test_unknown_masks_have_no_loss():
    # The box ends at 0.5; it is grown by 1.05, so that cell 2 of 4 begins within it.
    expected = np.ones((4, 4))
    expected[:3, :3] = 0
    # Of the mask on the left, columns 0 and 1 of 4, the lower part is outside the box.
    groundtruth = truth([LEFT], [0], mask_weights=[0.0])
    found = segmentation_targets(groundtruth, 2, (4, 4))
    assert np_(found.weights)[0, ..., 0].tolist() == expected.tolist()
    assert np_(found.maps)[0, ..., 0].tolist() == [[1, 1, 0, 0]] * 4
    assert np_(found.maps)[0, ..., 1].max() == 0


def test_mask_weights_may_be_fractions():
    groundtruth = truth([LEFT], [0], mask_weights=[0.25])
    found = segmentation_targets(groundtruth, 2, (4, 4))
    expected = np.ones((4, 4))
    expected[:3, :3] = 0.25
    assert np_(found.weights)[0, ..., 0].tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("boxes_px", "weights", "size", "expected"),
    [
        # From target_assignment_utils_test.py of the original,
        # test_blackout_pixel_weights_by_box_regions_with_weights.
        (
            [[0, 0, 2, 2], [0, 0, 4, 2], [3, 0, 4, 4]],
            [0.4, 0.3, 0.0],
            (4, 4),
            [[0.4, 0.4, 1, 1], [0.4, 0.4, 1, 1], [0.3, 0.3, 1, 1], [0, 0, 0, 0]],
        ),
        # The same, test_blackout_pixel_weights_by_box_regions_zero_instance.
        ([], [], (2, 3), [[1, 1, 1], [1, 1, 1]]),
        # A negative weight is one of 0, and not the maximum.
        ([[0, 0, 1, 2]], [-1.0], (2, 2), [[0, 0], [1, 1]]),
    ],
)
def test_weights_of_regions(boxes_px, weights, size, expected):
    found = _region_weights(boxes_px, weights, size)
    assert_allclose(found, expected, atol=1e-6)


def test_far_edges_of_regions_are_excluded():
    # From target_assignment_utils_test.py of the original,
    # test_blackout_pixel_weights_by_box_regions: 20 * 10 - 5 * 5 - 2 * 6 = 163.
    boxes = [[0, 0, 5, 5], [0, 0, 10, 20], [6, 12, 8, 18]]
    found = _region_weights(boxes, [0.0, 1.0, 0.0], (10, 20))
    assert found.sum() == 163
    assert not found[:5, :5].any()
    assert not found[6:8, 12:18].any()


def test_padding_has_no_region():
    found = _region_weights([[0, 0, 2, 2]], [0.0], (2, 2), valid=False)
    assert found.tolist() == [[1, 1], [1, 1]]


def _region_weights(boxes_px, weights, size, valid=True):
    boxes = np.array(boxes_px, "float32").reshape(1, -1, 4) / (*size, *size)
    found = region_weights(
        ops.convert_to_tensor(boxes.astype("float32")),
        ops.convert_to_tensor(np.full((1, len(weights)), valid)),
        ops.convert_to_tensor(np.array([weights], "float32")),
        size,
    )
    return np_(found)[0]


@pytest.mark.parametrize("size", [(2, 2), (8, 8), (3, 5)])
def test_masks_are_read_in_the_middle_of_cells(size):
    mask = np.random.default_rng(0).random((1, 2, 8, 8)).astype("float32")
    found = np_(resize_masks(ops.convert_to_tensor(mask), size))
    tf = require("tensorflow")
    expected = tf.image.resize(np.moveaxis(mask, 1, -1), size).numpy()
    assert_allclose(np.moveaxis(found, 1, -1), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("true_size", "expected"),
    [
        (None, 3 * np.log(2) * 2),
        # The left half is an image; the other cells do not count.
        ([[8, 4]], 3 * np.log(2) * 2),
    ],
)
def test_the_loss_is_a_mean_over_cells(true_size, expected):
    if true_size is not None:
        true_size = ops.convert_to_tensor(np.array(true_size, np.int32))
    maps = {HEATMAP: ops.zeros((1, 2, 2, 2))}
    groundtruth = truth([LEFT], [0])
    found = TASK.losses([maps], groundtruth, Frame((8, 8), true_size))[LOSS]
    assert float(np_(found)) == pytest.approx(expected, rel=1e-5)


def test_masks_are_cut_out_of_the_map_of_their_class():
    maps = np.full((1, 3, 3, 2), -5.0, np.float32)
    maps[0, 0, 0, 1] = maps[0, 0, 1, 1] = 5.0
    found = Detections(
        boxes=ops.convert_to_tensor(np.float32([[[0, 0, 1, 1]] * 2])),
        scores=ops.ones((1, 2)),
        classes=ops.convert_to_tensor(np.array([[1, 0]], np.int32)),
        num=ops.convert_to_tensor(np.array([2], np.int32)),
    )
    masks = TASK.detect(
        {HEATMAP: ops.convert_to_tensor(maps)}, None, found, Frame((12, 12))
    ).masks
    assert np_(masks)[0].tolist() == [[[1, 0], [0, 0]], [[0, 0], [0, 0]]]


def test_mask_size_below_one_raises():
    with pytest.raises(ValueError, match="mask_height and mask_width must be 1"):
        CenterMasks(num_classes=2, loss=SigmoidLoss(), mask_size=(0, 4))


@pytest.mark.slow
@pytest.mark.learning
def test_mask_is_learned():
    if keras.backend.backend() == "jax":
        pytest.skip("takes minutes to compile; trained on the other backends")
    task = "model.center_net.mask_estimation_task"
    detector = build_detector(
        small_config(
            "center",
            f"{task}.classification_loss.weighted_sigmoid={{}}",
            f"{task}.mask_height=16",
            f"{task}.mask_width=16",
        ),
        seed=1 + SEED,
    )
    x, y = small_batch(2)
    masks = np.zeros((2, 3, SIZE, SIZE), np.uint8)
    for n, box in enumerate(y["boxes"][:, 0] * SIZE):
        top, left, bottom, right = box.astype(int)
        masks[n, 0, top:bottom, left:right] = 1
    y = {**y, "masks": masks}
    detector.compile(optimizer=keras.optimizers.Adam(5e-3))
    logs = [detector.train_on_batch(x, y, return_dict=True) for _ in range(40)]
    ratio = float(logs[-1][LOSS]) / float(logs[0][LOSS])
    assert reached("CenterNet masks: last loss / first", ratio, below=0.3)
    assert np_(detector.detect(x).masks).shape == (2, 8, 16, 16)
