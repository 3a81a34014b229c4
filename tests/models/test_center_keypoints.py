"""Keypoint tasks of a CenterNet: heads, losses, keypoints of detections."""

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.geometry.keypoints import KeypointRefiner
from odapi.heads.center_heads import Head
from odapi.losses.boxes import IouLoss, L1Loss
from odapi.models.center.keypoint_task import (
    HighestNearby,
    KeypointTask,
    KeypointWeights,
    SnapToPeaks,
)
from odapi.models.center.task import Frame, Peaks
from odapi.structures import Detections, Groundtruth, present

NAN = float("nan")
HEIGHT, WIDTH = 8, 8
FRAME = Frame((4 * HEIGHT, 4 * WIDTH), np.array([[16, 32], [32, 32]], "int32"))
# The class 0 has keypoints 0 and 2, the class 1 has keypoint 1.
POSE = KeypointTask("pose", 0, (0, 2), 3, per_keypoint_offset=True)
FACE = KeypointTask("face", 1, (1,), 3, has_depth=True)


def maps(task, batch=2, **cells):
    """Maps of 0 and of heatmaps of -9, but for `kind_image_y_x_channel`: value."""
    made = {
        head.name: np.full(
            (batch, HEIGHT, WIDTH, head.channels),
            -9.0 if head.name.endswith("heatmap") else 0.0,
            "float32",
        )
        for head in task.heads
    }
    for place, value in cells.items():
        kind, *index = place.split("_")
        made[f"{task.name}/keypoint/{kind}"][tuple(int(n) for n in index)] = value
    return {name: ops.convert_to_tensor(value) for name, value in made.items()}


def tensor(values, dtype="float32"):
    return ops.convert_to_tensor(np.asarray(values, dtype))


def peaks_and_found(classes=((0, 1), (1, 0)), num=(2, 2)):
    """Two objects an image, at the cells (2, 2) and (4, 6), in boxes of 4 x 4."""
    peaks = Peaks(
        y=tensor([[2, 4]] * 2, "int32"),
        x=tensor([[2, 6]] * 2, "int32"),
        classes=tensor(classes, "int32"),
        scores=tensor([[0.8, 0.4]] * 2),
    )
    boxes = tensor([[[0, 0, 4, 4], [2, 4, 6, 8]]] * 2)
    found = Detections(
        boxes, peaks.scores, peaks.classes, tensor(num, "int32"), boxes_strided=boxes
    )
    return peaks, found


def numpy(values):
    return ops.convert_to_numpy(values)


@pytest.mark.parametrize(
    ("task", "channels"),
    [
        (POSE, [2, 4, 4]),
        (KeypointTask("pose", 0, (0, 2), 3), [2, 2, 4]),
        (FACE, [1, 2, 2, 1]),
        (
            KeypointTask("a", 0, (0, 1, 2), 3, has_depth=True, per_keypoint_depth=True),
            [3, 2, 6, 3],
        ),
    ],
)
def test_heads_of_a_task(task, channels):
    kinds = ("heatmap", "offset", "regression", "depth")[: len(channels)]
    assert [h.name for h in task.heads] == [f"{task.name}/keypoint/{k}" for k in kinds]
    assert [h.channels for h in task.heads] == channels
    assert task.heads[0].bias == -2.19
    assert task.loss_names == tuple(f"Loss/{h.name}" for h in task.heads)


def test_heads_have_the_layers_that_are_asked_for():
    task = KeypointTask(
        "a", 0, (0,), 1, head_specs={"offset": Head("", 1, (8, 9), (3, 1))}
    )
    assert (task.heads[1].filters, task.heads[1].kernels) == ((8, 9), (3, 1))
    assert (task.heads[2].filters, task.heads[2].kernels) == ((256,), (3,))


@pytest.mark.backend
def test_objects_of_the_class_get_keypoints_in_every_image_of_a_batch():
    # In the second image the object of the class is the other one.
    made = maps(
        POSE,
        heatmap_0_1_2_0=3.0,
        heatmap_1_4_5_1=3.0,
        offset_0_1_2_0=0.5,
        regression_1_4_6_0=-1.0,
    )
    peaks, found = peaks_and_found()
    found = POSE.detect(made, peaks, found, FRAME)
    points, scores = numpy(found.keypoints), numpy(found.keypoint_scores)
    high = 1 / (1 + np.exp(-3.0))
    # The first image has 16 rows: a quarter of a row each.
    assert_allclose(points[0, 0], [[1.5 / 4, 2 / 8], [0, 0], [2 / 4, 2 / 8]])
    assert_allclose(scores[0], [[high, 0, 0.1], [0, 0, 0]], rtol=1e-6)
    assert_allclose(points[1, 1], [[3 / 8, 6 / 8], [0, 0], [4 / 8, 5 / 8]])
    assert_allclose(scores[1], [[0, 0, 0], [0.1, 0, high]], rtol=1e-6)
    assert not points[0, 1].any()
    assert found.keypoint_depths is None


