"""Drawing holds at the edges: no objects, one pixel, borders, any image."""

import numpy as np
import pytest

from odapi.draw.colors import BLACK, WHITE, color_of, text_color_on
from odapi.draw.file import encode_image, save_image
from odapi.draw.image import Style, as_rgb, chosen, draw_objects, enlarged, resized
from odapi.draw.labels import place_labels
from odapi.draw.text import fit_text, text_size
from odapi.errors import DataError
from odapi.labels import label_map_of
from requirement import require

NAMES = label_map_of(["cat", "dog"])
GREY = 128


def gray(height=100, width=150):
    return np.full((height, width, 3), GREY, np.uint8)


def objects(*boxes, **more):
    return {"boxes": np.array(boxes, "float32").reshape(-1, 4), **more}


def changed(image):
    return (image != GREY).any(axis=-1)


def test_nothing_is_drawn_where_nothing_is_there():
    image = gray()
    drawn = draw_objects(image, objects(classes=[], scores=[]), NAMES)
    assert (drawn == GREY).all()
    assert drawn is not image


def test_the_image_given_stays_as_it_is():
    image = gray()
    draw_objects(image, objects([0.1, 0.1, 0.5, 0.5], classes=[0]), NAMES)
    assert (image == GREY).all()


def test_lines_lie_outside_of_the_object_and_have_the_color_of_the_class():
    style = Style(line=1, labels=False)
    drawn = draw_objects(
        gray(), objects([0.2, 0.2, 0.4, 0.4], classes=[1]), style=style
    )
    # Rows 20 to 39, columns 30 to 59.
    assert (drawn[20:40, 30:60] == GREY).all()
    for line in (
        drawn[19, 29:61],
        drawn[40, 29:61],
        drawn[19:41, 29],
        drawn[19:41, 60],
    ):
        assert (line == color_of(1)).all()
    assert changed(drawn).sum() == 2 * (32 + 20)


def test_a_box_of_the_whole_image_is_seen():
    style = Style(line=2, labels=False)
    drawn = draw_objects(gray(), objects([0, 0, 1, 1], classes=[0]), style=style)
    assert changed(drawn)[:2].all() and changed(drawn)[-2:].all()
    assert changed(drawn)[:, :2].all() and changed(drawn)[:, -2:].all()
    assert (drawn[2:-2, 2:-2] == GREY).all()


def test_an_object_of_one_pixel_is_not_hidden():
    drawn = draw_objects(gray(), objects([0.5, 0.5, 0.505, 0.505], classes=[0]), NAMES)
    assert (drawn[50, 75] == GREY).all()
    assert changed(drawn)[49, 75] and changed(drawn)[51, 75]


def test_labels_leave_small_objects_visible():
    # A small object where the label of the large one would stand first.
    large, small = [0.5, 0.1, 0.95, 0.9], [0.42, 0.12, 0.48, 0.2]
    drawn = draw_objects(
        gray(400, 600), objects(large, small, classes=[0, 1], scores=[0.9, 0.8]), NAMES
    )
    inside = drawn[170:190, 75:118]
    assert (inside == GREY).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (20, 30), (3000, 4000)])
def test_any_image_size_can_be_drawn(shape):
    drawn = draw_objects(
        gray(*shape),
        objects([0, 0, 1, 1], [0.4, 0.4, 0.6, 0.6], classes=[0, 1], scores=[1, 0.5]),
        NAMES,
    )
    assert drawn.shape == (*shape, 3)
    assert changed(drawn).any()


def test_lines_and_text_grow_with_the_image():
    small, large = Style().sized(480, 640), Style().sized(3000, 4000)
    assert (small.line, small.text) == (2, 13)
    assert (large.line, large.text) == (11, 79)
    assert Style(line=1, text=20).sized(3000, 4000) == Style(line=1, text=20)


def test_boxes_that_are_not_finite_or_outside_are_harmless():
    boxes = objects(
        [np.nan, 0, 1, 1], [-5, -5, -4, -4], [0.2, 0.2, 9, 9], classes=[0, 0, 1]
    )
    drawn = draw_objects(gray(), boxes, NAMES)
    assert drawn.shape == (100, 150, 3)


