"""YOLO: label files, splits, paths and class names are found where tools leave them."""

import unicodedata

import pytest

import tiny_data
from odapi.data.sources.open import open_source
from odapi.errors import DataError

LINE = "0 0.5 0.5 0.2 0.4\n"
NAMES = "names: [cat, dog]\n"
NFD = unicodedata.normalize("NFD", "café")


def write(folder, *images, **files):
    """Writes images, and text files by their path with `/` for `__`."""
    for image in images:
        path = folder / image
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiny_data.encoded(".png", (20, 30)))
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def objects(spec, label_map=None):
    source = open_source(spec, label_map)
    return {
        source.path(i).name: len(source.annotations(i)["boxes"])
        for i in range(len(source))
    }


def problems(spec):
    return {p.kind: p.count for p in open_source(spec).problems}


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("train/images/a.png", "train/labels/a.txt"),
        ("train/images/a.png", "train/Labels/a.txt"),
        ("train/Images/a.png", "train/LABELS/a.TXT"),
        ("Images/Train/a.png", "labels/train/a.txt"),
        ("train/images/a.png", "train/labels/A.Txt"),
        ("train/images/IMG_1.PNG", "train/labels/img_1.txt"),
        ("train/JPEGImages/a.png", "train/labels/a.txt"),
        ("train/imgs/a.png", "train/labels/a.txt"),
        ("train/a.png", "train/labels/a.txt"),
        ("train/a.png", "train/a.TXT"),
        ("train/images/x/a.png", "train/labels/x/a.txt"),
        ("train/images/écran 1.png", "train/labels/%C3%A9cran%201.txt"),
        ("train/images/%C3%A9cran%201.png", "train/labels/écran 1.txt"),
        (f"train/images/{NFD}.png", "train/labels/café.txt"),
        ("train/images/café.png", f"train/labels/{NFD}.txt"),
    ],
)
def test_label_files_are_found(image, label, tmp_path):
    write(tmp_path, image, **{label: LINE, "classes.txt": "cat\n"})
    spec = f"yolo:{tmp_path}"
    assert list(objects(spec).values()) == [1]
    assert problems(spec) == {}


def test_an_exact_name_takes_precedence_over_other_spellings(tmp_path):
    write(
        tmp_path, "images/café.png", f"images/{NFD}.png",
        **{"labels__café.txt": LINE, "classes.txt": "cat\n"},
    )  # fmt: skip
    spec = f"yolo:{tmp_path}"
    assert objects(spec) == {"café.png": 1, f"{NFD}.png": 0}
    assert problems(spec) == {"image without a label file": 1}


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (
            {"train__labels_yolo__a.txt": LINE},
            r"in other folders: 1, such as .*labels_yolo/a\.txt",
        ),
        (
            {"train__labels__b.txt": LINE},
            r"of other names .*: 1, such as .*labels/b\.txt",
        ),
        ({}, r"searched .*train/labels \(no such folder\), .*train/images"),
        (
            {"train__labels__classes.txt": "cat"},
            r"no label file for any of its images \(1\)",
        ),
    ],
)
def test_a_dataset_without_label_files_is_refused(labels, found, tmp_path):
    yaml = f"train: train/images\nval: train/images\n{NAMES}"
    write(tmp_path, "train/images/a.png", **{"data.yaml": yaml}, **labels)
    with pytest.raises(DataError, match=found) as error:
        open_source(f"yolo:{tmp_path}?split=train")
    assert "an empty txt file means an image without objects" in error.value.hint


def test_empty_label_files_are_images_without_objects(tmp_path):
    write(tmp_path, "images/a.png", **{"labels__a.txt": ""})
    assert problems(f"yolo:{tmp_path}") == {"classes without names": 1}


def test_images_without_a_label_file_and_unused_label_files_are_counted(tmp_path):
    write(
        tmp_path, "images/a.png", "images/b.png",
        **{
            "labels__a.txt": LINE, "labels__frame.txt": LINE, "old__a.txt": LINE,
            "README.txt": "1 2 3 4 5", "notes.txt": "see above", "classes.txt": "cat",
        },
    )  # fmt: skip
    spec = f"yolo:{tmp_path}"
    assert objects(spec) == {"a.png": 1, "b.png": 0}
    found = {p.kind: p.first for p in open_source(spec).problems}
    assert found == {
        "image without a label file": ["b.png"],
        "missing image": ["of frame.txt; b.png has no label file"],
        "unused label file": [str(tmp_path / "old" / "a.txt")],
    }