@pytest.mark.backend
def test_several_tasks_share_the_keypoints_of_a_detection():
    peaks, found = peaks_and_found()
    found = POSE.detect(maps(POSE), peaks, found, FRAME)
    made = maps(FACE, heatmap_0_4_6_0=3.0, depth_0_4_6_0=7.0)
    found = FACE.detect(made, peaks, found, FRAME)
    high = 1 / (1 + np.exp(-3.0))
    expected = [[[0.1, 0, 0.1], [0, high, 0]], [[0, 0.1, 0], [0.1, 0, 0.1]]]
    assert_allclose(numpy(found.keypoint_scores), expected, rtol=1e-6)
    assert_allclose(numpy(found.keypoints)[0, 1], [[0, 0], [1, 6 / 8], [0, 0]])
    assert numpy(found.keypoint_depths)[0].tolist() == [[0, 0, 0], [0, 7, 0]]


def test_padding_has_no_keypoints():
    peaks, found = peaks_and_found(((0, 0), (0, 0)), num=(1, 0))
    scores = numpy(POSE.detect(maps(POSE), peaks, found, FRAME).keypoint_scores)
    assert scores.any(axis=-1).tolist() == [[True, False], [False, False]]


def test_rescoring_changes_the_scores_of_the_class_alone():
    task = KeypointTask("pose", 0, (0, 2), 3, rescoring_threshold=0.5)
    made = maps(task, heatmap_0_2_2_1=0.0 + 3.0)
    peaks, found = peaks_and_found()
    found = task.detect(made, peaks, found, FRAME)
    # Suppression comes between, and by the scores of the heatmap.
    assert_allclose(numpy(found.scores), [[0.8, 0.4]] * 2)
    scores = numpy(task.rescore(found).scores)
    # One keypoint is above 0.5; in the second image none is.
    assert_allclose(scores, [[0.8 / (1 + np.exp(-3.0)), 0.4], [0.8, 0]], rtol=1e-6)


def test_clipped_keypoints_are_within_the_image_and_score_nothing():
    task = KeypointTask("pose", 0, (0,), 1, clip=True)
    # From row 2 to row 6, of 4 in the first image and of 8 in the second.
    made = maps(task, regression_0_2_2_0=4.0, regression_1_2_2_0=4.0)
    peaks, found = peaks_and_found(((0, 1), (0, 1)))
    found = task.detect(made, peaks, found, FRAME)
    assert_allclose(numpy(found.keypoints)[:, 0, 0], [[1, 0.25], [0.75, 0.25]])
    assert_allclose(numpy(found.keypoint_scores)[:, 0, 0], [0, 0.1])


@pytest.mark.backend
def test_decoding_by_the_highest_cell():
    task = KeypointTask("pose", 0, (0,), 1, decoding=HighestNearby(0.1))
    made = maps(task, heatmap_0_2_3_0=0.0, heatmap_0_4_6_0=9.0)
    peaks, found = peaks_and_found()
    found = task.detect(made, peaks, found, FRAME)
    assert_allclose(numpy(found.keypoints)[0, 0], [[2 / 4, 3 / 8]])
    assert_allclose(
        numpy(found.keypoint_scores)[0, 0], [0.5 * np.exp(-1 / 0.8)], rtol=1e-5
    )


def test_without_boxes_keypoints_snap_to_the_nearest_peak_anywhere():
    task = KeypointTask(
        "a", 0, (0,), 1, decoding=SnapToPeaks(KeypointRefiner(search_scale=0))
    )
    peaks, found = peaks_and_found()
    found = found._replace(boxes_strided=None)
    found = task.detect(maps(task, heatmap_1_7_0_0=3.0), peaks, found, FRAME)
    assert_allclose(numpy(found.keypoints)[1, 1], [[7 / 8, 0]])


def test_without_boxes_those_around_the_keypoints_take_their_place():
    peaks, found = peaks_and_found()
    found = found._replace(boxes_strided=None)
    # From the cell (2, 2), of 4 x 8 cells: to (1, 6) and (3, 4).
    shifts = {"0": -1.0, "1": 4.0, "2": 1.0, "3": 2.0}
    made = maps(POSE, **{f"regression_0_2_2_{c}": v for c, v in shifts.items()})
    boxes = numpy(POSE.detect(made, peaks, found, FRAME).boxes)[0]
    assert_allclose(boxes[0], [1 / 4, 4 / 8, 3 / 4, 6 / 8])
    assert_allclose(boxes[1], [2, 4, 6, 8])  # Of another class, as it was.


