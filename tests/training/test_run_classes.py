"""A run keeps its classes, in whatever order data name theirs."""

import json

import numpy as np
import pytest

import odapi
import tiny_data
from odapi.build.source import build_eval_source
from odapi.checkpoints import folder as folders
from odapi.config.label_map import load_label_map, save_label_map
from odapi.config.load import load_config
from odapi.errors import DataError
from odapi.labels import label_map_of
from odapi.training import parts
from odapi.training import train as module
from tiny_detector import TinyDetector
from tiny_samples import make_samples, train_config

CONFIG = train_config(
    "ssd", "model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}"
)


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Trains in tmp_path/run; `train.sources` are the sources of the training data."""
    build = parts.build_train_dataset

    def recorded(*arguments, **keywords):
        pipeline = build(*arguments, **keywords)
        call.sources.append(pipeline.source)
        return pipeline

    def call(train_data, *overrides, **arguments):
        arguments = {"num_steps": 1} | arguments
        data = {"train_data": train_data}
        return odapi.train(CONFIG, tmp_path / "run", overrides, **data, **arguments)

    def evaluator(config, dataset, detector, label_map, tracker, processes):
        call.eval_source = dataset.source
        return lambda detector, step: {"DetectionBoxes_Precision/mAP": 0.1}

    call.sources = []
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(parts, "build_detector", lambda c, seed: TinyDetector(2, seed))
    monkeypatch.setattr(parts, "build_train_dataset", recorded)
    monkeypatch.setattr(module, "Evaluator", evaluator)
    return call


def contents(folder):
    """The bytes of all files by path."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def exchanged(content):
    content["categories"] = [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    for annotation in content["annotations"]:
        annotation["category_id"] = 3 - annotation["category_id"]


def with_a_bird(content):
    content["categories"].append({"id": 3, "name": "bird"})
    content["annotations"][0]["category_id"] = 3


def voc(folder):
    return tiny_data.write_voc(folder)


def voc_with_a_bird(folder):
    spec = tiny_data.write_voc(folder)
    file = folder / "Annotations" / "a.xml"
    file.write_text(file.read_text().replace("<name>cat", "<name>bird"))
    return spec


def yolo_exchanged(folder):
    spec = tiny_data.write_yolo(folder)
    (folder / "data.yaml").write_text("train: images\nnames: [dog, cat]\n")
    for file in (folder / "labels").glob("*.txt"):
        lines = file.read_text().splitlines()
        file.write_text("".join(f"{1 - int(s[0])}{s[1:]}\n" for s in lines))
    return spec


def yolo_with_a_bird(folder):
    spec = tiny_data.write_yolo(folder)
    (folder / "data.yaml").write_text("train: images\nnames: [bird, dog]\n")
    return spec


def records_with_a_bird(folder):
    folder.mkdir()
    text = {"image/object/class/text": ["bird", "dog"]}
    tiny_data.write_records(
        folder / "a.record", [tiny_data.example(tiny_data.features_of("a", **text))]
    )
    return f"tfrecord:{folder / 'a.record'}"


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: tiny_data.write_coco(folder, exchanged),
        voc,
        yolo_exchanged,
        lambda folder: tiny_data.write_tfrecord(folder),
    ],
    ids=["coco", "voc", "yolo", "tfrecord"],
)
def test_data_get_the_classes_of_the_run_by_name(train, write, tmp_path):
    train(tiny_data.write_coco(tmp_path / "first"))
    train(write(tmp_path / "second"), num_steps=2)
    file = tmp_path / "run" / "label_map.pbtxt"
    assert [c.name for c in load_label_map(file)] == ["cat", "dog"]
    assert [c.name for c in train.sources[1].label_map] == ["cat", "dog"]
    assert train.sources[1].annotations(0)["classes"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda folder: tiny_data.write_coco(folder, with_a_bird), "'bird' (1 object"),
        (voc_with_a_bird, "'bird' (1 object"),
        (yolo_with_a_bird, "'bird' (1 object"),
        (records_with_a_bird, "'bird' (1 object"),
    ],
    ids=["coco", "voc", "yolo", "tfrecord"],
)
def test_a_new_class_is_refused_and_the_run_stays_as_it_is(
    train, write, name, tmp_path
):
    train(tiny_data.write_coco(tmp_path / "first"))
    before = contents(tmp_path / "run")
    with pytest.raises(DataError) as raised:
        train(write(tmp_path / "second"), num_steps=2)
    assert name in str(raised.value)
    assert f"fine_tune_checkpoint={tmp_path}/run/checkpoints" in raised.value.hint
    assert contents(tmp_path / "run") == before


