"""Every kind of bad data, made on purpose, with the outcome that the table says."""

import json

import numpy as np
import pytest
from PIL import Image

import tiny_data
from odapi.data.image.decode import decode_image
from odapi.data.problems import OUTCOMES, REFUSED
from odapi.data.sources import open_source
from odapi.errors import DataError
from odapi.labels import label_map_of

NAN = float("nan")


def coco(change):
    return lambda folder: tiny_data.write_coco(folder, change)


def with_box(box):
    return coco(lambda content: content["annotations"][0].update(bbox=box))


def voc_file(name, text):
    def write(folder):
        spec = tiny_data.write_voc(folder)
        (folder / "Annotations" / f"{name}.xml").write_text(text)
        return spec

    return write


def image_file(name, data):
    def write(folder):
        spec = tiny_data.write_voc(folder)
        (folder / "JPEGImages" / name).write_bytes(data)
        return spec

    return write


def names_another(folder):
    spec = tiny_data.write_voc(folder)
    text = tiny_data.voc_xml("b", filename="a.jpg")
    (folder / "Annotations" / "b.xml").write_text(text)
    return spec


def names_another_without_its_own(folder):
    spec = names_another(folder)
    (folder / "JPEGImages" / "b.jpg").unlink()
    return spec


def outside(folder):
    spec = tiny_data.write_voc(folder)
    (folder / "more").mkdir()
    (folder / "more" / "d.xml").write_text(tiny_data.voc_xml("a"))
    return spec


def long_row(folder):
    spec = tiny_data.write_csv(folder)
    with open(folder / "train_labels.csv", "a") as file:
        file.write("a,b.jpg,60,40,cat,6,10,36,30\n")
    return spec


def without_image(folder):
    spec = tiny_data.write_voc(folder)
    (folder / "JPEGImages" / "b.jpg").unlink()
    return spec


def record_file(change):
    def write(folder):
        spec = tiny_data.write_tfrecord(folder)
        file = folder / "data.record"
        file.write_bytes(change(bytearray(file.read_bytes())))
        return spec

    return write


def record_of(**features):
    def write(folder):
        folder.mkdir(exist_ok=True)
        first = tiny_data.example(tiny_data.features_of("a", **features))
        records = [first, *tiny_data.records()[1:]]
        tiny_data.write_records(folder / "data.record", records)
        return f"tfrecord:{folder / 'data.record'}"

    return write


def flipped(at):
    def flip(data):
        data[at] ^= 0xFF
        return data

    return flip


def turned_image(folder):
    spec = tiny_data.write_voc(folder)
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(tiny_data.pixels(60, 40))
    stored.save(folder / "JPEGImages" / "a.jpg", exif=exif)
    return spec


def keypoints(content):
    content["annotations"][0]["keypoints"] = [10, 10, 2, 20, 20, 2]
    content["annotations"][1]["keypoints"] = [10, 10, 2, 20]


def skeleton(content):
    content["categories"][0] |= {"keypoints": ["nose", "tail"], "skeleton": [[0, 1]]}
    keypoints(content)
    content["annotations"][1]["keypoints"] += [20, 2]


def masks(content):
    content["annotations"][0]["segmentation"] = [[6, 10, 36, 10, 36, 30]]
    content["annotations"][1]["segmentation"] = {"size": [40, 60], "counts": [1, 2]}


def same_image(content):
    content["images"].append(content["images"][0])


def same_annotation(content):
    content["annotations"].append(dict(content["annotations"][0]))


def unattached(content):
    content["annotations"].append(content["annotations"][0] | {"id": 9, "image_id": 7})


def label_of_image(content):
    content["annotations"].append({"id": 9, "image_id": 1, "category_id": 1})


def from_zero(content):
    for thing in content["annotations"]:
        thing["category_id"] -= 1
    for thing in content["categories"]:
        thing["id"] -= 1


def same_id(folder):
    folder.mkdir(exist_ok=True)
    records = [tiny_data.records()[0]] * 2 + tiny_data.records()[1:]
    tiny_data.write_records(folder / "data.record", records)
    return f"tfrecord:{folder / 'data.record'}"


def same_bytes(folder):
    spec = tiny_data.write_voc(folder)
    first = (folder / "JPEGImages" / "a.jpg").read_bytes()
    (folder / "JPEGImages" / "c.jpg").write_bytes(first)
    return spec


