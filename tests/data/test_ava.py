"""AVA actions: rows, persons, excluded seconds, frames of videos; and writing."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tiny_data
from odapi.data.convert import Target, convert
from odapi.data.sources import open_source
from odapi.errors import DataError
from odapi.labels import label_map_of
from source_views import problems

# The rows of the case "AVA actions csv" of the original's converter.
ROWS = (
    "vid1,0902,0.1,0.2,0.3,0.4,1",
    "vid1,0902,0.1,0.2,0.3,0.4,3",
    "vid1,0904,0.5,0.5,0.75,1.0,1",
)
ACTIONS = """label {
  name: "bend/bow (at the waist)"
  label_id: 1
  label_type: PERSON_MOVEMENT
}
label {
  name: "jump/leap"
  label_id: 3
  label_type: PERSON_MOVEMENT
}
"""


def write(folder, *rows, actions=ACTIONS, frames="frames/vid1_{:04d}.jpg"):
    file = folder / "ava_train_v2.2.csv"
    file.write_text("\n".join(rows) + "\n")
    if actions:
        (folder / "ava_action_list_v2.2.pbtxt").write_text(actions)
    for second in (902, 904):
        image = folder / frames.format(second, (second - 900) * 30 + 1)
        image.parent.mkdir(parents=True, exist_ok=True)
        image.write_bytes(tiny_data.encoded(".jpg", (40, 60), second))
    return f"ava:{file}"


def test_rows_are_those_of_the_original(tmp_path):
    source = open_source(write(tmp_path, *ROWS))
    assert source.image_ids == ["vid1_0902", "vid1_0904"]
    assert [(c.id, c.name) for c in source.label_map] == [
        (1, "bend/bow (at the waist)"), (3, "jump/leap"),
    ]  # fmt: skip
    first, second = source
    assert first["classes"].tolist() == [0, 2]
    assert_allclose(first["boxes"], [[0.2, 0.1, 0.4, 0.3]] * 2, rtol=1e-6)
    assert_allclose(second["boxes"], [[0.5, 0.5, 1, 0.75]], rtol=1e-6)
    assert "track_ids" not in first
    assert not source.problems


def test_persons_are_tracks(tmp_path):
    rows = [f"{ROWS[0]},7", f"{ROWS[1]},7", f"{ROWS[2]},"]
    source = open_source(write(tmp_path, *rows))
    assert [s["track_ids"].tolist() for s in source] == [[7, 7], [-1]]


def test_excluded_seconds_are_skipped(tmp_path):
    spec = write(tmp_path, *ROWS)
    (tmp_path / "ava_train_excluded_timestamps_v2.2.csv").write_text(
        "vid1,0904\nvid1,0950\n"
    )
    source = open_source(spec)
    assert source.image_ids == ["vid1_0902"]
    assert problems(source) == {"frame without annotations": (1, "vid1, second 904")}
    assert len(open_source(f"ava:{tmp_path}?split=train")) == 1


@pytest.mark.parametrize(
    "frames",
    [
        "frames/vid1/vid1_{1:06d}.jpg",  # As SlowFast: 30 frames per second from 900.
        "frames/vid1/{0:04d}.jpg",
        "images/vid1_{0:04d}.jpg",
        "frames/{0}_vid1.jpg",
    ],
)
def test_places_of_frames(frames, tmp_path):
    source = open_source(write(tmp_path, *ROWS, frames=frames))
    assert [source.path(i).is_file() for i in range(2)] == [True, True]


def test_frames_of_a_video(tmp_path):
    spec = write(tmp_path, *ROWS, frames="elsewhere/{}.jpg")
    (tmp_path / "videos").mkdir()
    code = cv2.VideoWriter_fourcc(*"MJPG")
    file = str(tmp_path / "videos" / "vid1.avi")
    video = cv2.VideoWriter(file, code, 1, (64, 48))
    for second in range(906):
        gray = 250 if second == 904 else 50
        video.write(np.full((48, 64, 3), gray, np.uint8))
    video.release()
    source = open_source(spec)
    assert [s["image"].shape for s in source] == [(48, 64, 3)] * 2
    assert [round(s["image"].mean(), -1) for s in source] == [50, 250]
    assert source.image_path(0) is None
    convert(source, Target("voc", tmp_path / "out"))
    names = sorted(p.name for p in (tmp_path / "out/JPEGImages").iterdir())
    assert names == ["vid1_0902.jpg", "vid1_0904.jpg"]


def test_video_that_cannot_be_read_is_counted(tmp_path):
    spec = write(tmp_path, *ROWS, frames="elsewhere/{}.jpg")
    (tmp_path / "vid1.mp4").write_bytes(b"no video")
    source = open_source(spec)
    with pytest.raises(DataError, match="no video that OpenCV can read"):
        source[0]
    assert source.problems.count("corrupt image") == 1


@pytest.mark.parametrize(
    ("row", "kind", "place"),
    [
        ("vid1,0902,0.1,0.2,0.3", "malformed row", "line 4"),
        ("vid1,x,0.1,0.2,0.3,0.4,1", "annotation without image", "line 4"),
        (",0902,0.1,0.2,0.3,0.4,1", "annotation without image", "line 4"),
        ("vid1,0902,0.1,0.2,x,0.4,1", "malformed box", "line 4 (vid1)"),
        ("vid1,0902,0.1,0.2,0.3,0.4,", "object without class", "line 4 (vid1)"),
        ("vid1,0902,0.1,0.2,0.3,0.4,0", "object without class", "line 4 (vid1)"),
        ("vid1,0902,1.1,0.2,1.3,0.4,1", "box outside the image",
         "vid1_0902, object 3"),
        ("vid1,0905,0.1,0.2,0.3,0.4,1", "missing image", "vid1_0905"),
    ],
)  # fmt: skip
def test_bad_row_is_counted_and_the_others_are_read(row, kind, place, tmp_path):
    source = open_source(write(tmp_path, *ROWS, row))
    assert [len(s["boxes"]) for s in source] == [2, 1]
    assert problems(source) == {kind: (1, place)}


def test_classes_without_a_list_are_ids(tmp_path):
    spec = write(tmp_path, *ROWS, actions="")
    assert [c.name for c in open_source(spec).label_map] == ["class 1", "class 3"]
    label_map = label_map_of(["walk", "run", "jump"])
    assert open_source(spec, label_map)[0]["classes"].tolist() == [0, 2]
    with pytest.raises(DataError, match=r"action 3.*line 2 \(vid1_0902\)"):
        open_source(spec, label_map_of(["walk"]))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ava:{}/empty.csv", "has no rows of AVA"),
        ("ava:{}/empty", "has no CSV file"),
        ("ava:{}?split=test", "has no CSV file with 'test' in its name; there are"),
        ("ava:{}/none", "no such file or folder"),
    ],
)
def test_what_is_not_ava_is_refused(spec, message, tmp_path):
    write(tmp_path, *ROWS)
    (tmp_path / "empty.csv").write_text("a,b,c\n")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        open_source(spec.format(tmp_path))


def test_file_is_recognized_by_its_name(tmp_path):
    write(tmp_path, *ROWS)
    assert len(open_source(str(tmp_path / "ava_train_v2.2.csv"))) == 2


def test_frames_and_persons_survive(tmp_path):
    (tmp_path / "in").mkdir()
    rows = [f"{row},{n}" for n, row in enumerate(ROWS)]
    source = open_source(write(tmp_path / "in", *rows, "vid1,0904"))
    result = convert(source, Target("ava", tmp_path / "out"))
    assert not result.losses
    assert (tmp_path / "out/ava_train_v2.2.csv").read_text() == (
        "vid1,0902,0.1,0.2,0.3,0.4,1,0\n"
        "vid1,0902,0.1,0.2,0.3,0.4,3,1\n"
        "vid1,0904,0.5,0.5,0.75,1,1,2\n"
    )
    again = open_source(f"ava:{tmp_path / 'out'}?split=train")
    assert again.image_ids == source.image_ids
    assert [c.name for c in again.label_map] == [c.name for c in source.label_map]
    for before, after in zip(source, again, strict=True):
        for key in ("boxes", "classes", "track_ids", "image"):
            assert_array_equal(after[key], before[key])


def test_images_become_videos_of_one_frame(tmp_path):
    source = open_source(tiny_data.write_voc(tmp_path / "in"))
    convert(source, Target("ava", tmp_path / "out"))
    lines = (tmp_path / "out/ava_train_v2.2.csv").read_text().splitlines()
    assert [line.split(",")[:2] for line in lines] == [
        ["a", "0902"], ["a", "0902"], ["b", "0902"], ["c", "0902"],
    ]  # fmt: skip
    again = open_source(f"ava:{tmp_path / 'out'}?split=train")
    assert [len(s["boxes"]) for s in again] == [2, 1, 0]
