"""Third stage: losses and detections of masks and keypoints."""

import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from odapi.errors import DataError
from odapi.heads.roi_keypoints import RoiKeypointOptions, RoiKeypoints
from odapi.heads.roi_masks import RoiMaskOptions, RoiMasks
from odapi.losses.roi_losses import ROI_KEYPOINTS, ROI_MASKS
from odapi.models.two_stage.proposal_sampler import RoiSample
from odapi.models.two_stage.roi_keypoint_task import RoiKeypointTask
from odapi.models.two_stage.roi_mask_task import RoiMaskTask
from odapi.models.two_stage.roi_task import Regions, select_matched
from odapi.structures import AnchorTargets
from small_rcnn import DETECTIONS, MAKE, SIZE, large_objects, small_rcnn, some_images

# Whole detectors run step by step take minutes to compile on JAX.
every_backend = pytest.mark.backend

MASKS = np.zeros((2, 3, *SIZE), "uint8")
MASKS[0, :2, 8:24, 12:36] = 1


def masks_of(**options):
    head = RoiMasks(RoiMaskOptions(2, (6, 6), depth=4), MAKE, name="roi_masks")
    return RoiMaskTask(head, **options)


def keypoints_of(**options):
    head = RoiKeypoints(RoiKeypointOptions(3, 1, 4), MAKE, name="roi_keypoints")
    return RoiKeypointTask(head, **options)


def losses(detector, groundtruth, training=True, inputs=None):
    inputs = inputs or some_images()
    outputs = detector(inputs, training=training)
    found = detector.loss_parts(outputs, groundtruth, inputs, training)
    return {name: number(value) for name, value in found.items()}


def number(value):
    return float(ops.convert_to_numpy(value))


def silent(head):
    """Makes a head say 0 everywhere."""
    for weight in head.predict.weights:
        weight.assign(np.zeros(weight.shape))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("flat", [True, False])
def test_mask_loss_of_zero_logits_is_log_two(flat, training):
    task = masks_of(weight=3.0, max_rois=4)
    detector = small_rcnn([task], flat=flat)
    silent(task.head)
    found = losses(detector, large_objects(masks=MASKS), training)
    assert_allclose(found[ROI_MASKS], 3 * np.log(2), rtol=1e-5)
    assert len(found) == 5 and detector.groundtruth_fields[0] == "masks"


@pytest.mark.parametrize(
    "nothing",
    [
        {"mask_weights": np.zeros((2, 3), "float32")},
        {"valid": np.zeros((2, 3), bool), "weights": np.zeros((2, 3), "float32")},
    ],
)
def test_without_a_mask_there_is_no_loss(nothing):
    truth = large_objects(masks=MASKS)._replace(**nothing)
    assert losses(small_rcnn([masks_of()]), truth)[ROI_MASKS] == 0


def test_groundtruth_without_masks_raises():
    with pytest.raises(DataError, match=r"no masks.*\n.*load_instance_masks"):
        losses(small_rcnn([masks_of()]), large_objects())
    with pytest.raises(DataError, match="2 keypoints, but the model learns 3"):
        points = np.zeros((2, 3, 2, 2), "float32")
        losses(small_rcnn([keypoints_of()]), large_objects(keypoints=points))


def one_region():
    """Returns a sample of one region, the whole image, that shows object 1, class 1."""
    targets = AnchorTargets(
        class_targets=np.array([[[0, 0, 1.0]]], "float32"),
        class_weights=np.ones((1, 1, 1), "float32"),
        box_targets=np.zeros((1, 1, 4), "float32"),
        box_weights=np.ones((1, 1), "float32"),
        match=np.array([[1]], "int32"),
    )
    box = np.array([[[0, 0, 1, 1]]], "float32")
    features = np.zeros((1, 1, 4, 4, 8), "float32")
    sample = RoiSample(box, np.array([[True]]), targets)
    return Regions(box, features, lambda b: b), sample


