"""The data set of the quick start: what is promised about it."""

import json

import numpy as np
import pytest

from odapi.errors import ConfigError, MissingPackageError
from odapi.quickstart import glyphs as glyphs_module
from odapi.quickstart.dataset import make_dataset
from odapi.quickstart.glyphs import Glyphs, load
from odapi.quickstart.scenes import Scene
from requirement import require

KINDS = ["digits", "shapes"]


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return make_dataset(folder, request.param, num_train=60, num_val=20, seed=3)


def annotations(path):
    return json.loads(path.read_text())


def test_dataset_has_several_objects_an_image_and_empty_images(made):
    data = annotations(made.train)
    counts = np.bincount(
        [a["image_id"] for a in data["annotations"]], minlength=made.num_train + 1
    )[1:]
    assert len(counts) == 60
    assert counts.min() == 0
    assert 5 <= counts.max() <= 6
    assert 2 < counts.mean() < 5


def test_objects_are_of_very_different_sizes_and_inside_the_image(made):
    data = annotations(made.train)
    sizes = {i["id"]: (i["width"], i["height"]) for i in data["images"]}
    heights = []
    for a in data["annotations"]:
        x, y, w, h = a["bbox"]
        width, height = sizes[a["image_id"]]
        assert 0 <= x and x + w <= width and 0 <= y and y + h <= height
        assert a["area"] == w * h > 0
        heights.append(h)
    assert max(heights) > 4 * min(heights)


def test_every_image_is_there_in_the_size_that_is_written(made):
    cv2 = require("cv2")
    for path in (made.train, made.val):
        for image in annotations(path)["images"]:
            pixels = cv2.imread(str(path.parent / image["file_name"]))
            assert pixels.shape == (image["height"], image["width"], 3)


def test_same_seed_gives_the_same_files(made, tmp_path):
    kind = "digits" if "zero" in made.names else "shapes"
    again = make_dataset(tmp_path, kind, num_train=60, num_val=20, seed=3)
    assert again.train.read_text() == made.train.read_text()
    name = "train/0007.jpg"
    assert (tmp_path / name).read_bytes() == (made.train.parent / name).read_bytes()
    other = make_dataset(tmp_path / "other", kind, 60, 20, seed=4)
    assert other.train.read_text() != made.train.read_text()


@pytest.mark.parametrize(
    ("kind", "classes", "train", "val"),
    # 901 of the 1797 digits of scikit-learn are zero to four; a quarter is held out.
    [("digits", 5, 676, 225), ("shapes", 6, 270, 90)],
)
def test_splits_share_no_object(kind, classes, train, val):
    first, second = load(kind, "train"), load(kind, "val")
    assert len(first.names) == classes
    assert (len(first.masks), len(second.masks)) == (train, val)
    assert set(first.classes) == set(second.classes) == set(range(classes))
    seen = {m.tobytes() for m in first.masks}
    assert not any(m.tobytes() in seen for m in second.masks)


def test_boxes_hold_the_ink_and_do_not_overlap():
    square = np.zeros((1, 10, 10), np.float32)
    square[:, 1:9, 1:9] = 1
    scene = Scene(sides=(96, 97), object_sizes=(20, 30), empty=0)
    _, boxes, classes = scene.draw(
        Glyphs(("square",), square, np.array([0], np.int32)), np.random.default_rng(1)
    )
    assert len(boxes) == len(classes) >= 1
    heights = boxes[:, 2] - boxes[:, 0]
    # Turned by 0.2 at most, a square is at most 1.18 times its side (1.2 wide).
    assert (heights > 18).all() and (heights < 40).all()
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert (np.minimum(a[2:], b[2:]) <= np.maximum(a[:2], b[:2])).any()


def test_an_empty_scene_has_arrays_of_the_right_shape():
    glyphs = load("shapes", "train")
    image, boxes, classes = Scene(empty=1.0).draw(glyphs, np.random.default_rng(0))
    assert image.dtype == np.uint8 and image.shape[2] == 3
    assert boxes.shape == (0, 4) and classes.shape == (0,)


def test_unknown_kind_and_split_are_named():
    with pytest.raises(ConfigError, match=r"unknown value 'letters'.*digits, shapes"):
        load("letters", "train")
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        load("shapes", "trian")


def test_digits_without_scikit_learn_say_how_to_get_it(monkeypatch):
    monkeypatch.setattr(glyphs_module, "has_digits", lambda: False)
    with pytest.raises(MissingPackageError, match=r'pip install "odapi\[quickstart\]"'):
        load("digits", "train")
