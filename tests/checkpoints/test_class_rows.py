"""Weights per class follow the names of the classes."""

import functools

import numpy as np
import pytest
from keras.ops import convert_to_numpy

from odapi.build.detector import build_detector
from odapi.checkpoints.class_rows import Layout, layout_of, move_class_rows
from odapi.checkpoints.weights import values
from odapi.heads.rfcn_head import RfcnHead, RfcnOptions
from odapi.heads.roi_boxes import RoiBoxes, RoiBoxOptions
from odapi.heads.roi_masks import RoiMaskOptions, RoiMasks
from odapi.labels import Category, LabelMap, label_map_of
from odapi.models.two_stage.rfcn import RFCN
from odapi.models.two_stage.roi_mask_task import RoiMaskTask
from odapi.training.given_model import GivenModel
from odapi.training.initialize import initialize_from_model
from small_models import small_batch, small_config
from small_rcnn import MAKE, small_rcnn, some_images

AB, BA = label_map_of(["a", "b"]), label_map_of(["b", "a"])
SCORES, BOXES = "class_predictions_with_background", "refined_box_encodings"
MASKS = "mask_predictions"


def of_config(family):
    return build_detector(small_config(family), seed=1)


unchanged = functools.cache(of_config)  # For tests that assign no weight.


def with_masks():
    head = RoiMasks(RoiMaskOptions(2, (6, 6), depth=4), MAKE, name="roi_masks")
    return small_rcnn([RoiMaskTask(head)])


def rfcn():
    head = RfcnHead(RfcnOptions(2, (2, 2), (4, 4), 4), MAKE, name="rfcn")
    return small_rcnn(kind=RFCN, boxes=head)


def shared_boxes():
    options = RoiBoxOptions(2, share_boxes=True)
    return small_rcnn(boxes=RoiBoxes(options, MAKE, name="roi_boxes"))


def randomize(detector, seed):
    rng = np.random.default_rng(seed)
    for variable in detector.named_variables().values():
        noise = rng.uniform(0.0, 0.1, variable.shape)  # Variances stay positive.
        variable.assign(variable + noise.astype("float32"))


def load(detector, arrays):
    for name, variable in detector.named_variables().items():
        variable.assign(arrays[name])


@pytest.mark.parametrize(
    ("make", "axes"),
    [
        # Axis of the classes by output; the axis counts from the end.
        (lambda: of_config("ssd"), {SCORES: -1}),
        (lambda: of_config("fpn"), {SCORES: -1}),
        (lambda: of_config("bifpn"), {SCORES: -1}),
        (lambda: of_config("center"), {"object_center/0": -1}),
        (small_rcnn, {SCORES: -1, BOXES: -2}),
        (shared_boxes, {SCORES: -1}),
        (rfcn, {SCORES: -1, BOXES: -2}),
    ],
    ids=["ssd", "fpn", "bifpn", "center", "rcnn", "shared boxes", "rfcn"],
)
def test_exchanged_classes_exchange_the_scores_and_nothing_else(make, axes):
    trained, fresh = make(), make()
    randomize(trained, 1)
    moved = move_class_rows(fresh, values(trained.named_variables()), AB, BA)
    load(fresh, moved.arrays)
    is_rcnn = hasattr(fresh, "rpn")
    inputs = some_images() if is_rcnn else small_batch()[0]
    before, after = trained(inputs), fresh(inputs)
    assert set(axes) <= set(before)
    for name, output in before.items():
        if isinstance(output, list | tuple):
            continue
        expected, got = convert_to_numpy(output), convert_to_numpy(after[name])
        if name in axes:
            background = expected.shape[axes[name]] - 2
            order = [*range(background), background + 1, background]
            expected = np.take(expected, order, axis=axes[name])
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5, err_msg=name)


def test_masks_of_classes_are_exchanged():
    detector = with_masks()
    arrays = values(detector.named_variables())
    moved = move_class_rows(detector, arrays, AB, BA).arrays
    name = "roi_masks/predict/kernel"
    np.testing.assert_array_equal(moved[name], arrays[name][..., ::-1])


def test_a_new_class_keeps_its_initial_row_and_others_find_theirs():
    fresh = unchanged("fpn")
    arrays = {n: v + 1 for n, v in values(fresh.named_variables()).items()}
    there = label_map_of(["a", "b"])
    here = label_map_of(["new", "a"])
    moved = move_class_rows(fresh, arrays, there, here)
    assert (moved.moved, moved.new) == (("a",), ("new",))
    assert moved.lines() == [
        "  classes     taken over by name: a; new, at their initial values: new"
    ]
    name = "box_predictor/class/bias"  # Two anchors, background, two classes.
    old, initial = (arrays[name], values(fresh.named_variables())[name])
    expected = [old[0], initial[1], old[1], old[3], initial[4], old[4]]
    np.testing.assert_array_equal(moved.arrays[name], np.array(expected))


def test_rows_are_found_in_a_head_with_another_number_of_classes():
    config = small_config("fpn", "model.ssd.num_classes=3")
    three = build_detector(config, seed=1)
    fresh = unchanged("fpn")
    arrays = values(three.named_variables())
    arrays["box_predictor/class/bias"] = np.arange(8, dtype="float32")
    there = label_map_of(["x", "b", "a"])
    moved = move_class_rows(fresh, arrays, there, AB)
    np.testing.assert_array_equal(
        moved.arrays["box_predictor/class/bias"], [0, 3, 2, 4, 7, 6]
    )


@pytest.mark.parametrize(
    "here",
    [AB, LabelMap((Category(1, "/m/1", "a"), Category(2, "/m/2", "b")))],
    ids=["name", "display name"],
)
def test_the_same_classes_change_nothing(here):
    detector = unchanged("fpn")
    arrays = values(detector.named_variables())
    moved = move_class_rows(detector, arrays, AB, here)
    assert moved.lines() == []
    assert all(moved.arrays[n] is arrays[n] for n in arrays)


@pytest.mark.parametrize(
    ("make", "name", "layout"),
    [
        (lambda: unchanged("ssd"), "box_predictor/class_0/predict/bias", (3, 1, 1)),
        (lambda: unchanged("bifpn"), "box_predictor/class/bias", (1, 0, 1)),
        (lambda: unchanged("fpn"), "box_predictor/class/depthwise_kernel", None),
        (lambda: unchanged("fpn"), "box_predictor/box/bias", None),
        (small_rcnn, "roi_boxes/class/bias", (1, 1, 1)),
        (small_rcnn, "roi_boxes/box/bias", (1, 0, 4)),
        (small_rcnn, "rpn/predict/class_0/predict/bias", None),
        (shared_boxes, "roi_boxes/box/bias", None),
        (rfcn, "rfcn/class/kernel", (4, 1, 1)),
        (rfcn, "rfcn/box/kernel", (4, 0, 4)),
    ],
)
def test_layout_of_a_variable(make, name, layout):
    expected = None if layout is None else Layout(*layout)
    detector = make()
    size = detector.named_variables()[name].shape[-1]
    assert layout_of(detector, name, size) == expected


def test_a_model_that_is_trained_further_finds_its_classes_by_name():
    trained, fresh = of_config("fpn"), of_config("fpn")
    randomize(trained, 1)
    model = GivenModel(small_config("fpn"), trained, AB)
    report = initialize_from_model(fresh, model, BA)
    assert "  classes     taken over by name: b, a" in report.lines()
    name = "box_predictor/class/bias"
    old, new = (values(d.named_variables())[name] for d in (trained, fresh))
    np.testing.assert_array_equal(new, old[[0, 2, 1, 3, 5, 4]])