def test_samples_get_the_classes_of_the_run_by_name(train, tmp_path):
    samples = make_samples()
    train(samples, classes=["dark", "bright"])
    train(samples, classes=["bright", "dark"], eval_data=samples, num_steps=2)
    file = folders.latest(tmp_path / "run") / "label_map.pbtxt"
    assert [c.name for c in load_label_map(file)] == ["dark", "bright"]
    assert train.eval_source.annotations(0)["classes"] == [1]
    source = train.sources[1]
    assert [int(source[i]["classes"][0]) for i in range(4)] == [1, 0, 1, 0]
    assert source.annotations(0)["classes"] == [1]
    assert source.raw(0).objects["classes"] == [1]
    assert samples[0]["classes"] == [0]
    with pytest.raises(DataError, match=r"label_map\.pbtxt: gray; it has dark, bright"):
        train(samples, classes=["gray", "dark"], num_steps=3)


def id_records(folder, ids):
    """Records of one image without names of classes."""
    folder.mkdir(exist_ok=True)
    changes = {"image/object/class/text": [], "image/object/class/label": ids}
    features = tiny_data.features_of("a", **changes)
    tiny_data.write_records(folder / "a.record", [tiny_data.example(features)])
    return f"tfrecord:{folder / 'a.record'}"


def test_ids_of_records_are_those_of_their_own_label_map(train, tmp_path):
    spec, file = id_records(tmp_path / "data", [1, 2]), tmp_path / "map.pbtxt"
    save_label_map(label_map_of(["cat", "dog"]), file)
    override = f"train_input_reader.label_map_path={file}"
    train(spec, override)
    save_label_map(label_map_of(["dog", "cat"]), file)
    train(spec, override, num_steps=2)
    assert train.sources[0].annotations(0)["classes"].tolist() == [0, 1]
    assert train.sources[1].annotations(0)["classes"].tolist() == [1, 0]
    save_label_map(label_map_of(["dog", "bird"]), file)
    with pytest.raises(DataError, match=r"'id 2 \(bird\)' \(1 object"):
        train(spec, override, num_steps=3)


@pytest.mark.parametrize(
    ("ids", "own", "expected"),
    [
        ([1, 2], ["dog", "cat"], [1, 0]),
        ([1, 2], None, [0, 1]),  # Without a file, they are those of the model.
    ],
)
def test_evaluation_matches_ids_by_name(ids, own, expected, tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))
    spec, file = id_records(tmp_path / "data", ids), tmp_path / "map.pbtxt"
    if own:
        save_label_map(label_map_of(own), file)
    config = load_config(
        f'eval_input_reader {{ label_map_path: "{file}" tf_record_input_reader {{ '
        f'input_path: "{spec.partition(":")[2]}" }} }}'
    )
    source = build_eval_source(config, label_map=label_map_of(["cat", "dog"]))
    assert source.annotations(0)["classes"].tolist() == expected


def test_ids_from_0_without_names_stay_as_they_were(train, tmp_path):
    spec = id_records(tmp_path / "data", [0, 1])
    train(spec, eval_data=spec)
    train(spec, num_steps=2)
    for source in train.sources:
        assert source.annotations(0)["classes"].tolist() == [0, 1]


def test_a_dataset_that_has_grown_is_refused_with_the_ways_to_go_on(train, tmp_path):
    spec = tiny_data.write_coco(tmp_path / "data")
    train(spec)
    before = contents(tmp_path / "run")
    file = tmp_path / "data" / "data.json"
    content = json.loads(file.read_text())
    image = content["images"][2] | {"id": 4, "file_name": "d.jpg"}
    content["images"].append(image)
    file.write_text(json.dumps(content))
    tiny = tiny_data.encoded(".jpg", (40, 60), 9)
    (tmp_path / "data" / "images" / "d.jpg").write_bytes(tiny)
    with pytest.raises(DataError) as raised:
        train(spec, num_steps=2)
    assert "num_images 3, now it is 4" in raised.value.problem
    assert "has grown" in raised.value.hint and "--seed" in raised.value.hint
    assert contents(tmp_path / "run") == before
    assert train(spec, num_steps=2, seed=77).step == 2


def test_a_source_of_the_user_is_relabeled(train, tmp_path):
    train(tiny_data.write_coco(tmp_path / "first"))
    spec = tiny_data.write_coco(tmp_path / "second", exchanged)
    source = odapi.data.sources.open.open_source(spec)
    train(source, num_steps=2)
    used = train.sources[1]
    assert used[0]["classes"].tolist() == [0, 1]
    np.testing.assert_array_equal(source[0]["classes"], [1, 0])
    assert (len(used), used.image_ids) == (3, source.image_ids)
    assert used.encoded(0) == source.encoded(0)