@every_backend
def test_mask_of_the_matched_object_is_learned():
    """A target by hand: the object covers the right half of the region."""
    regions, sample = one_region()
    masks = np.zeros((1, 2, 6, 6), "uint8")
    masks[0, 1, :, 3:] = 1
    task = masks_of()
    task.head.build((None, 4, 4, 8))
    silent(task.head)
    task.head.predict.bias.assign([100.0, 2.0])  # Of the second class.
    found = task.losses(regions, sample, large_objects(masks=masks))
    # Half of the cells are right to say 2, half are wrong.
    wanted = np.log1p(np.exp(2.0)) - 1.0
    assert_allclose(number(found[ROI_MASKS]), wanted, rtol=1e-5)


@every_backend
def test_keypoints_within_the_roi_are_learned():
    regions, sample = one_region()
    points = np.full((1, 2, 3, 2), np.nan, "float32")
    points[0, 1, 1] = 0.5
    task = keypoints_of(weight=2.0)
    task.head.build((None, 4, 4, 8))
    silent(task.head)
    truth = large_objects(keypoints=points)
    found = number(task.losses(regions, sample, truth)[ROI_KEYPOINTS])
    assert_allclose(found, 2 * np.log(16 * 16), rtol=1e-5)
    hidden = truth._replace(keypoint_visibility=np.zeros((1, 2, 3), "int32"))
    assert number(task.losses(regions, sample, hidden)[ROI_KEYPOINTS]) == 0


@pytest.mark.parametrize("flat", [True, False])
def test_detections_have_masks_and_keypoints(flat):
    detector = small_rcnn([masks_of(), keypoints_of()], flat=flat)
    found = detector.detect(some_images())
    masks = ops.convert_to_numpy(found.masks)
    assert masks.shape == (2, DETECTIONS, 6, 6)
    assert 0 <= masks.min() < 0.5 < masks.max() <= 1
    assert tuple(found.keypoints.shape) == (2, DETECTIONS, 3, 2)
    scores = ops.convert_to_numpy(found.keypoint_scores)
    assert 0 < scores.min() and scores.max() <= 1
    points, boxes = (ops.convert_to_numpy(x) for x in (found.keypoints, found.boxes))
    assert (points >= boxes[:, :, None, :2]).all()
    assert (points <= boxes[:, :, None, 2:]).all()


def test_masks_are_cropped_in_the_frame_of_the_padded_image():
    task = masks_of()
    detector = small_rcnn([task], flat=True)
    seen = []
    cut = type(detector.parts.pooler).crop

    class Spy(type(detector.parts.pooler)):
        def crop(self, maps, boxes, image_size):
            seen.append(ops.convert_to_numpy(boxes))
            return cut(self, maps, boxes, image_size)

    crop = detector.parts.pooler
    object.__setattr__(
        detector.parts, "pooler", Spy(crop.crop_size, crop.pool_size, crop.pool_stride)
    )
    inputs = some_images(true_size=[(16, 48), (32, 24)])
    found = ops.convert_to_numpy(detector.detect(inputs).boxes)
    assert_allclose(seen[-1][0], found[0] * [0.5, 1, 0.5, 1], atol=1e-6)
    assert_allclose(seen[-1][1], found[1] * [1, 0.5, 1, 0.5], atol=1e-6)


@every_backend
def test_matched_rois_are_selected_in_order():
    match = np.array([[-1, 2, -1, 0, 1], [-1, -1, -1, -1, 3]], "int32")
    valid = np.array([[True] * 5, [True] * 4 + [False]])
    targets = AnchorTargets(None, None, None, None, match)
    sample = RoiSample(np.zeros((2, 5, 4), "float32"), valid, targets)
    index, real = (ops.convert_to_numpy(x) for x in select_matched(sample, 2))
    assert index.tolist() == [[1, 3], [4, 4]]
    assert real.tolist() == [[True, True], [False, False]]
    assert select_matched(sample, None)[0].shape == (2, 5)
