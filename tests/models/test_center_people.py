"""CenterNet's embeddings, temporal offsets and DensePose, by hand."""

import dataclasses

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.heads.track_classifier import TrackClassifier
from odapi.layers.hyperparams import Hyperparams
from odapi.losses.boxes import GiouLoss, L1Loss
from odapi.losses.classification import SoftmaxLoss
from odapi.models.center.densepose_task import CenterDensePose
from odapi.models.center.task import Frame, Peaks
from odapi.models.center.temporal_task import CenterTemporal
from odapi.models.center.track_task import CenterTrack
from odapi.structures import Detections, Groundtruth

pytestmark = pytest.mark.backend

FRAME = Frame((16, 16))
# Two objects whose centers lie in the cells (1, 1) and (2, 3), and padding.
BOXES = [[0.25, 0.25, 0.5, 0.5], [0.5, 0.75, 0.75, 1.0], [0, 0, 0, 0]]


def tensor(values, dtype="float32"):
    return ops.convert_to_tensor(np.array(values, dtype))


def truth_of(**fields):
    return Groundtruth(
        boxes=tensor([BOXES]),
        classes=tensor([[0, 0, 0]], "int32"),
        valid=tensor([[True, True, False]], "bool"),
        weights=tensor([[1, 1, 0]]),
        **fields,
    )


def maps_of(channels, cells, size=(4, 4)):
    """A map that is 0 but in some cells."""
    maps = np.zeros((1, *size, channels), "float32")
    for place, values in cells.items():
        maps[(0, *place)] = values
    return tensor(maps)


def peaks_at(*cells):
    y, x = (tensor([c], "int32") for c in zip(*cells, strict=True))
    zeros = np.zeros((1, len(cells)))
    return Peaks(y, x, tensor(zeros, "int32"), tensor(zeros + 1))


def found_of(boxes, classes, **fields):
    count = len(boxes)
    return Detections(
        boxes=tensor([boxes]),
        scores=tensor(np.ones((1, count))),
        classes=tensor([classes], "int32"),
        num=tensor([count], "int32"),
        **fields,
    )


