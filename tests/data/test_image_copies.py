"""Images with the same bytes, in one dataset or in training and evaluation data."""

import numpy as np
import pytest

import tiny_data
from odapi.data import image_copies
from odapi.data.image_copies import Fingerprints, count_copies, find_copies, find_shared
from odapi.data.inspect import inspect_source
from odapi.data.problems import Problems
from odapi.data.sources.open import open_source
from odapi.data.sources.sequence import SequenceSource
from odapi.data.sources.subset import Subset


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))


def voc_with(folder, *copies):
    """The VOC dataset with further images: copies of `a`, by name and objects."""
    spec = tiny_data.write_voc(folder)
    data = (folder / "JPEGImages" / "a.jpg").read_bytes()
    for name, objects in copies:
        (folder / "JPEGImages" / f"{name}.jpg").write_bytes(data)
        text = tiny_data.voc_xml("a", objects=objects, filename=f"{name}.jpg")
        (folder / "Annotations" / f"{name}.xml").write_text(text)
    return open_source(spec)


def record_with_a_copy(folder):
    folder.mkdir()
    again = tiny_data.features_of("a", **{"image/source_id": ["z"]})
    records = [*tiny_data.records(), tiny_data.example(again)]
    tiny_data.write_records(folder / "a.record", records)
    return open_source(f"tfrecord:{folder / 'a.record'}")


SAME, REVERSED = tiny_data.OBJECTS["a"], tiny_data.OBJECTS["a"][::-1]


@pytest.mark.parametrize(
    ("copies", "expected"),
    [
        ([], {}),
        ([("d", SAME)], {"same bytes": 1}),
        ([("d", REVERSED)], {"same bytes": 1}),  # The order of objects is no matter.
        ([("d", SAME[:1])], {"same bytes, other objects": 1}),
        ([("d", []), ("e", SAME)], {"same bytes": 1, "same bytes, other objects": 1}),
    ],
)
def test_copies_are_counted_by_inspect(copies, expected, tmp_path):
    report = inspect_source(voc_with(tmp_path, *copies))
    assert {p["kind"]: p["count"] for p in report.problems} == expected
    named = [f.check for f in report.findings]
    assert named == (["equal_images"] if copies else [])


def test_copies_in_records_and_in_arrays(tmp_path):
    source = record_with_a_copy(tmp_path / "records")
    assert Fingerprints(source).groups() == [[0, 3]]
    images = [np.full((8, 8, 3), value, np.uint8) for value in (1, 2, 1)]
    samples = [{"image": i, "boxes": np.zeros((0, 4)), "classes": []} for i in images]
    source = SequenceSource(samples, ["a"])
    assert Fingerprints(source).groups() == [[0, 2]]
    problems = Problems()
    assert count_copies(source, [[0, 2]], problems) == (1, 0)
    assert [(p.kind, p.first) for p in problems] == [("same bytes", ["2, same as 0"])]


def test_finding_of_copies(tmp_path):
    source = voc_with(tmp_path, ("d", SAME), ("e", []))
    [finding] = find_copies(source, Fingerprints(source))
    assert (finding.check, finding.is_error) == ("equal_images", False)
    assert finding.problem == (
        "2 of 5 images have the same bytes as another one, 1 of them with other "
        "objects, such as e, same as a"
    )


def shared(train, evaluation):
    return find_shared(Fingerprints(train), Fingerprints(evaluation))


def test_evaluation_images_among_the_training_images(tmp_path):
    train = voc_with(tmp_path / "voc")
    part = Subset(train, [1])
    [finding] = shared(train, part)  # By path.
    assert (
        finding.problem == "training images are evaluated, too: 1 of 1 image, such as b"
    )
    other = open_source(tiny_data.write_coco(tmp_path / "coco"))
    [finding] = shared(train, other)  # By bytes.
    assert finding.problem == (
        "training images are evaluated, too: 3 of 3 images, such as 1 (there a)"
    )
    records = open_source(tiny_data.write_tfrecord(tmp_path / "records"))
    [finding] = shared(records, part)  # Of another format.
    assert (
        finding.problem == "training images are evaluated, too: 1 of 1 image, such as b"
    )
    new = tmp_path / "new"
    tiny_data.write_voc(new)
    for seed, name in enumerate("abc", 20):
        image = tiny_data.encoded(".jpg", tiny_data.SIZES[name], seed)
        (new / "JPEGImages" / f"{name}.jpg").write_bytes(image)
    assert shared(train, open_source(f"voc:{new}")) == []  # The same names.


def test_bounded_work_says_how_far_it_went(tmp_path, monkeypatch):
    train = voc_with(tmp_path, ("d", SAME), ("e", []))
    monkeypatch.setattr(image_copies, "MAX_FILES", 4)
    part = Fingerprints(train, is_bounded=True)
    assert (part.checked, part.groups(), part.is_cut) == (4, [[0, 3]], True)
    [finding] = find_shared(part, Fingerprints(Subset(train, [0])))
    assert finding.problem.startswith(
        "training images are evaluated, too: at least 1 of 1 image, such as"
    )
    monkeypatch.setattr(image_copies, "MAX_FILES", 99)
    size = (tmp_path / "JPEGImages" / "a.jpg").stat().st_size
    monkeypatch.setattr(image_copies, "MAX_BYTES", 3 * size - 1)
    part = Fingerprints(train, is_bounded=True)
    assert (part.checked, part.groups(), part.is_cut) == (5, [], True)
    whole = Fingerprints(train)
    assert (whole.groups(), whole.is_cut) == ([[0, 3, 4]], False)


@pytest.mark.parametrize(
    ("prefix", "count", "found"), [("photo_", 10, 1), ("photo_", 9, 0), ("", 10, 0)]
)
def test_the_same_names_with_other_bytes_are_a_question(prefix, count, found, tmp_path):
    sources = []
    for part, seed in (("train", 0), ("val", 100)):
        folder = tmp_path / part
        folder.mkdir()
        for i in range(count):
            name = f"{prefix}{i}"
            image = tiny_data.encoded(".png", (8, 8), seed + i)
            (folder / f"{name}.png").write_bytes(image)
            text = tiny_data.voc_xml("a", (8, 8), [(0, (1, 1, 5, 5))], f"{name}.png")
            (folder / f"{name}.xml").write_text(text)
        sources.append(open_source(f"voc:{folder}"))
    findings = shared(*sources)
    assert len(findings) == found
    for finding in findings:
        assert finding.problem == (
            "10 of 10 images have the names of training images, such as photo_0, but "
            "other bytes: are they the same, encoded again?"
        )


def test_an_image_that_is_gone_is_left_out(tmp_path):
    source = voc_with(tmp_path, ("d", SAME), ("e", SAME))
    (tmp_path / "JPEGImages" / "d.jpg").unlink()
    assert Fingerprints(source).groups() == [[0, 4]]
