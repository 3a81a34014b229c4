"""CVAT's XML: shapes, skeletons, groups, attributes, tracks; and writing."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tiny_data
from odapi.data.convert import Target, convert
from odapi.data.sources import open_source
from odapi.errors import DataError
from odapi.labels import label_map_of
from source_views import boxes_px, problems

LABELS = """<labels>
<label><name>dog</name><type>any</type></label>
<label><name>cat</name><type>skeleton</type><svg>x</svg></label>
<label><name>nose</name><type>points</type><parent>cat</parent></label>
<label><name>tail</name><type>points</type><parent>cat</parent></label>
<label><name>blurred</name><type>tag</type></label>
</labels>"""
BOX = '<box label="dog" occluded="1" xtl="6.0" ytl="10.0" xbr="36.0" ybr="30.0"/>'


def image(name, *shapes, more=""):
    height, width = tiny_data.SIZES[name]
    return (
        f'<image id="0" name="{name}.jpg" width="{width}" height="{height}"{more}>'
        f"{''.join(shapes)}</image>"
    )


def write(folder, *elements, labels=LABELS, task=""):
    tiny_data.write_images(folder / "images")
    meta = f"<meta><task><size>3</size>{labels}{task}</task></meta>"
    text = f"<annotations><version>1.1</version>{meta}{''.join(elements)}</annotations>"
    (folder / "annotations.xml").write_text(text)
    return f"cvat:{folder}"


@pytest.mark.parametrize(
    ("shape", "box", "pixels"),
    [
        (BOX, [10, 6, 30, 36], None),
        # By 90 degrees: 20 wide and 30 high around the same center.
        ('<box label="dog" xtl="6" ytl="5" xbr="36" ybr="25" rotation="90"/>',
         [0, 11, 30, 31], None),
        ('<polygon label="dog" points="6.0,10.0;36.0,10.0;36.0,30.0;6.0,30.0"/>',
         [10, 6, 30, 36], 600),
        # Radius 5: 80 pixels have their centers within it.
        ('<ellipse label="dog" cx="20" cy="20" rx="5" ry="5"/>', [15, 15, 25, 25], 80),
        ('<ellipse label="dog" cx="20" cy="20" rx="10" ry="5" rotation="90"/>',
         [10, 15, 30, 25], 160),
        # Rows of 011, 110.
        ('<mask label="dog" rle="1, 4, 1" left="6" top="10" width="3" height="2"/>',
         [10, 6, 12, 9], 4),
    ],
)  # fmt: skip
def test_kinds_of_shapes(shape, box, pixels, tmp_path):
    source = open_source(write(tmp_path, image("a", shape)))
    sample = source[0]
    assert boxes_px(sample) == [box]
    assert [c.name for c in source.label_map] == ["dog", "cat"]
    assert ("masks" in sample) == (pixels is not None)
    if pixels is not None:
        assert sample["masks"][0].sum() == pixels
    assert not source.problems


def test_runs_of_a_mask_are_rows_that_begin_with_zeros(tmp_path):
    shape = '<mask label="dog" rle="1,4,1" left="6" top="10" width="3" height="2"/>'
    mask = open_source(write(tmp_path, image("a", shape)))[0]["masks"][0]
    assert mask[10:12, 6:9].tolist() == [[0, 1, 1], [1, 1, 0]]


def test_shapes_of_a_group_and_class_are_one_object(tmp_path):
    shapes = (
        '<polygon label="dog" group_id="4" points="2,2;6,2;6,6;2,6"/>',
        '<polygon label="dog" group_id="4" points="10,2;14,2;14,6;10,6"/>',
        '<polygon label="dog" group_id="0" points="20,2;24,2;24,6;20,6"/>',
        '<box label="dog" group_id="4" xtl="1" ytl="1" xbr="16" ybr="8"/>',
        '<box label="dog" group_id="4" xtl="30" ytl="1" xbr="36" ybr="8"/>',
    )
    sample = open_source(write(tmp_path, image("a", *shapes)))[0]
    assert boxes_px(sample) == [[1, 1, 8, 16], [2, 20, 6, 24], [1, 30, 8, 36]]
    assert [int(mask.sum()) for mask in sample["masks"]] == [32, 16, 0]


def test_skeletons(tmp_path):
    skeleton = (
        '<skeleton label="cat"><points label="tail" outside="0" occluded="1" '
        'points="30.0,20.0"/><points label="nose" outside="0" occluded="0" '
        'points="12.0,8.0"/></skeleton>'
    )
    half = skeleton.replace('outside="0" occluded="1"', 'outside="1" occluded="0"')
    around = '<box label="cat" group_id="1" xtl="1" ytl="2" xbr="40" ybr="30"/>'
    half = half.replace('label="cat"', 'label="cat" group_id="1"')
    source = open_source(write(tmp_path, image("a", skeleton, half, around)))
    sample = source[0]
    assert [k.name for k in source.label_map.by_name["cat"].keypoints] == [
        "nose", "tail",
    ]  # fmt: skip
    assert boxes_px(sample) == [[8, 12, 20, 30], [2, 1, 30, 40]]
    assert sample["keypoint_visibility"].tolist() == [[2, 1], [2, 0]]
    assert_allclose(sample["keypoints"][0] * [40, 60], [[8, 12], [20, 30]], rtol=1e-6)
    assert np.isnan(sample["keypoints"][1, 1]).all()
    assert not source.problems


def test_attributes(tmp_path):
    flags = (
        '<attribute name="difficult">true</attribute>'
        '<attribute name="is_crowd">1</attribute>'
        '<attribute name="color">red</attribute>'
        '<attribute name="track_id">7</attribute>'
    )
    flagged = BOX.replace("/>", f">{flags}</box>")
    sample = open_source(write(tmp_path, image("a", BOX, flagged)))[0]
    assert sample["difficult"].tolist() == [False, True]
    assert sample["is_crowd"].tolist() == [False, True]
    assert sample["track_ids"].tolist() == [-1, 7]


@pytest.mark.parametrize(
    ("shape", "kind", "place"),
    [
        ('<points label="dog" points="1,1"/>', "shape of another kind",
         "a.jpg, object 2 (points)"),
        ('<polyline label="dog" points="1,1;2,2"/>', "shape of another kind",
         "a.jpg, object 2 (polyline)"),
        ('<tag label="blurred"/>', "image label", "a.jpg, object 2"),
        ('<box label="dog" xtl="6" ytl="10" xbr="x" ybr="30"/>', "malformed box",
         "a.jpg, object 2"),
        ('<box label="" xtl="6" ytl="10" xbr="9" ybr="30"/>', "object without class",
         "a.jpg, object 2"),
        ('<polygon label="dog" points="1,1;2"/>', "malformed box", "a.jpg, object 2"),
        ('<polygon label="dog" points="1,1;9,9"/>', "malformed mask",
         "a.jpg, object 2"),
        ('<mask label="dog" rle="1,2" left="6" top="10" width="3" height="2"/>',
         "malformed mask", "a.jpg, object 2"),
        ('<mask label="dog" rle="1,x" left="6" top="10" width="3" height="2"/>',
         "malformed mask", "a.jpg, object 2"),
        ('<skeleton label="cat"></skeleton>', "malformed box", "a.jpg, object 2"),
        ('<box label="dog" xtl="70" ytl="10" xbr="80" ybr="30"/>',
         "box outside the image", "a.jpg, object 2"),
        ('<box label="dog" xtl="36" ytl="10" xbr="6" ybr="30"/>', "inverted box",
         "a.jpg, object 2"),
    ],
)  # fmt: skip
def test_bad_shape_is_counted_and_the_others_are_read(shape, kind, place, tmp_path):
    source = open_source(write(tmp_path, image("a", BOX, shape)))
    sample = source[0]
    list(sample.get("masks", ()))
    assert boxes_px(sample)[0] == [10, 6, 30, 36]
    assert problems(source) == {kind: (1, place)}


def test_images_that_cannot_be_used_are_counted(tmp_path):
    elements = (
        image("a", BOX), image("a", BOX), image("b").replace("b.jpg", "gone.jpg"),
        image("c").replace("c.jpg", ""), image("b").replace("b.jpg", "x\\b.jpg"),
    )  # fmt: skip
    source = open_source(write(tmp_path, *elements))
    assert source.image_ids == ["a.jpg", "x\\b.jpg"]
    assert problems(source) == {
        "image of two annotations": (1, "a.jpg (a.jpg, the image of a.jpg)"),
        "missing image": (1, "gone.jpg"),
        "annotation without image": (1, "image 4"),
    }


def test_video(tmp_path):
    def box(frame, x, **more):
        attributes = "".join(f' {k}="{v}"' for k, v in more.items())
        return (
            f'<box frame="{frame}" keyframe="1" occluded="0" xtl="{x}" ytl="2" '
            f'xbr="{x + 9}" ybr="9"{attributes}/>'
        )

    tracks = (
        f'<track id="5" label="dog">{box(0, 1)}{box(2, 3)}'
        f"{box(3, 3, outside='1')}</track>",
        f'<track id="8" label="cat">{box(2, 20)}{box("x", 20)}</track>',
    )
    size = "<original_size><width>60</width><height>40</height></original_size>"
    spec = write(tmp_path, *tracks, task=size)
    for number, name in enumerate("abc"):
        old = tmp_path / "images" / f"{name}.jpg"
        old.rename(tmp_path / "images" / f"frame_{number:06d}.PNG")
    source = open_source(spec)
    assert [s["filename"] for s in source] == [f"frame_00000{i}.PNG" for i in range(3)]
    assert [s["track_ids"].tolist() for s in source] == [[5], [], [5, 8]]
    assert boxes_px(source[2]) == [[2, 3, 9, 12], [2, 20, 9, 29]]
    assert problems(source)["annotation without image"] == (1, "track 8, frame x")


def test_frames_are_the_images_in_order_if_there_are_as_many(tmp_path):
    box = BOX.replace("<box", '<box frame="1"')
    track = f'<track id="1" label="dog">{box}</track>'
    source = open_source(write(tmp_path, track))
    assert source.image_ids == ["a.jpg", "b.jpg", "c.jpg"]
    assert [len(s["boxes"]) for s in source] == [0, 1, 0]


def test_subsets_of_a_project_and_labels_without_meta(tmp_path):
    elements = (
        image("a", BOX, more=' subset="Train"'),
        image("b", BOX.replace("dog", "bird"), more=' subset="Validation"'),
    )
    spec = write(tmp_path, *elements, labels="")
    assert [c.name for c in open_source(spec).label_map] == ["bird", "dog"]
    assert open_source(f"{spec}?split=val").image_ids == ["b.jpg"]
    with pytest.raises(DataError, match=r"no images of the subset 'test'.*Train, Val"):
        open_source(f"{spec}?split=test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation/>", "begins with <annotation>, not <annotations>.*voc:"),
        ("<annotations>\n<image></annotations>", r"annotations\.xml:2.*not valid XML"),
        ("", "not valid XML"),
        ("<annotations/>", "has no usable image"),
    ],
)
def test_what_is_not_cvat_is_refused(text, message, tmp_path):
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(DataError, match=f"(?s){message}"):
        open_source(f"cvat:{tmp_path / 'annotations.xml'}")


def test_folder_without_the_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"has no annotations\.xml"):
        open_source(f"cvat:{tmp_path}")


def test_written_file(tmp_path):
    def change(content):
        content["annotations"][0]["segmentation"] = [[6, 10, 36, 10, 36, 30, 6, 30]]
        content["annotations"][0]["track_id"] = 3
        content["annotations"][1] |= {"difficult": 1, "iscrowd": 1}
        content["annotations"][2]["segmentation"] = [[12, 16, 14, 16, 14, 18, 12, 18]]

    source = open_source(tiny_data.write_coco(tmp_path / "in", change))
    result = convert(source, Target("cvat", tmp_path / "out"))
    assert not result.losses
    text = (tmp_path / "out/annotations.xml").read_text()
    text = re.sub(r">\s+<", "><", text)
    assert (
        '<image id="0" name="a.jpg" width="60" height="40">'
        '<mask label="cat" source="manual" occluded="0" rle="0, 600" left="6" top="10" '
        'width="30" height="20" z_order="0"><attribute name="track_id">3</attribute>'
        '</mask><box label="dog" source="manual" occluded="0" xtl="30.00" ytl="0.00" '
        'xbr="60.00" ybr="20.00" z_order="0"><attribute name="difficult">true'
        '</attribute><attribute name="is_crowd">true</attribute></box></image>'
    ) in text
    again = open_source(f"cvat:{tmp_path / 'out'}")
    for before, after in zip(source, again, strict=True):
        for key in ("boxes", "classes", "difficult", "is_crowd", "track_ids"):
            assert_allclose(after[key], before[key], atol=1e-6)
        for one, other in zip(before["masks"], after["masks"], strict=True):
            assert_array_equal(other, one)


def test_keypoints_are_skeletons(tmp_path):
    def change(content):
        content["annotations"][0]["keypoints"] = [7, 11, 2, 0, 0, 0]
        content["annotations"][0]["segmentation"] = [[8, 12, 20, 12, 20, 28]]
        content["annotations"][1]["keypoints"] = [31.5, 2, 1, 40, 3, 2]
        for category in content["categories"]:
            category["keypoints"] = ["nose", "tail"]

    source = open_source(tiny_data.write_coco(tmp_path / "in", change))
    result = convert(source, Target("cvat", tmp_path / "out"))
    assert not result.losses
    again = open_source(f"cvat:{tmp_path / 'out'}")
    names = [[k.name for k in c.keypoints] for c in again.label_map]
    assert names == [["nose", "tail"]] * 2
    for before, after in zip(source, again, strict=True):
        for key in ("boxes", "classes", "keypoints", "keypoint_visibility"):
            assert_allclose(after[key], before[key], atol=1e-6)
        assert_array_equal(np.array([*after["masks"]]), np.array([*before["masks"]]))
    assert not again.problems


def test_keypoints_without_names_are_lost_and_counted(tmp_path):
    def change(content):
        content["annotations"][0]["keypoints"] = [7, 11, 2]

    source = open_source(
        tiny_data.write_coco(tmp_path / "in", change), label_map_of(["cat", "dog"])
    )
    result = convert(source, Target("cvat", tmp_path / "out"))
    assert {p.kind: p.count for p in result.losses} == {"keypoints": 1}
