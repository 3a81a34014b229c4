"""Repeat factors, fractions of a dataset, class weights and merged classes."""

import collections

import numpy as np
import pytest

import tiny_data
from odapi.data.class_weights import ClassWeights
from odapi.data.image_classes import image_classes, repeat_factors
from odapi.data.loader.order import Order
from odapi.data.sources.fraction import take_fraction
from odapi.data.sources.open import open_source
from odapi.data.sources.sequence import SequenceSource
from odapi.data.sources.single_class import merge_classes, merged_label_map
from odapi.errors import DataError
from odapi.labels import Category, Keypoint, LabelMap, label_map_of


@pytest.mark.parametrize(
    ("classes", "threshold", "expected"),
    [
        # f = 1/4 and 3/4: sqrt(0.5 / 0.25) and max(1, sqrt(0.5 / 0.75)).
        ([{0}, {1}, {1}, {1}], 0.5, (2**0.5, 1, 1, 1)),
        # An image has the factor of its rarest class: sqrt(1 / 0.25).
        ([{0, 1}, {1}, {1}, set()], 1.0, (2, (4 / 3) ** 0.5, (4 / 3) ** 0.5, 1)),
        ([{0}, {1}], 0.001, (1, 1)),  # Both classes are frequent.
        ([set(), set()], 1.0, (1, 1)),
    ],
)
def test_repeat_factors_are_those_of_the_lvis_paper(classes, threshold, expected):
    assert repeat_factors(classes, threshold) == pytest.approx(expected)


def _epochs(order, length, count):
    size = order.epoch_length(length)
    indices = order.indices(length)
    return [[indices[p] for p in range(n * size, (n + 1) * size)] for n in range(count)]


def test_each_epoch_repeats_an_image_its_factor_rounded_down_or_up():
    order = Order(seed=1, repeats=(1.0, 1.0, 2.5, 1.25, 3.0))
    epochs = _epochs(order, 5, 400)
    assert {len(epoch) for epoch in epochs} == {9}  # ceil(8.75)
    counts = np.array([np.bincount(epoch, minlength=5) for epoch in epochs])
    # The factors times 9 / 8.75.
    expected = [1.029, 1.029, 2.571, 1.286, 3.086]
    assert counts.mean(0) == pytest.approx(expected, abs=0.06)
    assert counts.min(0).tolist() == [1, 1, 2, 1, 3]
    assert counts.max(0).tolist() == [2, 2, 3, 2, 4]
    assert epochs[0] != epochs[1]
    assert _epochs(order, 5, 2) == epochs[:2]


def test_repeats_without_shuffling_keep_the_order():
    epochs = _epochs(Order(shuffle=False, repeats=(1.0, 3.0, 1.0)), 3, 2)
    assert epochs == [[0, 1, 1, 1, 2], [0, 1, 1, 1, 2]]


def test_each_part_of_a_mixture_repeats_its_own_images():
    order = Order(parts=(2, 2), weights=(1.0, 1.0), repeats=(1.0, 3.0, 1.0, 1.0))
    indices = order.indices(4)
    counts = collections.Counter(indices[p] for p in range(800))
    assert counts == {0: 100, 1: 300, 2: 200, 3: 200}


def test_repeat_factors_below_1_are_refused():
    with pytest.raises(ValueError, match=r"1 or more, got 0\.5"):
        Order(repeats=(1.0, 0.5))


def samples(classes, label_map):
    image = np.zeros((8, 8, 3), np.uint8)
    rows = [
        {
            "image": image,
            "boxes": np.tile(np.array([[0, 0, 1, 1]], np.float32), (len(found), 1)),
            "classes": np.array(found, np.int32),
        }
        for found in classes
    ]
    return SequenceSource(rows, label_map)


def test_classes_of_images_are_read_without_decoding(tmp_path):
    source = open_source(tiny_data.write_coco(tmp_path))
    assert image_classes(source) == [{0, 1}, {1}, set()]


def test_a_fraction_keeps_the_share_of_every_class():
    # 40 images of the class 0, 20 of the class 1, 20 without objects.
    source = samples([[0], [0], [1], []] * 20, ["a", "b"])
    part = take_fraction(source, 0.25, seed=3)
    assert len(part) == 20
    found = collections.Counter(tuple(found) for found in image_classes(part))
    assert found == {(0,): 10, (1,): 5, (): 5}
    assert part.indices == sorted(part.indices)
    assert part.indices == take_fraction(source, 0.25, seed=3).indices
    assert part.indices != take_fraction(source, 0.25, seed=4).indices


@pytest.mark.parametrize(("count", "fraction", "left"), [(3, 0.01, 1), (1, 0.5, 1)])
def test_a_fraction_has_at_least_one_image(count, fraction, left):
    assert len(take_fraction(samples([[0]] * count, ["a"]), fraction)) == left


def test_all_images_are_no_fraction():
    source = samples([[0]], ["a"])
    assert take_fraction(source, 1.0) is source


@pytest.mark.parametrize(
    ("classes", "weights", "expected"),
    [
        ([0, 1, 1, 2], [1, 1, 0.5, 1], [2, 0.25, 0.125, 1]),
        ([0, 5], None, [2, 1]),  # Beyond the label map: 1.
        ([], [], []),
    ],
)
def test_class_weights_multiply_the_weights_of_objects(classes, weights, expected):
    sample = {"classes": np.array(classes, np.int32)}
    if weights is not None:
        sample["weights"] = np.array(weights, np.float32)
    found = ClassWeights((2.0, 0.25))(sample, np.random.default_rng(0))["weights"]
    assert found.dtype == np.float32
    assert found.tolist() == expected


def test_merged_classes_are_one():
    source = merge_classes(samples([[0, 2], [1], []], ["a", "b", "c"]))
    assert [(c.id, c.name) for c in source.label_map] == [(1, "object")]
    assert [source[i]["classes"].tolist() for i in range(3)] == [[0, 0], [0], []]
    assert source.raw(0).objects["classes"].tolist() == [0, 0]


def test_a_single_class_keeps_its_name_and_gets_the_id_1():
    cat = LabelMap((Category(7, "cat", display_name="Cat"),))
    assert tuple(merged_label_map(cat)) == (Category(1, "cat", display_name="Cat"),)
    source = merge_classes(samples([[6]], cat))
    assert source[0]["classes"].tolist() == [0]


def test_keypoints_of_all_classes_are_those_of_the_merged_class():
    def category(number, name, first, shared):
        keypoints = (Keypoint(first, shared), Keypoint(first + 1, f"{name} tail"))
        edge = (first, first + 1)
        return Category(number, name, keypoints=keypoints, skeleton=(edge,))

    merged = merged_label_map(
        LabelMap((category(1, "cat", 0, "nose"), category(2, "dog", 2, "nose")))
    )
    assert [(k.id, k.name) for k in merged.by_id[1].keypoints] == [
        (0, "cat nose"), (1, "cat tail"), (2, "dog nose"), (3, "dog tail"),
    ]  # fmt: skip
    assert merged.by_id[1].skeleton == ((0, 1), (2, 3))


def test_classes_of_a_model_of_several_classes_cannot_be_merged():
    given = label_map_of(["cat", "dog"])
    with pytest.raises(DataError, match=r"cat, dog, but options\.sampling\.single"):
        merge_classes(samples([[0]], ["cat"]), given)