@pytest.mark.parametrize(
    ("min_score", "most", "expected"),
    [(0.0, None, [2, 0, 1]), (0.5, None, [2, 0]), (0.0, 1, [2]), (0.99, None, [])],
)
def test_the_best_are_chosen(min_score, most, expected):
    rows = objects(*[[0, 0, 1, 1]] * 3, classes=[0, 1, 2], scores=[0.6, 0.1, 0.9])
    found = chosen(rows, min_score, most)
    assert [{0.6: 0, 0.1: 1, 0.9: 2}[s] for s in found["scores"].tolist()] == expected


def test_masks_tint_and_keypoints_dot():
    masks = np.zeros((1, 100, 150), "uint8")
    masks[0, 30:50, 30:50] = 1
    rows = objects([0.3, 0.2, 0.5, 0.34], classes=[0], masks=masks)
    rows["keypoints"] = np.array([[[0.8, 0.8], [np.nan, np.nan]]])
    drawn = draw_objects(gray(), rows, style=Style(labels=False, mask_alpha=0.5))
    expected = (0.5 * GREY + 0.5 * np.array(color_of(0))).astype(int)
    assert np.abs(drawn[40, 40].astype(int) - expected).max() <= 1
    assert (drawn[80, 120] == color_of(0)).all()


def test_flags_and_captions_are_written():
    rows = objects([0.3, 0.3, 0.6, 0.6], classes=[0])
    plain = changed(draw_objects(gray(300, 400), rows, NAMES))
    crowd = changed(draw_objects(gray(300, 400), {**rows, "is_crowd": [True]}, NAMES))
    captioned = {**rows, "captions": ["a longer caption than cat"]}
    caption = changed(draw_objects(gray(300, 400), captioned, NAMES))
    assert plain.sum() < crowd.sum() < caption.sum()


@pytest.mark.parametrize(
    ("image", "value"),
    [
        (np.full((4, 5), 7, np.uint8), [7, 7, 7]),
        (np.full((4, 5, 1), 7, np.uint8), [7, 7, 7]),
        (np.full((4, 5, 4), 7, np.uint8), [7, 7, 7]),
        (np.full((4, 5, 3), 300.0), [255, 255, 255]),
        (np.full((4, 5, 3), np.nan), [0, 0, 0]),
    ],
)
def test_other_images_are_converted(image, value):
    assert as_rgb(image).tolist()[0][0] == value
    assert as_rgb(image).dtype == np.uint8


@pytest.mark.parametrize("shape", [(4,), (0, 4, 3), (1, 4, 4, 3)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(ValueError, match="an image is"):
        as_rgb(np.zeros(shape))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((32, 32), (480, 480)), ((480, 640), (480, 640)), ((10, 1000), (10, 1000)),
     ((300, 400), (600, 800))],
)  # fmt: skip
def test_small_images_are_enlarged_a_whole_number_of_times(shape, expected):
    assert enlarged(gray(*shape)).shape[:2] == expected


def test_resized_has_the_size_asked_for():
    assert resized(gray(), (30, 20)).shape == (30, 20, 3)


def test_labels_do_not_overlap_and_stay_inside():
    boxes = np.array([[10, 10, 60, 60], [12, 14, 62, 64], [0, 0, 199, 299]])
    labels = place_labels(boxes, ["first one", "second one", "third"], (200, 300), 14)
    assert [label.owner for label in labels] == [0, 1, 2]
    taken = np.zeros((200, 300), int)
    for label in labels:
        top, left, bottom, right = label.box
        assert 0 <= top < bottom <= 200 and 0 <= left < right <= 300
        taken[top:bottom, left:right] += 1
    assert taken.max() == 1


def test_labels_without_room_are_left_out():
    boxes = np.array([[20, 20, 24, 24]] * 200)
    labels = place_labels(boxes, ["a label"] * 200, (60, 120), 14)
    assert 0 < len(labels) < 20
    assert place_labels(boxes[:1], ["a label"], (5, 120), 14) == []
    assert place_labels(boxes[:1], [""], (60, 120), 14) == []


def test_text_fits_its_width():
    assert fit_text("short", 12, 500) == "short"
    shortened = fit_text("a very long name of a class", 12, 60)
    assert shortened.endswith("…") and text_size(shortened, 12)[0] <= 60
    assert fit_text("name", 12, 1) == ""
    long = fit_text("m" * 1_000_000, 12, 60)
    assert long == fit_text("m" * 100, 12, 60) == "m" * (len(long) - 1) + "…"


