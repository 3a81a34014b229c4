"""Changed labels, and noise on whole images."""

import numpy as np
import pytest

from odapi.data.augment.labels import RemapLabels
from odapi.data.augment.noise import RandomNoise
from odapi.data.image.lazy import rendered


def remapped(step, **fields):
    classes = np.array([0, 1, 2, 1], np.int32)
    return step({"classes": classes} | fields, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("original", "new", "expected"),
    [
        ((0, 1), 2, [2, 2, 2, 2]),  # remap_labels of the original's own tests.
        ((1, 2), 0, [0, 0, 0, 0]),
        ((2,), 1, [0, 1, 1, 1]),
        ((), 1, [0, 1, 2, 1]),
        ((7,), 0, [0, 1, 2, 1]),
    ],
)
def test_classes_are_remapped(original, new, expected):
    classes = remapped(RemapLabels(original, new))["classes"]
    assert (classes.tolist(), classes.dtype) == (expected, np.int32)


def test_scores_of_merged_classes_are_added():
    scores = np.array([[0.1, 0.2, 0.3, 0.4]] * 4, np.float32)  # Background first.
    found = remapped(RemapLabels((1, 2), 0), multiclass_scores=scores)
    expected = [[0.1, 0.9, 0.0, 0.0]] * 4
    np.testing.assert_allclose(found["multiclass_scores"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("labeled", "expected"),
    [([0, 1, 2], [0]), ([0, 1], []), ([1, 2, 3], [3, 0]), ([], [])],
)
def test_a_merged_class_is_labeled_if_all_of_its_classes_are(labeled, expected):
    labeled = np.array(labeled, np.int32)
    found = remapped(RemapLabels((1, 2), 0), labeled_classes=labeled)
    assert found["labeled_classes"].tolist() == expected


@pytest.mark.parametrize("max_stddev", [0.0, 0.02, 0.1])
def test_noise_has_the_drawn_deviation(max_stddev):
    image = np.full((200, 300, 3), 128, np.float32)
    step = RandomNoise(1.0, max_stddev)
    noisy = rendered(step({"image": image}, np.random.default_rng(3)))["image"]
    draws = np.random.default_rng(3)
    draws.random()
    stddev = 255 * draws.uniform(0, max_stddev)
    assert np.asarray(noisy).std() == pytest.approx(stddev, rel=0.03, abs=1e-6)
    assert np.asarray(noisy).mean() == pytest.approx(128, abs=0.2)


def test_noise_of_probability_0_changes_nothing():
    sample = {"image": np.full((4, 4, 3), 9, np.uint8)}
    assert RandomNoise(0.0)(sample, np.random.default_rng(0)) is sample