BROKEN_JPEG = tiny_data.encoded()[:400]

# kind: how to make it, and how many images and objects are read then.
CASES = {
    "corrupt image": (image_file("a.jpg", BROKEN_JPEG), 2, 1),
    "missing image": (without_image, 2, 2),
    "missing annotation": (image_file("new.jpg", tiny_data.encoded()), 3, 3),
    "annotation elsewhere": (outside, 3, 3),
    "file name of another image": (names_another, 3, 3),
    "image of two annotations": (names_another_without_its_own, 2, 2),
    "unreadable annotation": (voc_file("a", "<annotation><object>"), 2, 1),
    "corrupt record": (record_file(flipped(100)), 2, 1),
    "truncated record": (record_file(lambda data: data[:-3]), 2, 3),
    "lost bytes": (record_file(flipped(2)), 2, 1),
    "malformed row": (long_row, 3, 3),
    "NaN box": (with_box([NAN, 0, 10, 10]), 3, 2),
    "malformed box": (with_box([1, 2, 3]), 3, 2),
    "inverted box": (with_box([36, 30, -30, -20]), 3, 3),
    "box beyond the image": (with_box([-10, -10, 100, 30]), 3, 3),
    "box outside the image": (with_box([100, 100, 10, 10]), 3, 2),
    "box smaller than a pixel": (with_box([10, 10, 0.5, 10]), 3, 3),
    "box without area": (with_box([10, 10, 0, 10]), 3, 2),
    "malformed mask": (coco(masks), 3, 3),
    "malformed keypoints": (coco(keypoints), 3, 3),
    "malformed skeleton": (coco(skeleton), 3, 3),  # Counts from 0.
    "object without class": (
        coco(lambda c: c["annotations"][0].update(category_id=-1)),
        *(3, 2),
    ),
    "class id 0": (coco(from_zero), 3, 3),
    "wrong image size": (voc_file("a", tiny_data.voc_xml("a", (80, 120))), 3, 3),
    "EXIF orientation": (turned_image, 3, 3),
    "duplicate id": (same_id, 4, 5),
    "repeated image": (coco(same_image), 3, 3),
    "repeated annotation": (coco(same_annotation), 3, 3),
    "annotation without image": (coco(unattached), 3, 3),
    "image label": (coco(label_of_image), 3, 3),
}


def read_all(source):
    samples = []
    for i in range(len(source)):
        try:
            samples.append(source[i])
            np.asarray(samples[-1].get("masks", ()))  # Decoded only when looked at.
        except DataError:
            continue
    return samples


@pytest.mark.parametrize("kind", CASES)
def test_outcome(kind, tmp_path):
    make, images, objects = CASES[kind]
    source = open_source(make(tmp_path / "data"))
    samples = read_all(source)
    assert len(samples) == images
    assert sum(len(s["boxes"]) for s in samples) == objects
    assert [(p.kind, p.outcome, p.count) for p in source.problems] == [
        (kind, OUTCOMES[kind][0], 1)
    ]
    (problem,) = source.problems
    assert problem.first[0]
    for sample in samples:
        assert np.isfinite(sample["boxes"]).all()
        assert (sample["boxes"][:, 2:] > sample["boxes"][:, :2]).all()


def test_every_kind_has_a_case():
    elsewhere = {
        "damaged JPEG",  # below
        "unknown keypoint",  # test_keypoint_places.py
        "unknown class",  # below, and in the contract of sources
        "unknown class, dropped",  # the contract of sources
        "empty dataset",  # the contract of sources
        "same bytes",  # test_split_data.py, test_image_copies.py
        "same bytes, other objects",  # test_image_copies.py
        "unusable image",  # test_pipeline.py
        "more boxes than max_number_of_boxes",  # test_pad.py
        "image without context features",  # these four: test_context_records.py
        "context features of another length",
        "more context features than max_num_context_features",
        "frame without annotations",
        "keypoints without visibility",  # these five: test_keypoint_values.py
        "visibility other than 0, 1, 2",
        "unusable keypoint",
        "keypoint outside the image",
        "keypoints outside their box",
        "mask without a box",  # test_openimages.py
        "shape of another kind",  # test_cvat.py, test_labelme.py
        "missing split",  # these four: test_yolo_files.py
        "image without a label file",
        "unused label file",
        "classes without names",
        "box from mask",  # these five: test_object_masks.py
        "box from keypoints",
        "mask of another shape",
        "empty mask",
        "mask outside its box",
        "malformed number",  # test_coco_numbers.py
        "repeated object",  # test_set_checks.py
        "missing shard",  # test_record_files.py
    }
    assert set(CASES) | elsewhere == set(OUTCOMES)


