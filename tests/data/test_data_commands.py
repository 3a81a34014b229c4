"""`odapi data inspect|split|convert`, as a user calls them."""

import json
import os

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

import tiny_data
from odapi.cli.data import app
from odapi.config.label_map import load_label_map, save_label_map
from odapi.data.inspect import inspect_source, typical_images
from odapi.data.inspect_tables import bar
from odapi.data.sources import open_source
from odapi.errors import DataError, OutputError
from odapi.labels import label_map_of


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result


@pytest.fixture
def broken(tmp_path):
    """A dataset of which one image is corrupt and one box has no area."""
    spec = tiny_data.write_coco(
        tmp_path / "in", lambda c: c["annotations"][0].update(bbox=[1, 1, 0, 5])
    )
    (tmp_path / "in" / "images" / "b.jpg").write_bytes(b"no image")
    return spec


def test_report_counts(tmp_path):
    report = inspect_source(open_source(tiny_data.write_voc(tmp_path)))
    found = report.as_dict()
    assert found["images"] == 3
    assert found["empty"] == 1
    assert found["objects"] == 3
    assert found["classes"] == {"cat": 1, "dog": 2}
    assert found["class_images"] == {"cat": 1, "dog": 2}
    assert found["sizes"] == [
        {"height": 40, "width": 60, "images": 2},
        {"height": 60, "width": 40, "images": 1},
    ]
    assert found["objects_per_image"] == {0: 1, 1: 1, 2: 1}
    # Boxes of 20 x 30, 20 x 30 and 30 x 20 pixels in 2400: half of the side.
    assert found["box_areas"] == {"small": 3, "medium": 0, "large": 0}
    assert found["box_shares"]["0.5"] == 3
    assert report.objects_in_bins() == {
        **{"0": 1, "1": 1, "2-4": 1, "5-9": 0, "10-19": 0},
        **{"20-49": 0, "50-99": 0, "100+": 0},
    }
    json.dumps(found)


def test_report_without_decoding_counts_the_same(tmp_path):
    source = open_source(tiny_data.write_voc(tmp_path))
    assert inspect_source(source, decode=False) == inspect_source(source)


def test_report_counts_what_cannot_be_used(broken):
    source = open_source(broken)
    report = inspect_source(source)
    assert (report.images, report.unusable, report.objects) == (2, 1, 1)
    assert [p["kind"] for p in report.problems] == ["box without area", "corrupt image"]


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, ""), (1, "████"), (0.5, "██"), (1 / 32, "▏"), (2, "████")],
)
def test_bar(share, expected):
    assert bar(share, 4) == expected


def test_typical_images_show_every_class(tmp_path):
    source = open_source(tiny_data.write_voc(tmp_path))
    for seed in range(5):
        assert 0 in typical_images(source, 2, seed)  # The only cat.
    assert typical_images(source, 9) == [0, 1, 2]


def test_inspect_prints_counts_and_the_next_step(tmp_path):
    spec = tiny_data.write_yolo(tmp_path)
    result = run("inspect", spec)
    assert result.exit_code == 0
    for text in ("images", "cat", "dog", "60 x 40", "No problems found", "Next: odapi"):
        assert text in result.output


