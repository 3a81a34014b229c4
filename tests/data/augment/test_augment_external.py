"""Transforms of other libraries: what they are given, and what becomes of it."""

import pickle
import random
import threading
import types

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from painted import COLORS, painted

import odapi
from odapi.data.augment.augmentation import as_augmentation
from odapi.data.augment.external import from_albumentations
from odapi.data.sample import keep_objects
from odapi.data.sample_checks import InvalidSampleError


def sample(**changes):
    """A painted sample without the coordinates that no other library moves."""
    made = painted()
    for name in ("densepose_points", "temporal_offsets"):
        del made[name]
    return made | changes


def rng(seed=0):
    return np.random.default_rng(seed)


def mirror(image, bboxes, object_ids, masks=(), keypoints=(), keypoint_ids=()):
    """Mirrors the image; drops objects in its left half, in reverse order."""
    width = image.shape[1]
    rows = [
        ([width - x1, y0, width - x0, y1], one)
        for (x0, y0, x1, y1), one in zip(bboxes, object_ids, strict=True)
        if x0 >= width / 2
    ]
    return {
        "image": image[:, ::-1].copy(),
        "bboxes": [box for box, _ in rows][::-1],
        "object_ids": [one for _, one in rows][::-1],
        "masks": [mask[:, ::-1] for mask in masks],
        "keypoints": [[width - 1 - x, y] for x, y in keypoints],
        "keypoint_ids": list(keypoint_ids),
    }


def test_all_fields_follow_their_objects():
    before = sample()
    made = from_albumentations(mirror)(before, rng())
    assert made["track_ids"].tolist() == [4, 2]
    pixels = made["boxes"] * [60, 100, 60, 100]
    assert_allclose(pixels, [[50, 0, 60, 20], [10, 10, 50, 40]], atol=1e-4)
    for index, track in enumerate(made["track_ids"]):
        shown = made["image"][..., 0] == COLORS[track]
        assert_array_equal(made["masks"][index].astype(bool), shown)
    for name in ("classes", "weights", "multiclass_scores", "is_crowd"):
        assert_array_equal(made[name], before[name][[4, 2]])
    # Centers of the object and of its first pixel.
    assert_allclose(
        made["keypoints"] * [60, 100],
        [[[55, 10], [50.5, 19.5]], [[30, 25], [10.5, 39.5]]],
        atol=1e-4,
    )
    assert made["keypoint_visibility"].tolist() == [[2, 2], [2, 2]]


def test_a_transform_gets_only_what_the_dataset_has():
    def look(**given):
        assert sorted(given) == ["bboxes", "image", "object_ids"]
        assert_allclose(given["bboxes"], [[6, 24, 30, 40]], atol=1e-4)
        return given

    one = {k: painted()[k][:1] for k in ("boxes", "classes")}
    made = from_albumentations(look)({"image": painted()["image"], **one}, rng())
    assert_allclose(made["boxes"], one["boxes"], atol=1e-6)


def test_without_objects_there_are_no_masks():
    before = keep_objects(sample(), [])
    made = from_albumentations(mirror)(before, rng())
    assert made["boxes"].shape == (0, 4) and made["masks"].shape == (0, 60, 100)
    assert made["keypoints"].shape == (0, 2, 2)


def test_lost_keypoints_become_unknown():
    def lose(**given):
        given["keypoints"] = [given["keypoints"][3], [999, 0]]
        given["keypoint_ids"] = [given["keypoint_ids"][3], 0]  # Outside of the image.
        return given

    made = from_albumentations(lose)(sample(), rng())
    assert made["keypoint_visibility"].tolist() == [[0, 0], [0, 2]] + [[0, 0]] * 3
    assert np.isfinite(made["keypoints"][..., 0]).sum() == 1


