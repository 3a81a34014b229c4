"""Outputs of predictions: nothing of the user is replaced; checks come first."""

import json
import os
import pathlib
import re

import numpy as np
import pytest

import odapi
from odapi.data.image.decode import decode_image
from odapi.data.sources import open_source
from odapi.draw.file import encode_image, save_image
from odapi.errors import OutputError
from odapi.inference.prediction import Prediction
from odapi.inference.predictions import Predictions
from odapi.labels import label_map_of
from odapi.outputs.image_mark import is_marked, mark_image

MINE = "the user's"


def prediction(path, image_id=1, classes=(1,)):
    n = len(classes)
    return Prediction(
        path=path,
        image_id=image_id,
        size=(20, 30),
        boxes=np.full((n, 4), [0.1, 0.1, 0.6, 0.6], np.float32),
        scores=np.full(n, 0.5, np.float32),
        class_ids=np.array(classes),
        label_map=label_map_of(["cat", "dog"]),
        pixels=np.full((20, 30, 3), 200, np.uint8),
    )


def photo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(np.full((20, 30, 3), 200, np.uint8), path.suffix))
    return path


@pytest.mark.parametrize("kind", [".jpg", ".png", ".JPEG"])
def test_the_mark_of_an_image_changes_no_pixel(kind, tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    plain = encode_image(image, kind)
    saved = save_image(tmp_path / f"a{kind}", image)
    assert saved.read_bytes() == mark_image(plain) != plain
    pixels = [decode_image(data, "a") for data in (saved.read_bytes(), plain)]
    np.testing.assert_array_equal(*pixels)
    photo(tmp_path / f"b{kind}")
    assert (is_marked(saved), is_marked(tmp_path / f"b{kind}")) == (True, False)


def test_a_drawing_replaces_a_drawing_but_no_photo(tmp_path):
    mine = photo(tmp_path / "dog.jpg")
    before = mine.read_bytes()
    found = prediction(mine)
    with pytest.raises(OutputError) as caught:
        found.save(mine)
    assert str(caught.value) == (
        f"{mine}: exists already, and odapi did not write it\n"
        f"  hint: choose a new name, such as {tmp_path}/dog-2.jpg"
    )
    assert mine.read_bytes() == before
    for _ in range(2):
        assert found.save(tmp_path / "new" / "dog.jpg").is_file()
    with pytest.raises(OutputError, match="is a folder; a file is needed"):
        found.save(tmp_path / "new")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "new" / "dog.jpg")
    with pytest.raises(OutputError, match="exists already"):
        found.save(tmp_path / "link.jpg")


def test_drawings_of_several_images_are_all_checked_before_the_first(tmp_path):
    names = ["a.jpg", "b.jpg"]
    found = Predictions([prediction(tmp_path / "in" / name) for name in names])
    photo(tmp_path / "out" / "b.jpg")
    with pytest.raises(OutputError, match=r"b\.jpg: exists already"):
        found.save(tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["b.jpg"]
    for _ in range(2):
        assert len(found.save(tmp_path / "new")) == 2


def test_results_are_replaced_until_they_are_changed(tmp_path):
    file, found = tmp_path / "r.json", Predictions([prediction(tmp_path / "a.jpg")])
    for _ in range(2):
        assert found.save_coco_results(file) == [file, tmp_path / "r.images.json"]
    facts = json.loads((tmp_path / "r.images.json").read_text())["results"]
    assert facts["file"] == "r.json" and facts["bytes"] == file.stat().st_size
    file.write_text(file.read_text().replace("0.5", "0.9"))
    with pytest.raises(
        OutputError, match=r"r\.json: exists already, and odapi did not"
    ):
        found.save_coco_results(file)


@pytest.mark.parametrize("name", ["r.json", "r.images.json"])
def test_results_of_others_are_kept(tmp_path, name):
    (tmp_path / name).write_text('[{"image_id": 1}]')
    with pytest.raises(OutputError, match=re.escape(f"{name}: exists already, and")):
        Predictions([prediction(None)]).save_coco_results(tmp_path / "r.json")
    assert (tmp_path / name).read_text() == '[{"image_id": 1}]'


class Never:
    """A model that must not be run."""

    label_map = label_map_of(["cat"])

    def __call__(self, images):
        raise AssertionError


OPTIONS = ("output", "coco_results", "save_txt", "save_voc", "save_coco")


@pytest.mark.parametrize("model", ["no such run", Never()])
@pytest.mark.parametrize("option", OPTIONS)
def test_outputs_are_checked_before_the_model_is_loaded(tmp_path, option, model):
    mine = tmp_path / "mine"
    mine.mkdir()
    place = mine / "r.json" if option == "coco_results" else mine
    (mine / "r.json").write_text(MINE)
    with pytest.raises(OutputError, match=r"mine(/r\.json)?: (has files|exists a)"):
        odapi.predict(model, "no such photos", **{option: place})
    assert (mine / "r.json").read_text() == MINE
    for wrong in (mine / "r.json" / "a", "n" * 300, "a\0b"):
        with pytest.raises(OutputError, match="cannot be written"):
            odapi.predict(model, "no such photos", **{option: wrong})
    assert list(tmp_path.rglob("*")) == [mine, mine / "r.json"]


def test_two_outputs_have_two_places(tmp_path):
    with pytest.raises(OutputError) as caught:
        odapi.predict(Never(), "x", output="found", save_voc=pathlib.Path("./found"))
    assert str(caught.value) == (
        "found: is named twice: output and save_voc\n"
        "  hint: each output needs its own path"
    )


class Finds(Never):
    def __call__(self, images):
        n = len(images)
        return [
            {
                "boxes": np.array([[0.1, 0.1, 0.5, 0.5]], np.float32),
                "scores": np.array([0.9], np.float32),
                "classes": np.array([0]),
            }
        ] * n


def test_predicting_into_the_same_folder_replaces_what_was_there(tmp_path):
    for name in ("a", "b"):
        photo(tmp_path / name / f"{name}.jpg")
    out = tmp_path / "found"
    odapi.predict(Finds(), tmp_path / "a", output=out)
    (out / "notes.txt").write_text(MINE)
    found = odapi.predict(Finds(), tmp_path / "b", output=out)
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*")) == [
        ".odapi", "detections.images.json", "detections.json", "images",
        "images/b.jpg", "notes.txt",
    ]  # fmt: skip
    assert len(found.files) == 3
    photo(out / "images" / "mine.jpg")
    with pytest.raises(OutputError, match=r"did not write: images/mine\.jpg"):
        odapi.predict(Finds(), tmp_path / "b", output=out)