def test_colors_differ_and_never_change():
    colors = [color_of(n) for n in range(60)]
    assert len(set(colors)) == 60
    assert colors[:2] == [(255, 64, 64), (0, 150, 255)]
    assert color_of(-1) == color_of(0)
    assert text_color_on((255, 255, 0)) == BLACK
    assert text_color_on((90, 0, 0)) == WHITE


@pytest.mark.parametrize("ending", [".png", ".jpg", ".PNG"])
def test_images_are_written_as_rgb(tmp_path, ending):
    cv2 = require("cv2")
    image = np.zeros((8, 9, 3), np.uint8)
    image[..., 0] = 255
    path = save_image(tmp_path / "new" / f"image{ending}", image)
    read = cv2.imread(str(path))
    assert read.shape == (8, 9, 3)
    assert np.abs(read[0, 0].astype(int) - [0, 0, 255]).max() <= 2


def test_files_that_cannot_be_written_are_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot write '.xyz'; use .png or .jpg"):
        save_image(tmp_path / "image.xyz", gray())
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        save_image(tmp_path / "file" / "image.png", gray())
    assert encode_image(gray()).startswith(b"\x89PNG")


def test_outputs_of_a_saved_model_are_drawn_as_they_are():
    boxes = np.array([[0.1, 0.1, 0.4, 0.5], [0.5, 0.5, 0.9, 0.9], [0, 0, 1, 1]], "f4")
    outputs = {
        "detection_boxes": boxes[None],
        "detection_classes": np.array([[2.0, 1.0, 1.0]], "f4"),
        "detection_scores": np.array([[0.9, 0.5, 0.0]], "f4"),
        "detection_multiclass_scores": np.zeros((1, 3, 3), "f4"),
        "num_detections": np.array([2.0], "f4"),
    }
    expected = draw_objects(
        gray(), objects(*boxes[:2], classes=[1, 0], scores=[0.9, 0.5]), NAMES
    )
    np.testing.assert_array_equal(draw_objects(gray(), outputs, NAMES), expected)
    of_one = {name: value[0] for name, value in outputs.items()}
    np.testing.assert_array_equal(draw_objects(gray(), of_one, NAMES), expected)
    two = {name: np.concatenate([value] * 2) for name, value in outputs.items()}
    with pytest.raises(ValueError, match="outputs of 2 images; draw them one by one"):
        draw_objects(gray(), two, NAMES)


def test_float_images_from_0_to_1_are_shown():
    assert (as_rgb(np.full((2, 3, 3), 0.5)) == 127).all()
    assert (as_rgb(np.full((2, 3, 3), 128.0)) == 128).all()
    assert (as_rgb(np.zeros((2, 3, 3))) == 0).all()


def test_a_class_whose_name_the_font_lacks_shows_its_id(monkeypatch):
    written = []
    monkeypatch.setattr(
        "odapi.draw.image._draw_label", lambda _, label, __: written.append(label.text)
    )
    names = label_map_of(["हिन्दी", "🐶 dog"])
    found = objects([0.1, 0.1, 0.5, 0.5], [0.6, 0.6, 1, 1], classes=[0, 1])
    draw_objects(gray(400, 600), found, names)
    assert written == ["class 1 (हिन्दी)", "🐶 dog"]


def test_a_long_name_is_shortened_before_its_score():
    found = {"boxes": [[0.3, 0.1, 0.9, 0.9]], "classes": [0], "scores": [0.87]}
    short = {**found, "captions": ["a wolf a wolf a wolf a wolf a wolf a wolf a wol…"]}
    drawn = draw_objects(gray(200, 640), found, label_map_of(["a wolf " * 40]))
    assert np.array_equal(drawn, draw_objects(gray(200, 640), short))


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([[0, 0, 1, 1]], "objects: must be a mapping, got list\n  hint: such as "
         "{'boxes': [n, 4] normalized, 'classes': [n] from 0, 'scores': [n]}"),
        ({"bboxes": []}, "objects: have no 'boxes'; the keys are bboxes"),
        ({}, "objects: have no 'boxes'; the keys are none"),
    ],
)  # fmt: skip
def test_objects_of_another_form(objects, message):
    with pytest.raises(DataError) as caught:
        draw_objects(np.zeros((8, 8, 3), np.uint8), objects)
    assert str(caught.value) == message
