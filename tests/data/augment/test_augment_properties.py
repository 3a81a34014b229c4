"""Properties of every augmentation: objects keep their pixels and their fields."""

import copy
import pickle

import numpy as np
import pytest
from augment_rows import ROWS, Kind, Row
from numpy.testing import assert_allclose, assert_array_equal
from painted import COLORS, EDGE_CASES, painted

from odapi.data.augment.autoaugment.augment import AutoAugment
from odapi.data.augment.degrade import RandomBlur
from odapi.data.augment.patches import BlackPatches, RandomErasing
from odapi.data.image.resize import FixedShape, Identity
from odapi.fields import FIELDS, Motion

SHOWN = Identity(method="nearest")
POSITIONS = {f.name for f in FIELDS.values() if f.motion is not Motion.NONE}
# Values that become unknown outside of the image.
HIDDEN = {"keypoint_visibility", "densepose_num_points", "densepose_part_ids"}

every_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)


def applied(row, sample, seed):
    """Returns the augmented sample, rendered, and checked for its form."""
    made = SHOWN(row.step(sample, np.random.default_rng(seed)))
    made.pop("true_size"), made.pop("original_size")
    count = len(made["boxes"])
    for name, value in made.items():
        if name in FIELDS:
            assert len(value) == count, name
            assert value.dtype == FIELDS[name].dtype, name
    assert set(made) == set(sample)
    assert made["image"].dtype in (np.uint8, np.float32)
    boxes = made["boxes"]
    assert np.isfinite(boxes).all()
    assert (boxes[:, :2] <= boxes[:, 2:]).all()
    if "masks" in made:
        assert made["masks"].shape[1:] == made["image"].shape[:2]
    return made


@every_row
def test_pixels_masks_keypoints_and_boxes_of_an_object_agree(row):
    checks = {
        Kind.GEOMETRY: check_positions,
        Kind.COLOR: check_only_image_changed,
        Kind.ANNOTATIONS: check_only_annotations_changed,
        Kind.MIXED: check_annotations,
    }
    for seed in range(row.seeds):
        checks[row.kind](row, painted(), applied(row, painted(), seed))


GEOMETRY = {
    name: row
    for name, row in ROWS.items()
    # Padding would show boxes that an earlier crop did not clip.
    if row.kind is Kind.GEOMETRY
    and "*" not in row.changes
    and "without clipping" not in name
}


def test_chains_of_geometric_steps_keep_objects_together():
    kept = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        names = rng.choice(list(GEOMETRY), 4).tolist()
        sample = painted()
        for name in names:
            sample = GEOMETRY[name].step(sample, rng)
        # Rounding to pixels, once per step, and more where pixels became larger.
        chain = Row(lambda given, rng, made=sample: made, tolerance=8.0)
        made = applied(chain, painted(), seed)
        check_annotations(chain, None, made)
        if all(GEOMETRY[name].tolerance < 1.1 for name in names):  # Mixes no colors.
            for track, mask in zip(made["track_ids"], made["masks"], strict=True):
                assert (made["image"][mask == 1, 0] == COLORS[track]).all()
        kept += len(sample["boxes"])
    assert kept > 130


def check_positions(row, before, made):
    """The color of an object is where its mask is, and nowhere else."""
    check_annotations(row, before, made)
    image = made["image"][..., 0]
    for track in set(made["track_ids"].tolist()):
        masks = made["masks"][made["track_ids"] == track]
        assert_array_equal(masks.any(axis=0), image == COLORS[track])


def check_annotations(row, before, made):
    """Boxes, masks, keypoints and DensePose points of an object agree."""
    size = np.array(made["image"].shape[:2])
    for i, box in enumerate(made["boxes"] * np.tile(size, 2)):
        mask = made["masks"][i].astype(bool)
        if not mask.any():
            continue  # Thinner than a pixel.
        rows, columns = np.nonzero(mask)
        edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        visible = np.clip(box, 0, np.tile(size, 2))  # Boxes may be left unclipped.
        if row.tight:
            assert_allclose(visible, edges, atol=row.tolerance)
        outside = np.array(edges) - visible
        assert (outside[:2] >= -row.tolerance).all()
        assert (outside[2:] <= row.tolerance).all()
        _check_points(row, made, i, box, mask)
    if row.kind is Kind.MIXED and len(made["masks"]):
        inside, image = made["masks"].any(axis=0), made["image"].astype(float)
        if inside.any() and not inside.all():
            contrast = abs(image[inside].mean() - image[~inside].mean())
            assert contrast >= row.contrast


