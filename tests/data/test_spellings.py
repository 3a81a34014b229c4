"""Image files are found under names that tools and systems spell differently."""

import json
import unicodedata

import pytest

import tiny_data
from odapi.data.sources.files import ImageFinder
from odapi.data.sources.listing import spelling
from odapi.data.sources.open import open_source

NFD = unicodedata.normalize("NFD", "café")


@pytest.mark.parametrize(
    ("stored", "wanted", "found"),
    [
        ("écran 1.jpg", "%C3%A9cran%201.jpg", True),
        ("%C3%A9cran%201.jpg", "écran 1.jpg", True),
        (f"{NFD}.jpg", "café.jpg", True),
        ("café.jpg", f"{NFD}.jpg", True),
        ("café.jpg", f"caf{NFD[3:]}.png", True),  # Converted, too.
        ("IMG_1.JPG", "img_1.jpg", True),
        ("my photo.jpg", "my%20photo", True),
        ("in/my photo.jpg", "in%2Fmy%20photo.jpg", True),
        (f"{NFD}/a.jpg", "café/a.jpg", True),
        ("100%.jpg", "100%25.jpg", True),
        ("a.jpg", "a%20.jpg", False),
        ("cafe.jpg", "café.jpg", False),
    ],
)
def test_spellings(stored, wanted, found, tmp_path):
    file = tmp_path / stored
    file.parent.mkdir(exist_ok=True)
    file.touch()
    assert ImageFinder([tmp_path]).find(wanted) == (file if found else None)


def test_the_same_name_takes_precedence_and_two_spellings_are_ambiguous(tmp_path):
    for name in ("café.jpg", f"{NFD}.jpg", "a%20b.jpg"):
        (tmp_path / name).touch()
    finder = ImageFinder([tmp_path])
    assert finder.find(f"{NFD}.jpg") == tmp_path / f"{NFD}.jpg"
    assert finder.find("café.jpg") == tmp_path / "café.jpg"
    assert finder.find("caf%C3%A9.jpg") == tmp_path / "café.jpg"
    assert finder.find("CAFÉ.jpg") is None
    assert spelling("caf%C3%A9.JPG") == spelling(f"{NFD}.jpg") == "café.jpg"


@pytest.mark.parametrize("kind", ["coco", "voc"])
def test_annotations_of_other_spellings(kind, tmp_path):
    spec = {"coco": tiny_data.write_coco, "voc": tiny_data.write_voc}[kind](tmp_path)
    folder = next(p.parent for p in tmp_path.rglob("a.jpg"))
    (folder / "a.jpg").rename(folder / f"{NFD} 1.jpg")
    if kind == "coco":
        content = tiny_data.coco_content()
        content["images"][0]["file_name"] = "caf%C3%A9%201.jpg"
        file = next(tmp_path.rglob("*.json"))
        file.write_text(json.dumps(content))
    else:
        text = tiny_data.voc_xml("a", filename="café 1.jpg")
        (tmp_path / "Annotations" / "a.xml").write_text(text)
    source = open_source(spec)
    assert len(source) == 3
    assert not source.problems