def test_photos_are_no_output_folder(tmp_path):
    photo(tmp_path / "photos" / "a.jpg")
    before = (tmp_path / "photos" / "a.jpg").read_bytes()
    with pytest.raises(OutputError, match=r"did not write: a\.jpg"):
        odapi.predict(Finds(), tmp_path / "photos", output=tmp_path / "photos")
    assert (tmp_path / "photos" / "a.jpg").read_bytes() == before


def test_an_image_is_never_replaced_by_its_drawing(tmp_path):
    source = save_image(tmp_path / "drawn.jpg", np.zeros((20, 30, 3), np.uint8))
    before = source.read_bytes()
    found = prediction(source)
    for save in (found.save, lambda p: Predictions([found]).save(p.parent)):
        with pytest.raises(OutputError, match=r"drawn\.jpg: exists already"):
            save(source)
    assert source.read_bytes() == before
    crops = Predictions([found]).save_crop(tmp_path / "crops")
    assert [is_marked(p) for p in crops.rglob("*.jpg")] == [False] * len(found)


LONG = "x" * 251 + ".jpg"
FOREIGN = os.fsdecode(b"bad\xff.jpg")


@pytest.mark.parametrize("name", [LONG, FOREIGN])
def test_every_output_of_images_with_unusual_names(tmp_path, name):
    images = [photo(tmp_path / folder / name) for folder in ("a", "b")]
    found = Predictions([prediction(p, n) for n, p in enumerate(images, 1)])
    assert len({p.name for p in found.save(tmp_path / "drawn")}) == 2
    found.save_csv(tmp_path / "r.csv")
    found.save_coco_results(tmp_path / "r.json")
    found.save_crop(tmp_path / "crop")
    for kind, save in (
        ("voc", found.save_voc), ("yolo", found.save_txt), ("coco", found.save_coco)
    ):  # fmt: skip
        save(tmp_path / kind)
        source = open_source(f"{kind}:{tmp_path / kind}")
        assert [len(source[i]["boxes"]) for i in range(2)] == [len(found[0])] * 2
    assert (tmp_path / "r.csv").read_text(encoding="utf-8").count("\n") == 1 + 2 * len(
        found[0]
    )


def test_wrong_kinds_of_output_for_crops(tmp_path):
    (tmp_path / "file").write_text(MINE)
    with pytest.raises(OutputError) as caught:
        odapi.predict("no such run", "no such photos", save_crop=tmp_path / "file")
    assert str(caught.value) == (
        f"{tmp_path}/file: is a file; a set of crops is a folder\n"
        f"  hint: choose a new folder, such as {tmp_path}/file-2"
    )