def test_values_after_mending(tmp_path):
    source = open_source(CASES["inverted box"][0](tmp_path))
    box = source[0]["boxes"][0] * [40, 60, 40, 60]
    assert np.round(box, 3).tolist() == [10, 6, 30, 36]


def test_boxes_of_a_rescaled_image_still_fit(tmp_path):
    source = open_source(CASES["wrong image size"][0](tmp_path))
    box = source[0]["boxes"][0] * [80, 120, 80, 120]
    assert np.round(box, 3).tolist() == [10, 6, 30, 36]


def test_size_of_another_shape_takes_that_of_the_image(tmp_path):
    make = voc_file("a", tiny_data.voc_xml("a", (999, 100)))
    source = open_source(make(tmp_path))
    box = source[0]["boxes"][0] * [40, 60, 40, 60]
    assert np.round(box, 3).tolist() == [10, 6, 30, 36]
    assert source.problems.count("wrong image size") == 1


def test_size_zero_means_unknown(tmp_path):
    make = voc_file("a", tiny_data.voc_xml("a", (0, 0)))
    source = open_source(make(tmp_path))
    assert len(source[0]["boxes"]) == 2
    assert not source.problems


def test_turned_image_has_its_boxes_where_they_were_drawn(tmp_path):
    sample = open_source(turned_image(tmp_path))[0]
    assert sample["image"].shape == (40, 60, 3)
    expected = np.rot90(tiny_data.pixels(60, 40), -1).astype(int)
    assert np.abs(sample["image"] - expected).mean() < 4


def test_image_annotated_as_stored_is_not_turned(tmp_path):
    spec = turned_image(tmp_path)
    text = tiny_data.voc_xml("a", (60, 40))
    (tmp_path / "Annotations" / "a.xml").write_text(text)
    source = open_source(spec)
    assert source[0]["image"].shape == (60, 40, 3)
    assert [(p.kind, p.outcome) for p in source.problems if "EXIF" in p.kind] == [
        ("EXIF orientation", "kept")
    ]


def test_stray_bytes_in_a_jpeg_are_stepped_over(tmp_path):
    data = tiny_data.encoded()
    stray = data[:20] + b"stray" + data[20:]  # Behind the first segment.
    source = open_source(image_file("a.jpg", stray)(tmp_path))
    np.testing.assert_array_equal(source[0]["image"], decode_image(data))
    assert source.problems.count("damaged JPEG") == 1


@pytest.mark.parametrize("kind", ["coco", "tfrecord"])
def test_jpeg_of_unusual_chroma_subsampling_is_sound_in_every_reader(
    kind, shared, tmp_path
):
    file = shared / "cases/data/06-valid-jpeg-refused/sampling_3x1.jpg"
    if kind == "coco":
        spec = tiny_data.write_coco(
            tmp_path, lambda c: c["images"][0].update(height=64, width=96)
        )
        (tmp_path / "images" / "a.jpg").write_bytes(file.read_bytes())
    else:
        size = {"image__height": [64], "image__width": [96]}
        image = {"image__encoded": [file.read_bytes()]}
        spec = record_of(**size, **image)(tmp_path)
    source = open_source(spec)
    assert source[0]["image"].shape == (64, 96, 3)
    assert source.annotations(0)["size"] == (64, 96)
    assert source.encoded_sample(0)["encoded"] == file.read_bytes()
    assert not source.problems


def test_most_images_missing_is_refused_with_the_folders(tmp_path):
    spec = tiny_data.write_coco(tmp_path)
    for name in "ab":
        (tmp_path / "images" / f"{name}.jpg").unlink()
    with pytest.raises(DataError, match=r"2 of 3 images.*a\.jpg.*searched") as caught:
        open_source(spec)
    assert str(tmp_path / "images") in str(caught.value)
    source = open_source(f"{spec}?missing=skip")
    assert (len(source), source.problems.count("missing image")) == (1, 2)