def truth():
    """An object of either class in the first image, nothing in the second."""
    boxes = np.array([[[0, 0, 0.5, 0.5], [0.25, 0.5, 0.75, 1]], [[0] * 4] * 2])
    keypoints = np.full((2, 2, 3, 2), NAN)
    keypoints[0, 0] = [[0.25, 0.25], [NAN, NAN], [NAN, NAN]]
    keypoints[0, 1, 1] = [0.5, 0.8]
    arrays = {
        "boxes": boxes.astype("float32"),
        "classes": np.array([[0, 1], [0, 0]], "int32"),
        "valid": np.array([[True, True], [False, False]]),
        "weights": np.array([[1, 1], [0, 0]], "float32"),
        "keypoints": keypoints.astype("float32"),
        "keypoint_depths": np.full((2, 2, 3), 5, "float32"),
    }
    return Groundtruth(**{k: ops.convert_to_tensor(v) for k, v in arrays.items()})


@pytest.mark.backend
def test_losses_by_hand():
    weights = KeypointWeights(task=2.0, offset=3.0, regression=0.5, depth=0.25)
    task = KeypointTask(
        "face", 1, (1,), 3, (1.0,), cell_loss=L1Loss(), weights=weights, has_depth=True
    )
    frame = Frame((32, 32))
    # The keypoint is at (4, 6.4), the center at (4, 6).
    made = maps(task, offset_0_4_6_1=1.0, regression_0_4_6_0=2.0, depth_0_4_6_0=3.0)
    found = {k: float(numpy(v)) for k, v in task.losses([made], truth(), frame).items()}
    assert found["Loss/face/keypoint/offset"] == pytest.approx(2 * 3 * 0.6, rel=1e-5)
    assert found["Loss/face/keypoint/regression"] == pytest.approx(2.4, rel=1e-5)
    assert found["Loss/face/keypoint/depth"] == pytest.approx(2 * 0.25 * 2, rel=1e-5)
    # All cells say 1.2e-4: right everywhere but at the keypoint.
    assert found["Loss/face/keypoint/heatmap"] == pytest.approx(2 * 9.0, rel=1e-3)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="graphs of any batch size"
)
def test_batch_size_may_be_unknown():
    import tensorflow as tf

    def losses(maps, given):
        return FACE.losses([maps], Groundtruth(**given), Frame((32, 32)))

    given = maps(FACE, depth_0_4_6_0=3.0), present(truth())
    specs = tf.nest.map_structure(
        lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), given
    )
    graph = tf.function(losses, autograph=False, input_signature=specs)
    expected = {k: float(numpy(v)) for k, v in losses(*given).items()}
    found = {k: float(numpy(v)) for k, v in graph(*given).items()}
    assert found == pytest.approx(expected, rel=1e-6)
    assert expected["Loss/face/keypoint/depth"] == 2.0


def test_stages_count_as_their_mean():
    frame = Frame((32, 32))
    one, other = maps(FACE), maps(FACE, offset_0_4_6_1=10.0)
    first, second, both = (
        float(numpy(FACE.losses(s, truth(), frame)["Loss/face/keypoint/offset"]))
        for s in ([one], [other], [one, other])
    )
    assert both == pytest.approx((first + second) / 2)


def test_padding_of_images_does_not_count_in_heatmaps():
    wrong = maps(FACE, heatmap_0_5_0_0=9.0)
    name = "Loss/face/keypoint/heatmap"
    sizes = [[20, 32], [24, 32]]  # Row 5 is padding, or not.
    losses = [
        float(
            numpy(
                FACE.losses(
                    [wrong], truth(), Frame((32, 32), tensor([size] * 2, "int32"))
                )[name]
            )
        )
        for size in sizes
    ]
    assert losses[1] - losses[0] == pytest.approx(-np.log(1.234e-4), rel=1e-2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"indices": ()}, "has no keypoints"),
        ({"deviations": (1.0,)}, "one deviation per keypoint \\(2\\)"),
        ({"total": 2}, "total must be above 2"),
        ({"cell_loss": IouLoss()}, "cell_loss must not be a loss of boxes"),
    ],
)
def test_invalid_keypoint_tasks_raise(change, says):
    arguments = {"name": "pose", "class_id": 0, "indices": (0, 2), "total": 3}
    with pytest.raises(ValueError, match=says):
        KeypointTask(**arguments | change)
