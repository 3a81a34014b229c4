"""Input readers and specs of a config, to sources."""

import pytest

import tiny_data
from odapi.build.source import build_eval_source, build_train_source
from odapi.config.label_map import save_label_map
from odapi.config.load import load_config
from odapi.config.rules import files
from odapi.errors import ConfigError, DataError
from odapi.labels import label_map_of


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))


def config(train="", evaluation="", ours=""):
    text = f"""
    model {{ ssd {{ num_classes: 2 }} }}
    train_input_reader {{ {train} }}
    eval_input_reader {{ {evaluation} }}
    [odapi.options] {{ {ours} }}
    """
    return load_config(text)


def reader(spec):
    path = spec.partition(":")[2]
    return f'tf_record_input_reader {{ input_path: "{path}" }}'


def names(source):
    return [c.name for c in source.label_map]


def test_records_with_a_label_map(tmp_path):
    records = reader(tiny_data.write_tfrecord(tmp_path))
    path = tmp_path / "map.pbtxt"
    save_label_map(label_map_of(["dog", "cat"]), path)
    source = build_train_source(config(f'label_map_path: "{path}" {records}'))
    assert names(source) == ["dog", "cat"]
    assert source[0]["classes"].tolist() == [1, 0]


def test_records_without_a_label_map_bring_their_own(tmp_path):
    source = build_train_source(config(reader(tiny_data.write_tfrecord(tmp_path))))
    assert names(source) == ["cat", "dog"]


def test_spec_takes_the_place_of_the_reader(tmp_path):
    spec = tiny_data.write_voc(tmp_path)
    placeholder = 'label_map_path: "PATH_TO_BE_CONFIGURED/x.pbtxt"'
    source = build_train_source(config(placeholder, ours=f'train_data: "{spec}"'))
    assert len(source) == 3


def test_evaluation_counts_classes_as_training_does(tmp_path):
    train = tiny_data.write_coco(tmp_path / "train")

    def only_dogs(content):
        content["categories"] = [{"id": 1, "name": "dog"}]
        content["annotations"] = content["annotations"][2:]
        content["annotations"][0]["category_id"] = 1

    held_out = tiny_data.write_coco(tmp_path / "eval", only_dogs)
    ours = f'train_data: "{train}" eval_data: "{held_out}"'
    source = build_eval_source(config(ours=ours))
    assert names(source) == ["cat", "dog"]
    assert source[1]["classes"].tolist() == [1]
    given = label_map_of(["bird", "dog"])
    assert build_eval_source(config(ours=ours), label_map=given)[1]["classes"] == [1]


def test_one_of_n_examples(tmp_path):
    records = reader(tiny_data.write_tfrecord(tmp_path))
    source = build_eval_source(config("", f"sample_1_of_n_examples: 2 {records}"))
    assert source.image_ids == ["a", "c"]
    assert len(list(source)) == 2
    assert source.annotations(1)["image_id"] == "c"


def test_masks_and_keypoints_come_only_when_asked_for(tmp_path):
    def change(content):
        content["annotations"][0] |= {
            "segmentation": [[6, 10, 36, 10, 36, 30]],
            "keypoints": [10, 10, 2, 20, 20, 2],
        }

    spec = tiny_data.write_coco(tmp_path, change)
    ours = f'train_data: "{spec}"'
    plain = build_train_source(config(ours=ours))
    assert not {"masks", "keypoints"} & plain[0].keys()
    asked = "load_instance_masks: true num_keypoints: 2"
    full = build_train_source(config(asked, ours=ours))
    assert full[0]["masks"].shape == (2, 40, 60)
    assert full[0]["keypoints"].shape == (2, 2, 2)
    assert full[2]["keypoint_visibility"].shape == (0, 2)
    with pytest.raises(ConfigError, match="num_keypoints"):
        build_train_source(config("num_keypoints: 17", ours=ours))


@pytest.mark.parametrize(
    ("said", "has_masks"), [("", True), ("load_instance_masks: false", False)]
)
def test_evaluation_loads_what_training_loads(tmp_path, said, has_masks):
    def change(content):
        content["annotations"][0] |= {
            "segmentation": [[6, 10, 36, 10, 36, 30]],
            "keypoints": [10, 10, 2, 20, 20, 2],
        }

    spec = tiny_data.write_coco(tmp_path, change)
    asked = "load_instance_masks: true num_keypoints: 2"
    given = config(asked, said, ours=f'train_data: "{spec}" eval_data: "{spec}"')
    sample = build_eval_source(given)[0]
    assert ("masks" in sample) == has_masks
    assert sample["keypoints"].shape == (2, 2, 2)
    # Also where there is no eval_input_reader at all.
    given.ClearField("eval_input_reader")
    assert build_eval_source(given)[0]["masks"].shape == (2, 40, 60)


