"""Keypoints and skeletons on images."""

import numpy as np
import pytest

from odapi.draw.image import Style, draw_objects
from odapi.draw.skeleton import edges_of
from odapi.labels import Category, Keypoint, LabelMap

NAN = float("nan")


def of_names(*names, start=0):
    points = tuple(Keypoint(start + i, n) for i, n in enumerate(names))
    return LabelMap((Category(1, "thing", keypoints=points),))


def drawn(points, edges=(), label_map=None, **objects):
    """Where something was drawn on a gray image of 100 x 200."""
    image = np.full((100, 200, 3), 128, "uint8")
    # The box lies outside, so that nothing but keypoints shows.
    found = {"boxes": [[2.0, 2.0, 3.0, 3.0]], "keypoints": [points], **objects}
    style = Style(line=1, edges=edges)
    image = draw_objects(image, found, label_map, style=style)
    return (image != 128).any(axis=-1)[:95, :195]


def test_a_keypoint_is_a_dot_at_its_place():
    there = drawn([[0.5, 0.25]])
    assert there[50, 50]
    assert there.sum() < 80
    rows, columns = np.nonzero(there)
    assert abs(rows.mean() - 50) < 0.5 and abs(columns.mean() - 50) < 0.5


@pytest.mark.parametrize(
    ("points", "scores"),
    [
        ([[0.5, 0.25], [NAN, NAN]], None),
        ([[0.5, 0.25], [0.5, 0.75]], [0.5, 0.0]),
    ],
)
def test_keypoints_that_are_not_there_are_not_drawn_nor_joined(points, scores):
    objects = {} if scores is None else {"keypoint_scores": [scores]}
    there = drawn(points, edges=((0, 1),), **objects)
    assert there[50, 50] and not there[50, 60:].any()


def test_edges_join_keypoints():
    points = [[0.5, 0.25], [0.5, 0.75]]
    assert not drawn(points)[50, 100]
    assert drawn(points, edges=((0, 1),))[50, 60:140].all()


def test_edges_that_name_no_keypoint_are_left_out():
    assert drawn([[0.5, 0.25]], edges=((0, 7),)).sum() < 80


def test_keypoints_far_outside_do_no_harm():
    there = drawn([[0.5, 0.25], [1e12, -1e12]], edges=((0, 1),))
    assert there[50, 50]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("nose", "left_eye", "right_eye"), ((5, 6), (5, 7))),
        (("Left_Shoulder", "tail", "left_elbow"), ((5, 7),)),
        (("head", "tail"), ()),
    ],
)
def test_people_have_a_skeleton_by_their_names(names, expected):
    assert edges_of(of_names(*names, start=5)) == expected


def test_a_class_may_have_a_skeleton_of_its_own():
    points = tuple(Keypoint(3 + i, n) for i, n in enumerate(("nose", "left_eye")))
    lines = ((4, 3), (3, 3))
    own = Category(1, "a", keypoints=points, skeleton=lines)
    assert edges_of(LabelMap((own,))) == lines


def test_cocos_skeleton_is_that_of_its_config(shared):
    from odapi.build.metrics import keypoint_edges
    from odapi.config.label_map import load_label_map
    from odapi.config.load import load_config

    name = "centernet_resnet50_v1_fpn_512x512_kpts_coco17_tpu-8.config"
    config = load_config(shared / "configs" / "tf2" / name)
    people = load_label_map(shared / "golden" / "aux" / "keypoint_label_map.pbtxt")
    assert edges_of(people) == keypoint_edges(config.eval_config)
    assert edges_of(None) == ()


def test_the_skeleton_of_people_is_drawn_without_being_asked_for():
    names = of_names("left_hip", "left_knee")
    assert drawn([[0.5, 0.25], [0.5, 0.75]], label_map=names)[50, 60:140].all()
