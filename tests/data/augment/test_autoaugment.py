"""AutoAugment against the original's pixels, boxes and policies.

The cases of `autoaugment.json` were computed by the original with fixed draws; images
after geometric operations with TensorFlow's warp in the place of the one that is gone.
"""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from original_cases import array, cases
from painted import COLORS, RECTANGLES, painted

from odapi.data.augment.autoaugment import boxes as box_functions
from odapi.data.augment.autoaugment.augment import AutoAugment
from odapi.data.augment.autoaugment.operations import OPERATIONS, Call, Sizes
from odapi.data.augment.autoaugment.policies import POLICIES
from odapi.data.augment.pixels import rendered_lazily
from odapi.data.image.resize import Identity

REDUCED = Sizes(cutout=8, box_cutout=6, translation=10, box_translation=8)


class Draws:
    """Gives stored random numbers, in order; shuffles nothing."""

    def __init__(self, draws):
        self.values = [d["value"] for d in draws if d["draw"] != "shuffle"]

    def random(self):
        return self.values.pop(0)

    def integers(self, low, high):
        value = self.values.pop(0)
        assert low <= value < high
        return value

    def permutation(self, count):
        return np.arange(count)


def _sample(case):
    return {
        "image": array(case["inputs"]["image"], "uint8"),
        "boxes": array(case["inputs"]["boxes"]).reshape(-1, 4),
        "classes": np.zeros(len(case["inputs"]["boxes"]), "int32"),
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_pixels_and_boxes_of_the_original(shared, name):
    function = f"operation {name} (autoaugment_utils.NAME_TO_FUNC)"
    found = cases(shared, "autoaugment", function)
    assert found
    for case in found:
        options = case["options"]
        rng = Draws(case["draws"])
        call = Call(
            options["probability_for_box_only_operations"],
            options["level"],
            Sizes() if options["constants"] == "as shipped" else REDUCED,
            rng,
        )
        made = OPERATIONS[name](_sample(case), call)
        assert not rng.values
        np.testing.assert_allclose(made["boxes"], case["expected"]["boxes"], atol=1e-6)
        # A mean that is an integer before truncation may be one higher: `tones`.
        assert _largest_difference(made, case) <= (name == "Sharpness")


def _largest_difference(made, case):
    expected = array(case["expected"]["image"], "uint8").astype(int)
    return np.abs(made["image"].astype(int) - expected).max()


def test_there_is_a_case_for_each_operation():
    assert len(OPERATIONS) == 25


def test_policies_are_those_of_the_original(shared):
    (case,) = cases(shared, "autoaugment", "policies (autoaugment_utils.policy_v0..v3)")
    expected = {
        name: tuple(tuple(tuple(op.values()) for op in row) for row in rows)
        for name, rows in case["expected"].items()
    }
    assert expected == POLICIES
    known = {op.name for rows in POLICIES.values() for row in rows for op in row}
    assert known <= set(OPERATIONS)


@pytest.mark.parametrize("number", range(5))
def test_whole_policies_of_the_original(shared, number):
    function = "apply a policy (autoaugment_utils.distort_image_with_autoaugment)"
    case = cases(shared, "autoaugment", function)[number]
    policy = case["options"]["policy"]
    row = POLICIES[policy][case["draws"][0]["value"]]
    draws = list(case["draws"])
    if any(op.name in SIGNED for op in row):
        # The sign follows the draw that decides whether the operation is applied; the
        # original draws it when it makes the policy, here: positive.
        applied = [i for i, op in enumerate(row) if op.name in SIGNED]
        for i in applied:
            draws.insert(2 + i, {"draw": "uniform", "value": 0.9})
    made = AutoAugment(policy)(_sample(case), Draws(draws))
    if number == 3:
        # A translation by 100 pixels moves everything out of the image; the original
        # keeps boxes at its edge.
        assert not len(made["boxes"])
    else:
        boxes = case["expected"]["boxes"]
        np.testing.assert_allclose(made["boxes"], boxes, atol=1e-6)
    assert _largest_difference(made, case) == 0


SIGNED = {"Rotate_BBox", "TranslateX_BBox"}  # In the stored cases.


@pytest.mark.parametrize("along_x", [True, False])
def test_boxes_that_leave_the_image_stay_at_its_edge_in_the_original(along_x):
    # Row 0 of v0 on a 16 x 16 image, see `autoaugment.json`.
    boxes = np.float32([[0.125, 0.25, 0.625, 0.75], [0.5, 0.0625, 0.9375, 0.5]])
    expected = [[0.125, 0, 0.625, 0.05], [0.5, 0, 0.9375, 0.05]]
    if not along_x:
        boxes, expected = boxes[:, [1, 0, 3, 2]], np.array(expected)[:, [1, 0, 3, 2]]
    moved = box_functions.translate(boxes, (16, 16), 100, along_x)
    np.testing.assert_allclose(moved, expected, atol=1e-6)


def test_an_object_below_a_pixel_keeps_its_area():
    sample = painted(((10, 10, 30, 30),), (60, 60))
    sample["boxes"] = np.float32([[0.505, 0.505, 0.51, 0.51]])
    del sample["masks"]
    call = Call(1.0, 1, Sizes(), Draws([{"draw": "uniform", "value": 0.9}]))
    made = OPERATIONS["ShearX_BBox"](rendered_lazily(sample), call)
    assert (made["boxes"][:, 2:] > made["boxes"][:, :2]).all()


@pytest.mark.parametrize("name", [n for n in OPERATIONS if "_Only_" in n])
def test_contents_of_boxes_move_with_their_masks_and_points(name):
    sizes = Sizes(box_translation=12, box_cutout=4)
    before = painted(RECTANGLES[:3])  # The others touch.
    for seed in range(6):
        call = Call(3.0, 8, sizes, np.random.default_rng(seed))  # Each box is drawn.
        made = OPERATIONS[name](rendered_lazily(before), call)
        made = Identity(method="nearest")(made)
        assert_array_equal(made["boxes"], before["boxes"])
        red, size = made["image"][..., 0], np.array(made["image"].shape[:2])
        for color, mask, points, seen in zip(
            COLORS[:3], made["masks"], made["keypoints"], made["keypoint_visibility"],
            strict=True,
        ):  # fmt: skip
            if name.startswith(("Solarize", "Cutout", "Equalize")):
                assert (red[mask == 0] != color).all()
                continue
            assert_array_equal(mask == 1, red == color)
            for point, visible in zip(points, seen, strict=True):
                assert bool(visible) == np.isfinite(point).all()
                if visible:
                    y, x = (point * size).astype(int)
                    # Nearest pixels: the edge of the mask may be half a pixel away.
                    assert mask[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any()


def test_points_that_leave_a_box_are_hidden():
    sample = painted(((20, 20, 40, 40),), (60, 60))
    call = Call(3.0, 10, Sizes(box_translation=15), Draws(
        [{"draw": "uniform", "value": 0.9}] * 2))  # fmt: skip
    made = OPERATIONS["TranslateX_Only_BBoxes"](rendered_lazily(sample), call)
    # The center, at 30 of 60, moves to 15, which is outside of the box.
    assert np.isnan(made["keypoints"]).all()
    assert not made["keypoint_visibility"].any()
    assert made["densepose_num_points"][0] == 0


def test_unknown_policies_are_refused():
    with pytest.raises(ValueError, match="one of v0, v1, v2, v3, test, got 'v4'"):
        AutoAugment("v4")