def track(num_layers=1):
    classifier = TrackClassifier(3, 2, num_layers, Hyperparams())
    classifier.build()
    return CenterTrack(classifier, SoftmaxLoss(), weight=2.0)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        # Scores 2 0 0 for the first, which is right, and 0 1 0 for the second.
        ([0, 1, -1], [2, 1]),
        # An individual that is not one of the three has no loss, and counts.
        ([0, -1, -1], [2, None]),
    ],
)
def test_the_loss_of_embeddings(ids, expected):
    task = track()
    task.classifier.predict.kernel.assign([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    maps = {"track/reid": maps_of(2, {(1, 1): [2.0, 0.0], (2, 3): [0.0, 1.0]})}
    truth = truth_of(track_ids=tensor([ids], "int32"))
    losses = task.losses([maps, maps], truth, FRAME)
    entropies = [np.log(np.exp(v) + 2) - v for v in expected if v is not None]
    # Two stages count half each; weight 2, two objects.
    assert list(losses) == ["Loss/track/reid"] == list(task.loss_names)
    assert_allclose(
        ops.convert_to_numpy(losses["Loss/track/reid"]),
        2.0 * sum(entropies) / 2,
        rtol=1e-5,
    )


def test_without_objects_there_is_no_loss():
    truth = truth_of(track_ids=tensor([[0, 1, -1]], "int32"))
    truth = truth._replace(valid=ops.zeros_like(truth.valid))
    losses = track().losses([{"track/reid": maps_of(2, {})}], truth, FRAME)
    assert float(ops.convert_to_numpy(losses["Loss/track/reid"])) == 0.0


def test_embeddings_have_length_one():
    maps = {"track/reid": maps_of(2, {(1, 1): [3.0, -4.0]})}
    found = track().detect(
        maps, peaks_at((1, 1), (0, 0)), found_of(BOXES[:2], [0, 0]), FRAME
    )
    embeddings = ops.convert_to_numpy(found.embeddings)
    assert_allclose(embeddings, [[[0.6, -0.8], [0.0, 0.0]]], rtol=1e-6)


def test_layers_before_the_last_are_normed_by_the_batch_in_training():
    task = track(num_layers=2)
    names = [w.path.split("/")[-2:] for w in task.classifier.weights]
    assert ["fc_0", "kernel"] in names and ["fc_0_norm", "moving_mean"] in names
    embeddings = tensor(np.random.default_rng(0).normal(5, 2, (2, 4, 2)))
    before = ops.convert_to_numpy(task.classifier.norms[0].moving_mean)
    seen = [
        ops.convert_to_numpy(task.classifier(embeddings, training=training))
        for training in (False, True)
    ]
    assert np.abs(seen[0] - seen[1]).max() > 1e-3
    after = ops.convert_to_numpy(task.classifier.norms[0].moving_mean)
    assert np.abs(after - before).max() > 1e-3


@pytest.mark.parametrize("name", ["num_track_ids", "reid_embed_size", "num_fc_layers"])
def test_track_classifier_needs_sizes(name):
    sizes = {"num_track_ids": 3, "reid_embed_size": 2, "num_fc_layers": 1, name: 0}
    with pytest.raises(ValueError, match=name):
        TrackClassifier(*sizes.values(), Hyperparams())


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        # The first is off by 1 and 0.5 cells, the second by 2 and 0.
        ([1, 1, 1], (1.5 + 2.0) / 2),
        # Nothing is known of the second, which counts in the mean.
        ([1, 0, 0], 1.5 / 2),
        ([0, 0, 0], 0.0),
    ],
)
def test_the_loss_of_motion(flags, expected):
    task = CenterTemporal(L1Loss(), weight=3.0)
    maps = {"track/offset": maps_of(2, {(1, 1): [2.0, 0.5], (2, 3): [0.0, -2.0]})}
    truth = truth_of(
        # Shares of an image of 4 cells: (1, 0) and (2, -2) cells.
        temporal_offsets=tensor([[[0.25, 0.0], [0.5, -0.5], [9.0, 9.0]]]),
        track_match_flags=tensor([flags], "bool"),
    )
    losses = task.losses([maps], truth, FRAME)
    assert list(losses) == ["Loss/track/offset"] == list(task.loss_names)
    value = ops.convert_to_numpy(losses["Loss/track/offset"])
    assert_allclose(value, 3.0 * expected, rtol=1e-6)


def test_motion_is_found_in_cells():
    maps = {"track/offset": maps_of(2, {(1, 1): [2.0, 0.5]})}
    found = CenterTemporal(L1Loss()).detect(
        maps, peaks_at((1, 1), (3, 3)), found_of(BOXES[:2], [0, 0]), FRAME
    )
    offsets = ops.convert_to_numpy(found.temporal_offsets)
    assert_allclose(offsets, [[[2.0, 0.5], [0.0, 0.0]]])


DENSEPOSE = CenterDensePose(
    1, SoftmaxLoss(), L1Loss(), num_parts=2, weight=2.0, part_weight=0.5
)


def points_of(*points, number=None):
    """One object with points `(part, y, x, v, u)`; room for two more."""
    room = np.zeros((1, 3, len(points) + 2, 5), "float32")
    room[0, 0, : len(points)] = points
    count = len(points) if number is None else number
    return truth_of(
        densepose_num_points=tensor([[count, 0, 0]], "int32"),
        densepose_part_ids=tensor(room[..., 0], "int32"),
        densepose_points=tensor(room[..., 1:]),
    )


def densepose_maps():
    # The scores of part 0 fall from 3 to 0 along the row of cells, in steps of 1.
    parts = np.zeros((1, 4, 4, 2), "float32")
    parts[..., 0] = [3.0, 2.0, 1.0, 0.0]
    surface = np.zeros((1, 4, 4, 4), "float32")
    surface[..., :] = [0.1, 0.2, 0.3, 0.4]
    return {"densepose/heatmap": tensor(parts), "densepose/regression": tensor(surface)}