def test_label_files_of_other_splits_are_not_unused(tmp_path):
    write(
        tmp_path, "train/images/a.png", "val/images/b.png",
        **{"train__labels__a.txt": LINE, "val__labels__b.txt": LINE},
        **{"classes.txt": "cat"},
    )  # fmt: skip
    assert problems(f"yolo:{tmp_path}?split=train") == {}
    assert problems(f"yolo:{tmp_path}") == {}


@pytest.mark.parametrize(
    ("yaml", "options"),
    [
        ("train: Project-1/train/images", ""),  # Of Roboflow's notebooks.
        ("train: ../Project-1/train/images", ""),
        ("train: ../other/train/images/", ""),  # The name that the folder had.
        ("train: ../train/images", ""),
        ("train: /home/me/Project-1/train/images", ""),
        ("train: C:\\Users\\me\\train\\images", ""),
        ("path: /home/me/set\ntrain: train/images", ""),
        ("path: ../datasets/Project-1\ntrain: train/images", ""),
        ("train: TRAIN/Images", ""),
        ("train: ./train/images", ""),
        ("train: /nowhere", "?images=train/images"),
        ("nc: 2", "?images=train"),
        ("train: train.txt", "?split=train"),
        ("train: data/train.txt", "?split=train"),
    ],
)
def test_paths(yaml, options, tmp_path, monkeypatch):
    folder = tmp_path / "Project-1"
    write(
        folder, "train/images/a.png",
        **{
            "train__labels__a.txt": LINE, "data.yaml": f"{yaml}\n{NAMES}",
            "train.txt": "data/train/images/a.png\n",
        },
    )  # fmt: skip
    assert objects(f"yolo:{folder}{options}") == {"a.png": 1}
    monkeypatch.chdir(folder)
    assert objects(f"yolo:data.yaml{options}") == {"a.png": 1}
    assert problems(f"yolo:.{options}") == {}


@pytest.mark.parametrize(
    "line",
    [
        "images/a.png",
        "./images/a.png",
        "data/images/a.png",
        "/home/me/set/images/a.png",
        "D:\\set\\images\\a.png",
        "images\\a.png",
        "images/my%20a.png",
    ],
)
def test_lines_of_lists(line, tmp_path):
    name = "my a" if "my" in line else "a"
    write(
        tmp_path, f"images/{name}.png", "images/b.png",
        **{
            f"labels__{name}.txt": LINE, "labels__b.txt": LINE, "train.txt": line,
            "data.yaml": f"train: train.txt\n{NAMES}",
        },
    )  # fmt: skip
    assert objects(f"yolo:{tmp_path}") == {f"{name}.png": 1}


def test_two_splits_do_not_become_the_same_folder(tmp_path):
    yaml = f"train: /data/one/images\nval: /data/two/images\n{NAMES}"
    write(tmp_path, "images/a.png", **{"labels__a.txt": LINE, "data.yaml": yaml})
    with pytest.raises(DataError, match="'/data/one/images' and '/data/two/images'"):
        open_source(f"yolo:{tmp_path}")