class Compose:
    """Stands for a Compose of Albumentations with formats and a seed of its own."""

    def __init__(self, boxes=None, points=None, fields=(None, None)):
        self.random, self.threads = None, set()
        pairs = {"bboxes": (boxes, fields[0]), "keypoints": (points, fields[1])}
        self.processors = {
            name: types.SimpleNamespace(
                params=types.SimpleNamespace(format=form, label_fields=labels)
            )
            for name, (form, labels) in pairs.items()
            if form
        }

    def set_random_seed(self, seed):
        self.random = random.Random(seed)

    def __call__(self, **given):
        self.given = given
        image = given["image"].copy()
        image[0, 0] = self.random.randrange(256)
        return given | {"image": image}


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("pascal_voc", [6, 24, 30, 40]),
        ("coco", [6, 24, 24, 16]),
        ("albumentations", [0.06, 0.4, 0.3, 2 / 3]),
        ("yolo", [0.18, 32 / 60, 0.24, 16 / 60]),
    ],
)
@pytest.mark.parametrize("fields", [None, ["labels", "more"]])
def test_boxes_have_the_format_of_the_transform(form, row, fields):
    compose = Compose(form, "yx", (fields, None))
    augmentation = from_albumentations(compose)
    made = augmentation(sample(), rng())
    given = augmentation.function._local.transform.given
    assert_allclose(given["bboxes"][0][:4], row, atol=1e-6)
    assert_allclose(given["keypoints"][0], [31.5, 17.5, 0], atol=1e-4)
    if fields:
        assert given["labels"] == given["more"] == [0, 1, 2, 3, 4]
    else:
        assert [box[4] for box in given["bboxes"]] == [0, 1, 2, 3, 4]
    assert_allclose(made["boxes"], sample()["boxes"], atol=1e-6)
    assert_allclose(made["keypoints"], sample()["keypoints"], atol=1e-6)


def test_the_seed_of_the_sample_decides_in_every_thread_and_process():
    compose = Compose()
    step = from_albumentations(compose)
    expected = [step(sample(), rng(i))["image"][0, 0, 0] for i in range(4)]
    assert len(set(expected)) > 1
    found = {}

    def work(number):
        found[number] = [step(sample(), rng(i))["image"][0, 0, 0] for i in range(4)]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(colors == expected for colors in found.values())
    sent = pickle.loads(pickle.dumps(step))
    assert [sent(sample(), rng(i))["image"][0, 0, 0] for i in range(4)] == expected


def noise(**given):
    image = given["image"].copy()
    image[0, 0, 0], image[0, 0, 1] = random.randrange(256), np.random.randint(256)
    return given | {"image": image}


def test_global_random_numbers_are_seeded_and_restored():
    step = from_albumentations(noise)
    random.seed(3)
    np.random.seed(3)
    first, second = (step(sample(), rng(i))["image"][0, 0].tolist() for i in (1, 1))
    other = step(sample(), rng(2))["image"][0, 0].tolist()
    assert first == second != other
    after = random.random(), np.random.rand()
    random.seed(3)
    np.random.seed(3)
    assert after == (random.random(), np.random.rand())


WRONG = [
    (lambda **given: None, "must return a dict"),
    (lambda **given: {"bboxes": []}, "must return a dict with 'image'"),
    (lambda **given: {"image": given["image"]}, "returned no 'bboxes'"),
    (
        lambda **given: {"image": given["image"], "bboxes": []},
        "returned no 'object_ids'",
    ),
    (lambda **given: given | {"bboxes": []}, "returned 0 bboxes and 5 ids"),
    (lambda **given: given | {"masks": []}, "returned 0 masks for 5 objects"),
    (
        lambda **given: given | {"image": given["image"] / 255},
        "must be uint8 in 0..255, got float64",
    ),
    (lambda image: image, "TypeError"),
]


@pytest.mark.parametrize(("transform", "message"), WRONG)
def test_a_wrong_result_names_the_image(transform, message):
    with pytest.raises(InvalidSampleError, match=message) as error:
        from_albumentations(transform)(sample(), rng())
    assert "painted" in str(error.value)


def test_coordinates_that_no_transform_moves_are_refused():
    with pytest.raises(InvalidSampleError, match="cannot move densepose_points"):
        from_albumentations(mirror)(painted(), rng())


@pytest.mark.parametrize(
    ("compose", "message"),
    [
        (Compose("diagonal"), "bboxes of format 'diagonal' are not supported"),
        (Compose("coco", "xyz"), "keypoints of format 'xyz'"),
    ],
)
def test_unknown_formats_are_refused(compose, message):
    with pytest.raises(ValueError, match=message):
        from_albumentations(compose)


def test_it_is_public_and_takes_callables_only():
    assert odapi.from_albumentations is from_albumentations
    step = from_albumentations(mirror)
    assert as_augmentation(step) is step
    with pytest.raises(TypeError, match="must be callable"):
        from_albumentations("flip")


def test_boxes_without_area_are_dropped():
    boxes = sample()["boxes"].copy()
    boxes[1] = boxes[1, [0, 1, 0, 1]]
    made = from_albumentations(lambda **given: given)(sample(boxes=boxes), rng())
    assert made["track_ids"].tolist() == [0, 2, 3, 4]