def test_all_images_missing_is_refused_whatever_is_asked(tmp_path):
    spec = tiny_data.write_coco(tmp_path)
    for file in (tmp_path / "images").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="3 of 3 images"):
        open_source(f"{spec}?missing=skip")


def test_one_id_for_two_images_of_coco_is_refused(tmp_path):
    spec = tiny_data.write_coco(tmp_path, lambda c: c["images"][1].update(id=1))
    with pytest.raises(DataError, match=r"id 1 belongs to a\.jpg and to b\.jpg"):
        open_source(spec)


def test_unknown_class_number_is_that_of_the_file(tmp_path):
    spec = tiny_data.write_yolo(tmp_path)
    (tmp_path / "data.yaml").write_text("train: images\nnames: [cat]\n")
    with pytest.raises(DataError, match=r"'number 1, counted from 0' \(2 objects"):
        open_source(spec)


@pytest.mark.parametrize("label", [-1, 0, 7])
def test_ids_of_records_that_no_class_has(label, tmp_path):
    features = {
        "image__object__class__text": [],
        "image__object__class__label": [label, 2],
    }
    spec = record_of(**features)(tmp_path)
    others = {"image__object__class__text": []}
    rest = [tiny_data.features_of(n, **others) for n in "bc"]
    first = tiny_data.features_of("a", **features)
    records = [tiny_data.example(f) for f in (first, *rest)]
    tiny_data.write_records(tmp_path / "data.record", records)
    if label < 0:
        source = open_source(spec, label_map_of(["cat", "dog"]))
        assert source[0]["classes"].tolist() == [1]
        assert source.problems.count("object without class") == 1
        return
    with pytest.raises(DataError, match=f"'id {label}'"):
        open_source(spec, label_map_of(["cat", "dog"]))


def test_ids_from_0_without_a_label_map_are_shifted(tmp_path):
    text = {"image__object__class__text": []}
    a = tiny_data.features_of("a", image__object__class__label=[0, 1], **text)
    b = tiny_data.features_of("b", image__object__class__label=[1], **text)
    records = [tiny_data.example(a), tiny_data.example(b)]
    tiny_data.write_records(tmp_path / "x.record", records)
    source = open_source(f"tfrecord:{tmp_path / 'x.record'}")
    assert [(c.id, c.name) for c in source.label_map] == [
        (1, "class 1"),
        (2, "class 2"),
    ]
    assert source[0]["classes"].tolist() == [0, 1]
    assert source.problems.count("class id 0") == 1


def test_category_0_without_objects_is_left_out(tmp_path):
    def change(content):
        root = {"id": 0, "name": "objects", "supercategory": "none"}
        content["categories"].insert(0, root)

    source = open_source(tiny_data.write_coco(tmp_path, change))
    assert [c.name for c in source.label_map] == ["cat", "dog"]
    assert not source.problems


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "is a list of COCO results"),
        ('{"images": []}', "categories"),
        (
            json.dumps({"images": [], "annotations": [], "categories": [{"id": "x"}]}),
            "needs an id and a name",
        ),
        (
            json.dumps({"images": [{"id": 1}], "categories": [], "annotations": []}),
            "has no file_name",
        ),
    ],
)
def test_what_is_no_coco_file_is_refused(text, message, tmp_path):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=message):
        open_source(f"coco:{tmp_path / 'x.json'}")


def test_refused_kinds_are_the_ones_that_raise():
    refused = {k for k, (outcome, _) in OUTCOMES.items() if outcome == REFUSED}
    assert refused == {"unknown class", "empty dataset"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "dataset '': has no path\n"
         "  hint: the current folder is '.', as in coco:."),
        ("coco:", "dataset 'coco:': has no path\n"
         "  hint: the current folder is '.', as in coco:."),
        ("coco:/dev/null", "/dev/null: is neither a file nor a folder"),
        ("csv:/dev/null", "/dev/null: is neither a file nor a folder"),
        ("csv:none", "none: no such file or folder"),
    ],
)  # fmt: skip
def test_paths_that_name_no_dataset(spec, message):
    with pytest.raises(DataError) as caught:
        open_source(spec)
    assert str(caught.value) == message