@pytest.mark.parametrize(
    ("full", "score"),
    [
        # Pixel 7 is at (7 + 0.5) / 4 - 0.5 = 1.375 cells, where the score is 1.625.
        (True, 1.625),
        # It is in cell 1.
        (False, 2.0),
    ],
)
def test_the_losses_of_densepose(full, score):
    task = dataclasses.replace(DENSEPOSE, full_resolution=full)
    truth = points_of((1, 0.5, 7 / 16, 0.5, 0.1))
    losses = task.losses([densepose_maps()], truth, FRAME)
    part = np.log(np.exp(score) + 1)
    # Of part 1 the coordinates are 0.3 and 0.4; the loss is 0.2 and 0.3 off.
    assert list(losses) == list(task.loss_names)
    found = [ops.convert_to_numpy(v) for v in losses.values()]
    assert_allclose(found, [2.0 * 0.5 * part, 2.0 * 0.5], rtol=1e-5)


def test_points_are_averaged_and_padding_does_not_count():
    truth = points_of((0, 0.1, 0.1, 0.1, 0.2), (0, 0.9, 0.9, 1.1, 0.2))
    losses = DENSEPOSE.losses([densepose_maps()] * 2, truth, FRAME)
    value = ops.convert_to_numpy(losses["Loss/densepose/regression"])
    assert_allclose(value, 2.0 * (0.0 + 1.0) / 2, rtol=1e-5)
    one = points_of((0, 0.1, 0.1, 0.1, 0.2), (0, 0.9, 0.9, 1.1, 0.2), number=1)
    losses = DENSEPOSE.losses([densepose_maps()], one, FRAME)
    value = ops.convert_to_numpy(losses["Loss/densepose/regression"])
    assert_allclose(value, 0.0, atol=1e-6)


def test_no_point_at_all_and_points_on_the_border():
    none = points_of((0, 0.5, 0.5, 0.1, 0.2), number=0)
    for value in DENSEPOSE.losses([densepose_maps()], none, FRAME).values():
        assert float(ops.convert_to_numpy(value)) == 0.0
    border = points_of((0, 1.0, 1.0, 0.1, 0.2))
    for value in DENSEPOSE.losses([densepose_maps()], border, FRAME).values():
        assert np.isfinite(ops.convert_to_numpy(value))


def test_parts_and_coordinates_within_masks():
    maps = densepose_maps()
    parts = ops.convert_to_numpy(maps["densepose/heatmap"]).copy()
    parts[..., 1] = 1.5  # Part 0 wins in the two cells on the left.
    maps["densepose/heatmap"] = tensor(parts)
    masks = np.ones((1, 2, 2, 4), "float32")
    masks[0, 0, 1] = 0.0
    whole = [[0.0, 0.0, 1.0, 1.0]] * 2
    found = found_of(whole, [1, 0], masks=tensor(masks))
    found = DENSEPOSE.detect(maps, peaks_at((0, 0), (0, 0)), found, FRAME)
    assert_allclose(
        ops.convert_to_numpy(found.masks)[0],
        # The class with parts, and one without.
        [[[1, 1, 2, 2], [0, 0, 0, 0]], [[1, 1, 1, 1], [1, 1, 1, 1]]],
    )
    surface = ops.convert_to_numpy(found.surface_coords)
    left, right = [0.1, 0.2], [0.3, 0.4]
    assert_allclose(surface[0, 0, 0], [left, left, right, right], rtol=1e-5)
    assert (surface[0, 0, 1] == 0).all() and (surface[0, 1] == 0).all()


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match="giou"):
        CenterTemporal(GiouLoss())
    with pytest.raises(ValueError, match="giou"):
        CenterDensePose(0, SoftmaxLoss(), GiouLoss())
    with pytest.raises(ValueError, match="num_parts"):
        dataclasses.replace(DENSEPOSE, num_parts=0)
    with pytest.raises(ValueError, match="masks"):
        DENSEPOSE.detect(
            densepose_maps(), peaks_at((0, 0)), found_of(BOXES, [0] * 3), FRAME
        )