def _check_points(row, made, i, box, mask):
    size = np.array(mask.shape)
    grown = mask.copy()
    reach = int(np.ceil(row.tolerance))
    for axis in (0, 1):
        grown = np.any([np.roll(grown, r, axis) for r in range(-reach, reach + 1)], 0)
    for point, visibility in zip(
        made["keypoints"][i], made["keypoint_visibility"][i], strict=True
    ):
        assert np.isfinite(point).all() == (visibility > 0)
        if visibility < 2:
            continue  # Outside of the image, or below another object.
        position = point * size
        assert (position >= box[:2] - row.tolerance).all()
        assert (position <= box[2:] + row.tolerance).all()
        if ((point >= 0) & (point < 1)).all():
            assert grown[tuple(position.astype(int))]
    # Both kinds of points are the same, also in their order.
    left = made["densepose_num_points"][i]
    points = made["densepose_points"][i, :left]
    keypoints = made["keypoints"][i]
    shown = np.isfinite(keypoints).all(axis=-1)
    assert left == shown.sum()
    assert_allclose(points[:, :2], keypoints[shown], atol=1e-6)
    assert_array_equal(made["densepose_part_ids"][i, :left], np.array([3, 4])[shown])


def check_only_image_changed(row, before, made):
    assert made["image"].shape[:2] == before["image"].shape[:2]
    assert made["image"].shape[2] in (1, 3)
    for name in before.keys() - {"image"}:
        assert_array_equal(made[name], before[name], err_msg=name)


def check_only_annotations_changed(row, before, made):
    assert_array_equal(made["image"], before["image"])
    kept = made["track_ids"]
    for name in before.keys() & FIELDS.keys() - row.changes:
        assert_array_equal(made[name], before[name][kept], err_msg=name)


@every_row
def test_all_fields_of_an_object_stay_together(row):
    before = painted()
    kept = 0
    for seed in range(row.seeds):
        made = applied(row, before, seed)
        kept += len(made["boxes"])
        if "*" in row.changes:
            continue
        fields = FIELDS.keys() - POSITIONS - HIDDEN - row.changes
        for name in sorted(fields):
            expected = before[name][made["track_ids"]]
            assert_array_equal(made[name], expected, err_msg=name)
    assert kept, "every object was dropped with every seed"


@every_row
def test_edge_cases(row):
    for case, make in EDGE_CASES.items():
        for seed in range(4):
            made = applied(row, make(), seed)
            assert made["image"].size, case
            if case.startswith("no objects") and "*" not in row.changes:
                assert not len(made["boxes"]), case
        resized = FixedShape(8, 8)(row.step(make(), np.random.default_rng(0)))
        assert resized["image"].shape[:2] == (8, 8), case


@every_row
def test_the_given_sample_is_not_modified(row):
    sample = painted()
    before = copy.deepcopy(sample)
    SHOWN(row.step(sample, np.random.default_rng(0)))
    assert sample.keys() == before.keys()
    for name, value in before.items():
        assert_array_equal(sample[name], value, err_msg=name)


@every_row
def test_the_seed_alone_decides_also_in_another_process(row):
    sent = pickle.loads(pickle.dumps(row.step))
    for seed in range(3):
        first = applied(row, painted(), seed)
        again = SHOWN(sent(painted(), np.random.default_rng(seed)))
        for name, value in first.items():
            assert_array_equal(again[name], value, err_msg=name)


@every_row
def test_something_changes(row):
    before = painted()
    made = [applied(row, before, seed) for seed in range(row.seeds)]
    changed = [
        any(not np.array_equal(after[k], before[k]) for k in before) for after in made
    ]
    assert all(changed) if row.always else any(changed)


@every_row
def test_its_name_has_a_module_of_odapi(row):
    assert type(row.step).__module__.startswith("odapi.")


def test_every_field_is_painted():
    assert FIELDS.keys() - painted().keys() == set()


# These change all channels: they hide, blur or disturb a part of the image.
ALL_CHANNELS = (BlackPatches, RandomErasing, RandomBlur)


@every_row
def test_additional_channels_move_with_rgb_and_keep_their_values(row):
    sample = painted()
    if isinstance(row.step, AutoAugment):
        return  # Refused by the check of configs.
    planes = sample["image"][..., 0], np.full(sample["image"].shape[:2], 7, np.uint8)
    before = np.dstack([sample["image"], *planes])
    for seed in range(min(row.seeds, 3)):
        made = applied(row, painted() | {"image": before.copy()}, seed)["image"]
        assert made.shape[2] == 5
        if isinstance(row.step, ALL_CHANNELS):
            continue
        if row.kind is Kind.GEOMETRY:
            objects = np.isin(made[..., 0], COLORS)
            assert_array_equal(made[..., 3][objects], made[..., 0][objects])
            assert set(np.unique(made[..., 4])) <= {0, 7}
        elif row.kind is Kind.COLOR:
            assert_array_equal(made[..., 3:], before[..., 3:])