def test_each_searched_place_is_named_once(tmp_path, monkeypatch):
    write(tmp_path, "images/a.png", **{"data.yaml": f"train: x/y\n{NAMES}"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        open_source("yolo:data.yaml")
    assert error.value.place == "data.yaml:1"
    assert error.value.problem == (
        f"'x/y' does not exist; searched ., {tmp_path.parent}"
    )
    with pytest.raises(DataError, match=r"images=z is no folder; searched z$"):
        open_source("yolo:data.yaml?images=z")


@pytest.mark.parametrize(
    ("yaml", "split", "found"),
    [
        ("Train: Train.txt\nValidation: Validation.txt\n", "", ["a", "b"]),
        ("Train: Train.txt\nValidation: Validation.txt\n", "?split=Validation", ["b"]),
        ("Train: Train.txt\nValidation: Validation.txt\n", "?split=val", ["b"]),
        ("train: images/Train\nvalid: images/Validation\n", "?split=val", ["b"]),
        ("night: images/Validation\n", "", ["b"]),
        ("train: images/Train\nnight: images/Validation\n", "?split=night", ["b"]),
        # A split of another name may repeat images of the usual ones.
        ("train: images/Train\nnight: images/Validation\n", "", ["a"]),
    ],
)
def test_splits(yaml, split, found, tmp_path):
    write(
        tmp_path, "images/Train/a.png", "images/Validation/b.png",
        **{
            "labels__Train__a.txt": LINE, "labels__Validation__b.txt": LINE,
            "Train.txt": "data/images/Train/a.png\n",
            "Validation.txt": "data/images/Validation/b.png\n",
            "data.yaml": f"{yaml}path: .\n{NAMES}download: images/x.zip\n",
        },
    )  # fmt: skip
    assert open_source(f"yolo:{tmp_path}{split}").image_ids == found


def test_datasets_lie_in_a_folder_datasets(tmp_path):
    yaml = f"path: coco8 # of Ultralytics\ntrain: images/train\n{NAMES}"
    write(
        tmp_path, "datasets/coco8/images/train/a.png",
        **{"datasets__coco8__labels__train__a.txt": LINE, "coco8.yaml": yaml},
    )  # fmt: skip
    assert objects(f"yolo:{tmp_path}/coco8.yaml") == {"a.png": 1}


def test_test_images_that_do_not_exist_are_counted(tmp_path):
    yaml = (
        f"train: ../train/images\nval: ../valid/images\ntest: ../test/images\n{NAMES}"
    )
    names = ("train", "valid")
    write(
        tmp_path, *(f"{name}/images/{name}.png" for name in names),
        **{f"{name}__labels__{name}.txt": LINE for name in names},
        **{"data.yaml": yaml},
    )  # fmt: skip
    source = open_source(f"yolo:{tmp_path}")
    assert source.image_ids == ["train", "valid"]
    assert [(p.kind, p.outcome, p.first) for p in source.problems] == [
        ("missing split", "skipped", [f"{tmp_path}/data.yaml:3 ('../test/images')"])
    ]
    for options in ("?split=test", ""):  # Asked for; the only one.
        with pytest.raises(DataError, match=r"'\.\./test/images' does not exist"):
            open_source(f"yolo:{tmp_path}{options}")
        (tmp_path / "data.yaml").write_text(f"test: ../test/images\n{NAMES}")
    (tmp_path / "data.yaml").write_text(yaml.replace("valid", "validation"))
    with pytest.raises(DataError, match=r"'\.\./validation/images' does not exist"):
        open_source(f"yolo:{tmp_path}")


def test_the_folder_of_images_is_enough(tmp_path):
    line = LINE.replace("0", "2", 1)
    write(tmp_path, "train/images/a.png", **{"train__labels__a.txt": line})
    spec = f"yolo:{tmp_path}/train/images"
    names = [c.name for c in open_source(spec).label_map]
    assert names == ["class 0", "class 1", "class 2"]
    write(tmp_path, **{"data.yaml": "train: train/images\nnames: [x, y, z]\n"})
    assert [c.name for c in open_source(spec).label_map] == ["x", "y", "z"]


def test_a_data_yaml_far_above_is_not_read(tmp_path):
    write(
        tmp_path, "sets/one/a.png",
        **{"sets__one__a.txt": LINE, "data.yaml": "- settings of another program\n"},
    )  # fmt: skip
    assert objects(f"yolo:{tmp_path}/sets/one") == {"a.png": 1}


def test_a_split_that_is_missing_names_those_that_exist(tmp_path):
    write(tmp_path, "images/a.png", **{"data.yaml": f"train: images\n{NAMES}"})
    with pytest.raises(DataError, match="has no split 'val'; it has train"):
        open_source(f"yolo:{tmp_path}?split=val")
    (tmp_path / "data.yaml").write_text(f"Val: nowhere.txt\n{NAMES}")
    with pytest.raises(DataError, match=r"names no images.*it has Val, names"):
        open_source(f"yolo:{tmp_path}")


@pytest.mark.parametrize(
    ("where", "split"),
    [
        ("classes.txt", ""),
        ("labels__train__classes.txt", ""),
        ("labels__classes.txt", "?split=train"),
        ("labels__train__obj.names", "?split=train"),
        ("images__train__classes.txt", "?split=train"),
    ],
)
def test_class_names_beside_the_data(where, split, tmp_path):
    write(
        tmp_path, "images/train/a.png",
        **{"labels__train__a.txt": LINE, where: "virus\nnormal\n\n"},
    )  # fmt: skip
    source = open_source(f"yolo:{tmp_path}{split}")
    assert [c.name for c in source.label_map] == ["virus", "normal"]
    assert not source.problems


def test_files_of_class_names_that_differ_are_refused(tmp_path):
    write(
        tmp_path, "train/images/a.png", "val/images/b.png",
        **{
            "train__labels__a.txt": LINE, "train__labels__classes.txt": "cat\ndog\n",
            "val__labels__b.txt": LINE, "val__labels__classes.txt": "dog\ncat\n",
        },
    )  # fmt: skip
    with pytest.raises(DataError, match=r"names the classes dog, cat, but .* cat, dog"):
        open_source(f"yolo:{tmp_path}")
    source = open_source(f"yolo:{tmp_path}?split=val")
    assert [c.name for c in source.label_map] == ["dog", "cat"]


def test_an_empty_line_between_class_names_is_refused(tmp_path):
    write(
        tmp_path, "images/a.png", **{"labels__a.txt": LINE, "classes.txt": "a\n\nb\n"}
    )
    with pytest.raises(DataError, match=r"classes\.txt:2: is empty; line 1 names"):
        open_source(f"yolo:{tmp_path}")


def test_classes_without_names_are_numbered_and_counted(tmp_path):
    write(tmp_path, "images/a.png", **{"labels__a.txt": "2 0.5 0.5 0.2 0.4\n"})
    source = open_source(f"yolo:{tmp_path}")
    assert [c.name for c in source.label_map] == ["class 0", "class 1", "class 2"]
    assert [(p.kind, p.first) for p in source.problems] == [
        ("classes without names", [str(tmp_path)])
    ]
    (tmp_path / "data.yaml").write_text("train: images\nnc: 5\n")
    assert len(open_source(f"yolo:{tmp_path}").label_map) == 5


@pytest.mark.parametrize("path", ["", "/obj.data"])
def test_darknet(path, tmp_path):
    write(
        tmp_path, "obj_train_data/a.png",
        **{
            "obj.data": "classes = 2\ntrain = data/train.txt\n# no validation\n"
            "names = data/obj.names\nbackup = backup/\n",
            "obj.names": "cat\ndog\n", "train.txt": "data/obj_train_data/a.png\n",
            "obj_train_data__a.txt": LINE,
        },
    )  # fmt: skip
    source = open_source(f"yolo:{tmp_path}{path}")
    assert [c.name for c in source.label_map] == ["cat", "dog"]
    assert source.image_ids == ["a"]
    assert not source.problems
    (tmp_path / "obj.data").write_text("classes = 2\ntrain\n")
    with pytest.raises(DataError, match=r"obj\.data:2: must be key = value"):
        open_source(f"yolo:{tmp_path}{path}")


def test_a_split_finds_the_data_yaml_above(tmp_path):
    about = "train: nowhere\ntest: ../test/images\nkpt_shape: [1, 3]\n"
    write(
        tmp_path, "test/images/a.png",
        **{
            "test__labels__a.txt": "0 0.5 0.5 0.2 0.4 0.5 0.5 2\n",
            "data.yaml": f"{about}names: [person]\n",
        },
    )  # fmt: skip
    source = open_source(f"yolo:{tmp_path / 'test'}")
    assert [c.name for c in source.label_map] == ["person"]
    assert source[0]["keypoints"].tolist() == [[[0.5, 0.5]]]


def test_a_data_yaml_above_that_describes_other_folders_is_not_used(tmp_path):
    write(
        tmp_path, "one/images/a.png", "two/images/a.png",
        **{"one__labels__a.txt": LINE, "data.yaml": f"train: two/images\n{NAMES}"},
    )  # fmt: skip
    source = open_source(f"yolo:{tmp_path / 'one'}")
    assert [c.name for c in source.label_map] == ["class 0"]


def test_a_list_is_a_split_of_a_folder_without_data_yaml(tmp_path):
    write(
        tmp_path, "images/a.png", "images/b.png",
        **{
            "labels__a.txt": LINE, "labels__b.txt": LINE, "classes.txt": "cat",
            "night.txt": "images/b.png\n",
        },
    )  # fmt: skip
    assert objects(f"yolo:{tmp_path}?split=night") == {"b.png": 1}


@pytest.mark.parametrize("name", ["data.yaml", "Data.YAML", "coco.yml"])
def test_settings_of_programs_are_no_descriptions(name, tmp_path):
    write(
        tmp_path, "images/a.png",
        **{
            "labels__a.txt": LINE, name: f"train: images\n{NAMES}",
            "args.yaml": "task: detect\nmode: train\n", ".hidden.yaml": "names: [x]",
        },
    )  # fmt: skip
    source = open_source(f"yolo:{tmp_path}")
    assert [c.name for c in source.label_map] == ["cat", "dog"]


def test_two_descriptions_are_refused(tmp_path):
    about = f"train: images\n{NAMES}"
    write(
        tmp_path, "images/a.png",
        **{"labels__a.txt": LINE, "coco.yaml": about, "voc.yaml": about},
    )  # fmt: skip
    with pytest.raises(DataError, match=r"several descriptions: coco\.yaml, voc\.yaml"):
        open_source(f"yolo:{tmp_path}")
    assert objects(f"yolo:{tmp_path}/voc.yaml") == {"a.png": 1}