def test_inspect_writes_report_and_mosaic(broken, tmp_path):
    result = run("inspect", broken, "--output", tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["images"] == 2
    assert {p["kind"]: p["first"] for p in report["problems"]}["corrupt image"]
    image = cv2.imread(str(tmp_path / "out" / "mosaic.png"))
    assert min(image.shape[:2]) > 200
    assert "corrupt image" in result.output


def test_inspect_strict_fails_on_a_problem(broken, tmp_path):
    assert run("inspect", broken).exit_code == 0
    assert run("inspect", broken, "--strict").exit_code == 1
    sound = tiny_data.write_voc(tmp_path / "sound")
    assert run("inspect", sound, "--strict").exit_code == 0


def test_inspect_refuses_what_cannot_be_opened(tmp_path):
    with pytest.raises(DataError):
        run("inspect", f"coco:{tmp_path / 'none.json'}")


def config_of(spec):
    return f"""
    model {{ ssd {{ num_classes: 2
      image_resizer {{ fixed_shape_resizer {{ height: 64 width: 64 }} }} }} }}
    train_config {{ batch_size: 2
      data_augmentation_options {{ random_horizontal_flip {{}} }}
      data_augmentation_options {{ ssd_random_crop {{}} }} }}
    [odapi.options] {{ train_data: "{spec}" eval_data: "{spec}" }}
    """


def test_inspect_of_a_config_shows_the_augmentation(tmp_path):
    spec = tiny_data.write_coco(tmp_path / "in")
    file = tmp_path / "pipeline.config"
    file.write_text(config_of(spec))
    result = run("inspect", file, "--output", tmp_path / "out")
    train = cv2.imread(str(tmp_path / "out" / "train" / "mosaic.png"))
    held_out = cv2.imread(str(tmp_path / "out" / "eval" / "mosaic.png"))
    assert train.shape[1] > held_out.shape[1]  # Each image twice.
    assert f"Next: odapi train {file}" in result.output
    again = run("inspect", file, "--output", tmp_path / "again")
    assert again.exit_code == 0
    same = cv2.imread(str(tmp_path / "again" / "train" / "mosaic.png"))
    np.testing.assert_array_equal(train, same)


@pytest.fixture
def many(tmp_path):
    """Thirty images of two classes."""
    folder = tmp_path / "many"
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    for i in range(30):
        data = tiny_data.encoded(seed=i)
        (folder / "JPEGImages" / f"{i}.jpg").write_bytes(data)
        text = tiny_data.voc_xml("a", objects=[(i % 2, (0, 0, 20, 20))])
        text = text.replace("a.jpg", f"{i}.jpg")
        (folder / "Annotations" / f"{i}.xml").write_text(text)
    return f"voc:{folder}"


@pytest.mark.parametrize("to", [None, "coco", "voc", "yolo", "tfrecord"])
def test_split_writes_parts_that_can_be_opened(to, many, tmp_path):
    more = ["--to", to] if to else []
    result = run("split", many, "--output", tmp_path / "out", *more)
    lines = dict(
        line.split(": ", 1) for line in result.output.splitlines() if ": " in line
    )
    ids = {}
    for name, size in (("train", 24), ("val", 3), ("test", 3)):
        part = open_source(lines[name])
        assert len(list(part)) == size
        ids[name] = {s["image"].tobytes() for s in part}
    assert len(ids["train"] | ids["val"] | ids["test"]) == 30
    assert (tmp_path / "out" / "label_map.pbtxt").is_file()
    assert "Next: odapi train CONFIG --train-data" in result.output


def test_split_takes_shares_and_seed(many, tmp_path):
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        arguments = ("--shares", "50/50", "--seed", seed)
        run("split", many, "--output", tmp_path / name, *arguments)
    texts = {
        n: (tmp_path / n / "train.json").read_text() for n in ("one", "same", "other")
    }
    assert texts["one"] == texts["same"] != texts["other"]
    assert not (tmp_path / "one" / "test.json").exists()


def test_a_folder_with_files_is_not_written_to(many, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious.txt").write_text("mine")
    for command in (["split", many], ["convert", many, "--to", "voc"]):
        with pytest.raises(OutputError) as caught:
            run(*command, "--output", tmp_path / "out")
        assert str(caught.value) == (
            f"{tmp_path}/out: has files that odapi did not write: precious.txt\n"
            f"  hint: choose a new folder, such as {tmp_path}/out-2"
        )


@pytest.mark.parametrize(
    "command",
    [
        ["convert", "--to", "coco"],
        ["convert", "--to", "voc"],
        ["convert", "--to", "yolo"],
        ["convert", "--to", "tfrecord"],
        ["split"],
        ["split", "--to", "tfrecord"],
        ["inspect"],
        ["keypoints"],
    ],
)
def test_impossible_outputs_are_refused_before_data_is_read(command, tmp_path):
    (tmp_path / "file").touch()
    verb, *more = command
    with pytest.raises(OutputError) as caught:
        run(verb, "coco:gone.json", *more, "--output", tmp_path / "file" / "a")
    assert str(caught.value) == (
        f"{tmp_path}/file/a: cannot be written: {tmp_path}/file is a file\n"
        "  hint: choose a folder that exists or can be made, and that you may write to"
    )


def test_a_record_is_not_written_over_a_folder(tmp_path):
    (tmp_path / "annotations").mkdir()
    with pytest.raises(OutputError) as caught:
        run("convert", "coco:gone.json", "--to", "tfrecord", "--output",
            tmp_path / "annotations")  # fmt: skip
    assert caught.value.problem == "is a folder; a file is needed"
    assert caught.value.hint == f"name a file in it: {tmp_path}/annotations/NAME"


@pytest.mark.parametrize("verb", ["convert", "split"])
def test_a_dataset_of_odapi_is_not_replaced(verb, many, tmp_path):
    more = ["--to", "yolo", "--output", tmp_path / "v1.0"]
    run(verb, many, *more)
    with pytest.raises(OutputError, match="is a dataset that odapi wrote, which is"):
        run(verb, many, *more)
    assert (tmp_path / "v1.0" / "label_map.pbtxt").is_file()


def test_a_report_is_replaced(many, tmp_path):
    for name in ("one", "one", "two"):
        run("inspect", many, "--output", tmp_path / name)
    (tmp_path / "two" / "mosaic.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"changed since odapi wrote them: mosaic"):
        run("inspect", many, "--output", tmp_path / "two")


@pytest.mark.parametrize("to", ["coco", "voc", "yolo", "tfrecord"])
def test_convert_names_what_it_wrote(to, tmp_path):
    spec = tiny_data.write_coco(tmp_path / "in")
    output = tmp_path / "out" / ("x.record" if to == "tfrecord" else "")
    result = run("convert", spec, "--to", to, "--output", output)
    line = next(x for x in result.output.splitlines() if x.startswith("3 images"))
    made = line.split(": ", 1)[1]
    assert len(list(open_source(made))) == 3
    assert (tmp_path / "out" / "label_map.pbtxt").is_file()
    assert "Next: odapi data inspect" in result.output


@pytest.mark.parametrize("kind", ["coco", "tfrecord"])
def test_a_label_map_of_classes_alone_keeps_the_names_of_keypoints(kind, tmp_path):
    def named(content):
        for category, number in zip(content["categories"], (2, 1), strict=True):
            category["keypoints"] = ["left", "right"][:number]
        content["annotations"][0]["keypoints"] = [10, 15, 2, 20, 25, 1]
        content["annotations"][1]["keypoints"] = [40, 10, 2]
        content["annotations"][2]["keypoints"] = [12, 20, 2]

    spec = tiny_data.write_coco(tmp_path / "in", named)
    if kind == "tfrecord":
        run("convert", spec, "--to", kind, "--output", tmp_path / "r" / "x.record")
        spec = f"tfrecord:{tmp_path / 'r' / 'x.record'}"
    classes = tmp_path / "classes.pbtxt"
    save_label_map(label_map_of(["dog", "cat"]), classes)
    output = tmp_path / "out"
    run("convert", spec, "--to", "coco", "--label-map", classes, "--output", output)
    content = json.loads((output / "annotations.json").read_text())
    names = {c["name"]: (c["id"], c["keypoints"]) for c in content["categories"]}
    assert names == {"dog": (1, ["left"]), "cat": (2, ["left", "right"])}
    found = [(a["category_id"], a["keypoints"]) for a in content["annotations"]]
    assert found == [
        (2, [10, 15, 2, 20, 25, 1]),
        (1, [40, 10, 2]),
        (1, [12, 20, 2]),
    ]


@pytest.mark.parametrize("verb", ["inspect", "convert", "split"])
def test_every_command_names_a_mistake_of_the_whole_set(verb, tmp_path):
    def shares(content):
        for annotation in content["annotations"]:
            annotation["bbox"] = [0.1, 0.1, 0.5, 0.5]

    spec = tiny_data.write_coco(tmp_path / "data", shares)
    more = {"convert": ["--to", "voc"], "split": ["--shares", "50/50"]}.get(verb, [])
    more += [] if verb == "inspect" else ["--output", str(tmp_path / "out")]
    result = run(verb, spec, *more)
    assert "no box reaches beyond 0.6 pixels" in result.output.replace("\n", " ")
    assert "No problems found" not in result.output


def test_convert_tells_what_is_lost(shared, tmp_path):
    file = shared / "data/coco_mini/annotations/instances_val2017.json"
    result = run("convert", f"coco:{file}", "--to", "voc", "--output", tmp_path / "o")
    assert "Not written" in result.stderr
    assert "masks" in result.stderr


@pytest.mark.parametrize(
    ("write", "kind", "name", "shards"),
    [
        (tiny_data.write_tfrecord, "tfrecord", "data.record", "1"),
        (tiny_data.write_coco, "coco", "data.json", "1"),
        (tiny_data.write_voc, "tfrecord", "x.record", "2"),
    ],
)
def test_convert_never_replaces_a_file(write, kind, name, shards, tmp_path):
    spec = write(tmp_path)
    there = tmp_path / (name if shards == "1" else f"{name}-00001-of-00002")
    if not there.exists():
        there.write_bytes(b"mine")
    before = there.read_bytes()
    arguments = ("--to", kind, "--output", str(tmp_path / name), "--shards", shards)
    with pytest.raises(OutputError) as caught:
        run("convert", spec, *arguments)
    assert (caught.value.place, caught.value.problem) == (str(there), "exists already")
    assert there.read_bytes() == before


MAP = """# Ours since 2019.
item { id: 3 name: "dog" }
item { id: 7 name: "cat" }
item { id: 9 name: "bird" }
"""


@pytest.mark.parametrize("kind", ["tfrecord", "coco"])
def test_convert_takes_the_ids_of_a_label_map_beside_the_file(kind, tmp_path):
    spec, out = tiny_data.write_voc(tmp_path / "in"), tmp_path / "annotations"
    out.mkdir()
    (out / "label_map.pbtxt").write_text(MAP)
    file = out / ("val.record" if kind == "tfrecord" else "val.json")
    run("convert", spec, "--to", kind, "--output", file)
    assert (out / "label_map.pbtxt").read_text() == MAP
    classes = load_label_map(out / "label_map.pbtxt")
    found = open_source(f"{kind}:{file}", classes)
    assert [s["classes"].tolist() for s in found] == [[6, 2], [2], []]
    if kind == "coco":
        categories = json.loads(file.read_text())["categories"]
        ids = {c["name"]: c["id"] for c in categories}
        assert ids == {"dog": 3, "cat": 7, "bird": 9}


def test_convert_stops_at_classes_that_a_label_map_beside_lacks(tmp_path):
    spec, out = tiny_data.write_voc(tmp_path / "in"), tmp_path / "annotations"
    out.mkdir()
    (out / "label_map.pbtxt").write_text('item { id: 1 name: "dog" }')
    with pytest.raises(DataError, match=r"missing in .*/label_map\.pbtxt: 'cat'"):
        run("convert", spec, "--to", "tfrecord", "--output", out / "val.record")
    assert os.listdir(out) == ["label_map.pbtxt"]


def test_convert_with_another_label_map_than_that_beside_the_file(tmp_path):
    spec = tiny_data.write_voc(tmp_path / "in")
    out, given = tmp_path / "out", tmp_path / "map.pbtxt"

    def convert(name, classes):
        save_label_map(label_map_of(classes), given)
        more = ("--to", "tfrecord", "--output", out / name, "--label-map", given)
        run("convert", spec, *more)

    convert("a.record", ["cat", "dog"])
    convert("b.record", ["cat", "dog"])
    for classes, problem in {
        (
            "dog",
            "cat",
        ): "'dog' is 2 there, 1 in the dataset, 'cat' is 1 there, 2 in the dataset",
        ("cat", "dog", "cow"): "'cow' is missing there, 3 in the dataset",
    }.items():
        with pytest.raises(DataError) as caught:
            convert("c.record", classes)
        assert caught.value.problem == f"exists already, with other ids: {problem}"
    names = [c.name for c in load_label_map(out / "label_map.pbtxt")]
    assert (names, (out / "c.record").exists()) == (["cat", "dog"], False)


@pytest.mark.parametrize("command", ["inspect", "split"])
def test_seeds_are_not_negative(command):
    done = CliRunner().invoke(app, [command, "coco:a", "--seed", "-1"])
    assert done.exit_code == 2
    assert "Invalid value for '--seed'" in done.output