def test_what_cannot_be_read_is_told(tmp_path):
    with pytest.raises(ConfigError, match="reads nothing"):
        build_train_source(config())
    with pytest.raises(ConfigError, match="has no input_path"):
        build_train_source(config("tf_record_input_reader {}"))
    with pytest.raises(DataError, match="no such file"):
        build_train_source(config(reader(f"tfrecord:{tmp_path}/none")))
    with pytest.raises(ConfigError, match=r"eval_input_reader\[3\]"):
        build_eval_source(config(), index=3)


@pytest.mark.parametrize("kind", sorted(tiny_data.WRITERS))
@pytest.mark.parametrize("build", [build_train_source, build_eval_source])
def test_unknown_classes_are_dropped_and_counted_on_request(kind, build, tmp_path):
    # As by filter_unrecognized_classes of the original, in all formats and with all
    # fields of an object; the original does not count them.
    spec = tiny_data.write(kind, tmp_path / "data")
    path = tmp_path / "map.pbtxt"
    save_label_map(label_map_of(["cat"]), path)
    data = f'label_map_path: "{path}"', f'label_map_path: "{path}"'
    given = f'train_data: "{spec}" eval_data: "{spec}"'
    with pytest.raises(DataError, match=r"drop_unknown_classes=true, or unknown=drop"):
        build(config(*data, ours=given))
    drop = "data_loading { drop_unknown_classes: true }"
    source = build(config(*data, ours=f"{given} {drop}"))
    assert sorted(len(sample["boxes"]) for sample in source) == [0, 0, 1]
    assert source.problems.count("unknown class, dropped") == 2


def test_unknown_names_of_records_are_dropped_as_by_the_original(tmp_path):
    # From tf_example_decoder_test.py of the original: the texts "cat" and "cheetah"
    # with the labels 5 and 6 become the classes 3 and -1, by display name; objects of
    # class -1 are then filtered.
    label_map = tmp_path / "map.pbtxt"
    label_map.write_text(
        "item { name: '/m/cat' id: 3 display_name: 'cat' } "
        "item { name: '/m/dog' id: 1 display_name: 'dog' }"
    )
    features = tiny_data.features_of(
        "a",
        image__object__class__text=[b"cat", b"cheetah"],
        image__object__class__label=[5, 6],
    )
    path = tmp_path / "data.record"
    tiny_data.write_records(path, [tiny_data.example(features)])
    text = f'label_map_path: "{label_map}" {reader(f"tfrecord:{path}")}'
    drop = "data_loading { drop_unknown_classes: true }"
    source = build_train_source(config(text, ours=drop))
    (sample,) = source
    assert sample["classes"].tolist() == [2]  # Of id 3.
    assert source.problems.count("unknown class, dropped") == 1


def test_unknown_classes_of_records_of_a_reader_are_dropped(tmp_path):
    records = reader(tiny_data.write_tfrecord(tmp_path))
    path = tmp_path / "map.pbtxt"
    save_label_map(label_map_of(["dog"]), path)
    text = f'label_map_path: "{path}" {records}'
    drop = "data_loading { drop_unknown_classes: true }"
    source = build_train_source(config(text, ours=drop))
    assert [sample["classes"].tolist() for sample in source] == [[0], [0], []]
    assert source.problems.count("unknown class, dropped") == 1


@pytest.mark.parametrize(
    ("spec", "train", "evaluation"),
    [
        ("yolo:{}", ["t"], ["v"]),
        ("yolo:{}/data.yaml", ["t"], ["v"]),
        ("yolo:{}?split=test", ["s"], ["s"]),
    ],
)
@pytest.mark.parametrize("key", ["val", "valid"])
def test_a_data_yaml_means_its_part(key, spec, train, evaluation, tmp_path):
    tiny_data.write_images(tmp_path / "all")
    for folder, name in (("train", "t"), ("val", "v"), ("test", "s")):
        (tmp_path / folder / "images").mkdir(parents=True)
        (tmp_path / folder / "labels").mkdir()
        image = (tmp_path / "all" / "a.jpg").read_bytes()
        (tmp_path / folder / "images" / f"{name}.jpg").write_bytes(image)
        lines = tiny_data.yolo_lines("a")
        (tmp_path / folder / "labels" / f"{name}.txt").write_text(lines)
    (tmp_path / "data.yaml").write_text(
        f"train: train/images\n{key}: val/images\ntest: test/images\n"
        "names: [cat, dog]\n"
    )
    spec = spec.format(tmp_path)
    ours = config(ours=f'train_data: "{spec}" eval_data: "{spec}"')
    assert build_train_source(ours).image_ids == train
    assert build_eval_source(ours).image_ids == evaluation
    found = [f.problem for f in files.find(ours)]
    assert ("is the training data" in found) == (train == evaluation)


def test_without_such_a_part_a_data_yaml_means_all(tmp_path):
    spec = tiny_data.write_yolo(tmp_path)
    ours = config(ours=f'train_data: "{spec}" eval_data: "{spec}"')
    assert len(build_train_source(ours)) == len(build_eval_source(ours)) == 3
