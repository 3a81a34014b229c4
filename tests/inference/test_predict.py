"""Prediction on files and arrays: sources, skipped images, result files."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest

from evaluation_fakes import LABEL_MAP, SIZE, PixelDetector
from odapi import predict
from odapi.data.image.decode import decode_image
from odapi.data.image.resize import FixedShape, KeepAspectRatio
from odapi.data.sources.open import open_source
from odapi.draw.file import save_image
from odapi.errors import DataError, OutputError
from odapi.inference.image_files import find_images, read_images


class Bright:
    """Finds one object where an image is bright; remembers the sizes of its calls."""

    label_map = LABEL_MAP

    def __init__(self):
        self.calls = []

    def __call__(self, images):
        self.calls.append([i.shape[:2] for i in images])
        return [self.one(i) for i in images]

    def one(self, image):
        bright = float(image.mean()) / 255
        return {
            "boxes": np.array([[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1]], "float32"),
            "classes": np.array([1, 0], "int32"),
            "scores": np.array([0.2, bright], "float32"),
        }


@pytest.fixture
def folder(tmp_path):
    """Images of several kinds, one broken, one that is no image."""
    for n, (name, value) in enumerate(
        [("frame_2.png", 250), ("frame_10.png", 20), ("deep/er/frame_1.jpg", 200)]
    ):
        save_image(tmp_path / name, np.full((40 + n, 60, 3), value, np.uint8))
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "frame_2.png").read_bytes()[:30])
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def names(paths, folder):
    return [p.relative_to(folder).as_posix() for p in paths]


@pytest.mark.parametrize("suffix", [".jpe", ".jfif", ".JPG", ".tif"])
def test_predict_reads_every_suffix_that_train_reads(tmp_path, suffix):
    save_image(tmp_path / "a.jpg", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "a.jpg").rename(tmp_path / f"b{suffix}")
    assert names(find_images([str(tmp_path)]), tmp_path) == [f"b{suffix}"]


def test_folders_are_searched_in_natural_order(folder):
    assert names(find_images([str(folder)]), folder) == [
        "broken.jpg",
        "deep/er/frame_1.jpg",
        "frame_2.png",
        "frame_10.png",
    ]


def test_files_globs_and_folders_mix_and_each_image_comes_once(folder):
    given = [str(folder / "frame_10.png"), str(folder / "*.png"), str(folder)]
    assert names(find_images(given), folder) == [
        "frame_10.png",
        "frame_2.png",
        "broken.jpg",
        "deep/er/frame_1.jpg",
    ]
    assert names(find_images([str(folder / "**/*_1.*")]), folder) == [
        "deep/er/frame_1.jpg"
    ]


def test_names_come_from_standard_input(folder, monkeypatch):
    lines = f"{folder / 'frame_2.png'}\n\n  {folder / 'frame_10.png'}  \n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert names(find_images(["-"]), folder) == ["frame_2.png", "frame_10.png"]


def test_a_terminal_as_standard_input_is_refused(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    with pytest.raises(DataError, match="reads file names from standard input"):
        find_images(["-"])


def test_a_file_with_brackets_in_its_name_is_found(tmp_path):
    path = save_image(tmp_path / "shot[1].png", np.zeros((4, 4, 3), np.uint8))
    assert find_images([str(path)]) == [path]


@pytest.mark.parametrize(
    ("given", "message"),
    [("empty", "the folder contains no image"), ("*.xyz", "no file matches")],
)
def test_names_that_mean_nothing_are_refused(tmp_path, given, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        find_images([str(tmp_path / given)])
    with pytest.raises(DataError, match="none were given"):
        find_images([])


def test_images_are_read_in_order_however_many(tmp_path):
    paths = []
    for n in range(40):
        paths.append(tmp_path / f"{n}.png")
        save_image(paths[-1], np.full((4, 4, 3), n, np.uint8))
    rows = list(read_images([*paths, tmp_path / "missing.png"]))
    assert [r.image[0, 0, 0] for r in rows[:-1]] == list(range(40))
    assert rows[-1].image is None and "No such file" in rows[-1].problem


def test_predictions_and_what_was_skipped(folder):
    found = predict(Bright(), folder)
    assert [p.path.name for p in found] == [
        "frame_1.jpg",
        "frame_2.png",
        "frame_10.png",
    ]
    assert [p.labels for p in found] == [("square",), ("square",), ()]
    assert [p.image_id for p in found] == [1, 2, 3]
    assert list(found.skipped) == [str(folder / "broken.jpg")]
    assert found[0].xyxy.tolist() == [[0, 0, 60, 42]]
    assert found.files == []


@pytest.mark.parametrize(
    ("min_score", "expected"), [(0.0, [2, 2, 2]), (0.15, [2, 2, 1]), (1.0, [0, 0, 0])]
)
def test_min_score_leaves_out(folder, min_score, expected):
    found = predict(Bright(), folder, min_score=min_score)
    assert [len(p) for p in found] == expected
    for row in found:
        assert (np.diff(row.scores) <= 0).all()


def test_results_are_files(folder, tmp_path):
    out = tmp_path / "out"
    found = predict(Bright(), folder, output=out, min_score=0.15)
    rows = json.loads((out / "detections.json").read_text())
    assert rows[0] == {
        "image_id": 1,
        "category_id": 1,
        "bbox": [0.0, 0.0, 60.0, 42.0],
        "score": pytest.approx(200 / 255, abs=0.01),
    }
    assert len(rows) == 5
    content = json.loads((out / "detections.images.json").read_text())
    assert [i["file_name"].rsplit("/")[-1] for i in content["images"]] == [
        "frame_1.jpg",
        "frame_2.png",
        "frame_10.png",
    ]
    assert content["categories"] == [
        {"id": 1, "name": "square"},
        {"id": 2, "name": "circle"},
    ]
    assert len(content["skipped"]) == 1
    assert sorted(p.name for p in (out / "images").iterdir()) == [
        "frame_1.jpg",
        "frame_10.png",
        "frame_2.png",
    ]
    there = {p for p in out.rglob("*") if p.is_file()}
    assert set(found.files) == there - {out / ".odapi"}


def test_without_drawing_only_json_is_written(folder, tmp_path):
    found = predict(Bright(), folder, output=tmp_path / "out", draw=False)
    assert [f.suffix for f in found.files] == [".json", ".json"]
    found = predict(Bright(), folder, coco_results=tmp_path / "a" / "b.json")
    assert [f.name for f in found.files] == ["b.json", "b.images.json"]


def test_equal_names_of_two_folders_are_both_drawn(tmp_path):
    for name in ("a/x.jpg", "b/x.jpg", "b/x.jpeg"):
        save_image(tmp_path / name, np.full((20, 20, 3), 9, np.uint8))
    found = predict(Bright(), [tmp_path / "a", tmp_path / "b"], output=tmp_path / "out")
    drawn = [f.name for f in found.files if f.suffix == ".jpg"]
    assert drawn == ["x.jpg", "x_0002.jpg", "x_0003.jpg"]


def test_numbers_as_names_are_the_image_ids(tmp_path):
    for name in ("000000139.jpg", "7.png"):
        save_image(tmp_path / name, np.full((20, 20, 3), 255, np.uint8))
    assert sorted(p.image_id for p in predict(Bright(), tmp_path)) == [7, 139]
    save_image(tmp_path / "other.png", np.zeros((20, 20, 3), np.uint8))
    assert [p.image_id for p in predict(Bright(), tmp_path)] == [1, 2, 3]


def test_arrays_are_images_too(tmp_path):
    image = np.full((30, 40, 3), 255, np.uint8)
    for given in (image, [image], np.stack([image])):
        found = predict(Bright(), given, output=tmp_path)
        assert len(found) == 1 and found[0].path is None
        assert found[0].size == (30, 40)
    assert (tmp_path / "images" / "image_0001.jpg").is_file()


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.ones((4, 4, 3)), "got float64 with values from 1 to 1"),
        (np.full((4, 4, 3), 0.5), r"\(image \* 255\).round\(\).astype"),
        (np.full((4, 4, 3), 200.0), r"\(image\).round\(\).astype"),
        (np.full((4, 4, 3), 300, np.int64), "int64 with values from 300 to 300"),
        (np.zeros((4, 4, 5), np.uint8), r"uint8 RGB, got shape \(4, 4, 5\)"),
        (np.zeros((3, 4, 5), np.uint8), "channels come last"),
        (np.zeros((0, 4, 3), np.uint8), r"got shape \(0, 4, 3\)"),
        (np.zeros((2, 4, 4, 4, 3), np.uint8), "got shape"),
        ("missing.jpg", "^missing.jpg: No such file or directory$"),
        ("", "^images: a name is empty\n  hint: the current folder is named '.'$"),
        ([], "none were given"),
        (5, "cannot be of type int"),
        ({"a": 1}, "cannot be of type dict"),
        (b"jpeg", "image 1: cannot be read as an image; it begins with b'jpeg'"),
        ([5], "cannot contain int"),
        ("https://example.org/a.jpg", "is a web address"),
        (io.StringIO("text"), "image 1: is open as text"),
    ],
)
def test_wrong_images_are_refused(images, message):
    with pytest.raises(DataError, match=message):
        predict(Bright(), images)


def test_several_images_none_of_which_can_be_read():
    with pytest.raises(DataError) as caught:
        predict(Bright(), ["a.jpg", "b.jpg"])
    assert str(caught.value) == (
        "a.jpg: No such file or directory; none of 2 images could be read"
    )


@pytest.mark.parametrize(
    "options",
    [
        {"min_score": 1.5}, {"min_score": "a"}, {"min_score": None},
        {"min_score": float("nan")}, {"min_score": True}, {"batch_size": 0},
        {"batch_size": 1.5}, {"batch_size": None}, {"max_detections": 2.0},
        {"max_detections": "3"}, {"max_detections": 0}, {"max_detections": True},
    ],
)  # fmt: skip
def test_wrong_options_are_refused(options):
    with pytest.raises(DataError, match=next(iter(options))):
        predict(Bright(), np.zeros((4, 4, 3), np.uint8), **options)


class Three:
    """Finds three objects in every image."""

    label_map = LABEL_MAP

    def __call__(self, images):
        boxes = np.array([[0, 0, 0.5, 0.5], [0.5, 0, 1, 1], [0, 0.5, 0.5, 1]], "f4")
        scores = np.array([0.6, 0.9, 0.2], "f4")
        row = {"boxes": boxes, "classes": np.array([0, 1, 1]), "scores": scores}
        return [row for _ in images]


WHITE = np.full((20, 40, 3), 255, np.uint8)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [("circle", 0.9), ("square", 0.6)]),
        ({"classes": ["square"]}, [("square", 0.6)]),
        ({"classes": "circle"}, [("circle", 0.9)]),
        ({"classes": 2}, [("circle", 0.9)]),
        ({"classes": ["2"]}, [("circle", 0.9)]),
        ({"classes": ["square,circle"]}, [("circle", 0.9), ("square", 0.6)]),
        ({"classes": [1, "circle"]}, [("circle", 0.9), ("square", 0.6)]),
        ({"max_detections": 1}, [("circle", 0.9)]),
        ({"max_detections": 1, "classes": 1}, [("square", 0.6)]),
        ({"max_detections": 9, "min_score": 0}, [
            ("circle", 0.9), ("square", 0.6), ("circle", 0.2)]),
    ],
)  # fmt: skip
def test_objects_of_some_classes_and_the_best_ones(options, expected):
    (found,) = predict(Three(), WHITE, **options)
    scores = [round(float(s), 2) for s in found.scores]
    assert list(zip(found.labels, scores, strict=True)) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"classes": ["sqare"]},
            "classes: the model has no class 'sqare'; they are square, circle\n"
            "  hint: did you mean 'square'?",
        ),
        ({"classes": 3}, "classes: the model has no class 3; they are square, circle"),
        ({"classes": []}, "classes: none are given\n  hint: leave it out to keep all"),
        ({"max_detections": 0}, "max_detections: must be 1 or more, got 0"),
    ],
)
def test_classes_that_the_model_lacks_are_refused(options, message):
    with pytest.raises(DataError) as caught:
        predict(Three(), WHITE, **options)
    assert str(caught.value) == message


def test_the_best_score_is_that_of_the_selected_classes():
    found = predict(Three(), WHITE, 0.95, classes="square")
    assert found.best_score == pytest.approx(0.6)
    assert repr(found) == "<Predictions of 1 image: 0 objects, best score 0.6>"


def test_a_csv_file_has_a_row_per_object_and_is_a_dataset(folder):
    found = predict(Three(), folder / "frame_2.png", save_csv=folder / "found.csv")
    path = folder / "frame_2.png"
    assert (folder / "found.csv").read_text().splitlines() == [
        "image_id,path,width,height,class_id,label,score,x_min,y_min,x_max,y_max",
        f"1,{path},60,40,2,circle,0.9,0.000,20.000,60.000,40.000",
        f"1,{path},60,40,1,square,0.6,0.000,0.000,30.000,20.000",
    ]
    assert found.files == [folder / "found.csv"]
    sample = open_source(f"csv:{folder / 'found.csv'}")[0]
    np.testing.assert_allclose(sample["boxes"], found[0].boxes)


def test_crops_are_sorted_by_class(folder, tmp_path):
    out = tmp_path / "crops"
    found = predict(Three(), [folder / "frame_2.png", WHITE], save_crop=out)
    files = sorted(p.relative_to(out).as_posix() for p in out.rglob("*/*.*"))
    assert files == [
        "circle/frame_2_1.png", "circle/image_0002_1.jpg",
        "square/frame_2_2.png", "square/image_0002_2.jpg",
    ]  # fmt: skip
    assert decode_image((out / files[0]).read_bytes()).shape == (20, 60, 3)
    assert found.files == [out]
    with pytest.raises(OutputError) as caught:
        predict(Three(), WHITE, save_crop=out)
    assert caught.value.place == str(out)


def test_a_csv_file_of_others_is_not_replaced(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("image,price\n")
    with pytest.raises(OutputError, match="exists already, and odapi did not write it"):
        predict(Three(), WHITE, save_csv=path)
    path.unlink()
    for _ in range(2):
        predict(Three(), WHITE, save_csv=path)
    assert len(path.read_text().splitlines()) == 3


def test_files_of_a_folder_that_are_no_images_are_counted(folder):
    (folder / "phone.HEIC").write_bytes(b"")
    (folder / "deep" / "b.heic").write_bytes(b"")
    (folder / ".hidden").write_bytes(b"")
    (folder / "README").write_bytes(b"")
    found = predict(Bright(), folder)
    assert found.ignored == {".heic": 2, ".txt": 1, "without suffix": 1}
    assert predict(Bright(), iter([folder])).ignored == found.ignored
    (folder / "none").mkdir()
    (folder / "none" / "a.heic").write_bytes(b"")
    with pytest.raises(DataError, match=r"no image; not looked at: 1 \.heic"):
        predict(Bright(), folder / "none")


def test_images_come_in_batches(folder):
    predictor = Bright()
    predict(predictor, folder, batch_size=2)
    assert [len(call) for call in predictor.calls] == [2, 1]


def coded(box, index, score, size=SIZE):
    image = np.zeros((size, size, 3), np.uint8)
    image[0, :7, 0] = [*box, index, score, 1]
    return image


def test_a_detector_sees_batches_of_one_size():
    from odapi.inference.detector_predictor import DetectorPredictor

    detector = PixelDetector()
    predictor = DetectorPredictor(detector, FixedShape(SIZE, SIZE), LABEL_MAP, 2)
    images = [coded((1, 1, 6, 6), 1, n) for n in (9, 7, 5)]
    found = predictor(images)
    traces = detector.traces
    assert [float(f["scores"][0]) for f in found] == pytest.approx([0.9, 0.7, 0.5])
    np.testing.assert_allclose(found[0]["boxes"], [[0.1, 0.1, 0.6, 0.6]], rtol=1e-6)
    assert found[0]["classes"].tolist() == [1]
    predictor(images[:1])
    assert detector.traces == traces
    with pytest.raises(ValueError, match="batch_size"):
        DetectorPredictor(detector, FixedShape(SIZE, SIZE), LABEL_MAP, 0)


def test_a_detector_sees_images_of_many_sizes_in_their_order():
    from odapi.inference.detector_predictor import DetectorPredictor

    resizer = KeepAspectRatio(SIZE, 2 * SIZE)
    predictor = DetectorPredictor(PixelDetector(), resizer, LABEL_MAP, 4)
    wide = np.zeros((SIZE, 2 * SIZE, 3), np.uint8)
    wide[0, :7, 0] = [0, 0, 9, 9, 0, 3, 1]
    images = [coded((1, 1, 6, 6), 1, 9), wide, coded((1, 1, 6, 6), 1, 7)]
    scores = [float(f["scores"][0]) for f in predictor(images)]
    assert scores == pytest.approx([0.9, 0.3, 0.7])


def test_drawn_images_have_the_size_of_the_image(folder, tmp_path):
    save_image(folder / "large.png", np.full((500, 700, 3), 250, np.uint8))
    out = tmp_path / "out"
    predict(Bright(), folder / "large.png", output=out)
    drawn = out / "images" / "large.png"
    assert decode_image(drawn.read_bytes()).shape == (500, 700, 3)


def test_an_exported_model_needs_no_keras():
    code = "import sys, odapi.inference.predict; sys.exit('keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
