"""SavedModels of other exporters run; others show what they take."""

import json
import shutil

import numpy as np
import pytest
from foreign_models import ANY, bright_box, decode, parse, red, save, save_v1

import odapi
from odapi.errors import CheckpointError, DataError
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from requirement import require

tf = require("tensorflow")
OBJECT = {"boxes": [[0.1, 0.2, 0.5, 0.6]], "classes": [1]}


def gray(images):
    return bright_box(tf.repeat(images, 3, axis=-1))


def unnumbered(images):
    found = bright_box(images)
    return {k: v[:, :1] for k, v in found.items() if k != "num_detections"}


@pytest.mark.parametrize(
    "model",
    [
        {},
        {"name": "image", "dtype": tf.float32},
        {"name": "x", "shape": [1, None, None, 3]},
        {"name": "x", "shape": [4, 16, 24, 3], "dtype": tf.int32},
        {"name": "x", "shape": None},
        {"find": gray, "shape": [None, None, None, 1], "dtype": tf.float32},
        {"find": unnumbered},
        {"find": lambda x: bright_box(decode(x)), "shape": [None], "dtype": tf.string},
        {"find": lambda x: bright_box(parse(x)), "shape": [None], "dtype": tf.string},
        {"signature": "detect"},
        {"context_features": tf.TensorSpec([None, 5, 4], tf.float32)},
    ],
    ids=lambda model: ",".join(model) or "tf1",
)
def test_any_single_image_input_runs(tmp_path, model):
    predictor = SavedModelPredictor(save(tmp_path / "saved_model", **model))
    found = predictor([red(204), red(102, 16, 24)])
    scale = 0.2989 if model.get("find") is gray else 1
    for objects, score in zip(found, (0.8, 0.4), strict=True):
        np.testing.assert_allclose(objects["boxes"], OBJECT["boxes"])
        assert objects["classes"].tolist() == OBJECT["classes"]
        np.testing.assert_allclose(objects["scores"], [score * scale], atol=1e-3)


def test_a_graph_of_tensorflow_1_runs(tmp_path):
    save_v1(tmp_path / "saved_model")
    (found,) = odapi.predict(tmp_path, red(204))
    assert found.scores.tolist() == pytest.approx([0.8])
    assert found.labels == ("class 2",)


NEEDED = (
    "needed are one image as input, uint8 or float32 [batch, height, width, 3] or "
    "string [batch], and the outputs detection_boxes, detection_scores, "
    "detection_classes"
)


@pytest.mark.parametrize(
    ("model", "signature"),
    [
        (
            {"find": lambda x: {"scores": tf.zeros([1, 7])}, "dtype": tf.float32},
            "serving_default(inputs: float32 [?, ?, ?, 3]) -> scores: float32 [1, 7]",
        ),
        (
            {"is_training": tf.TensorSpec([], tf.bool), "find": unnumbered},
            "serving_default(inputs: uint8 [?, ?, ?, 3], is_training: bool []) -> "
            "detection_boxes: float32 [?, 1, 4], detection_classes: float32 [?, 1], "
            "detection_scores: float32 [?, 1]",
        ),
    ],
)
def test_other_models_show_their_signature(tmp_path, model, signature):
    folder = save(tmp_path / "saved_model", **model)
    with pytest.raises(CheckpointError) as caught:
        odapi.predict(tmp_path, red(9))
    assert str(caught.value) == (
        f"{folder}: has no signature that finds objects in images; it has {signature}"
        f"\n  hint: {NEEDED}"
    )


def test_a_model_without_signatures_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(CheckpointError, match="has no signature, so its inputs"):
        odapi.predict(tmp_path, red(9))


@pytest.fixture(scope="module")
def tf1(tmp_path_factory):
    return save(tmp_path_factory.mktemp("tf1") / "saved_model")


FLOATS = "images: must be uint8 RGB from 0 to 255, got float64 with values from {}"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (red(255) / 255.0, FLOATS.format("0 to 1")),
        (red(200) * 1.0, FLOATS.format("0 to 200")),
        (
            red(200).astype("u2") + 300,
            "images: must be uint8 RGB from 0 to 255, got uint16 with",
        ),
        (red(1)[..., :2], "images: must be [h, w, 3] uint8 RGB, got shape (20, 30, 2)"),
    ],
)
def test_wrong_images_are_refused_by_every_call(tf1, image, message):
    predictor = SavedModelPredictor(tf1)
    for call in (predictor.outputs, lambda image: predictor([image])):
        with pytest.raises(DataError) as caught:
            call(image)
        assert str(caught.value).startswith(message)


def test_gray_and_transparent_images_are_converted(tf1):
    predictor = SavedModelPredictor(tf1)
    for image in (red(204)[..., 0], np.dstack([red(204), red(0)[..., 0]])):
        assert predictor.outputs(image)["detection_scores"][0, 0] == pytest.approx(0.8)


def test_wrong_channels_of_a_signature_are_named(tf1):
    predictor = SavedModelPredictor(tf1)
    with pytest.raises(CheckpointError) as caught:
        predictor.run("serving_default", np.zeros((1, 4, 5, 1), np.uint8))
    assert str(caught.value) == (
        f"{tf1} (serving_default): inputs must be uint8 [?, ?, ?, 3], got [1, 4, 5, 1]"
        "\n  hint: images have three channels, RGB"
    )


NAMES = 'item { id: 1 name: "cat" } item { id: 2 name: "owl" }'


def of_90(images):
    found = bright_box(images)
    batch = tf.shape(images)[0]
    return found | {"detection_multiclass_scores": tf.zeros([batch, 2, 91])}


@pytest.mark.parametrize(
    ("files", "model", "label"),
    [
        ({}, {}, "class 2"),
        ({}, {"find": of_90}, "bicycle"),  # As in the zoo.
        ({"label_map.pbtxt": NAMES}, {"find": of_90}, "owl"),
        ({"pets_label_map.pbtxt": NAMES}, {}, "owl"),
        ({"pipeline.config": "model { ssd { num_classes: 90 } }"}, {}, "bicycle"),
        ({"pipeline.config": "model { ssd { num_classes: 3 } }"}, {}, "class 2"),
        ({"pipeline.config": "model { ssd { num_classes 's' }"}, {}, "class 2"),
        (
            {
                "pipeline.config": "model { ssd { num_classes: 2 } } "
                'train_input_reader { label_map_path: "gone/names.pbtxt" }',
                "names.pbtxt": NAMES,
            },
            {},
            "owl",
        ),
    ],
)
def test_names_of_classes(tmp_path, files, model, label):
    save(tmp_path / "saved_model", **model)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    (found,) = odapi.predict(tmp_path, red(204))
    assert found.labels == (label,)


def test_a_given_label_map_names_the_classes(tmp_path, tf1):
    (tmp_path / "names.pbtxt").write_text(NAMES)
    for given in (tmp_path / "names.pbtxt", ["cat", "owl"]):
        (found,) = odapi.predict(tf1, red(204), label_map=given)
        assert found.labels == ("owl",)
    save(tmp_path / "saved_model", find=of_90)
    many = [f"name {n}" for n in range(91)]
    with pytest.raises(CheckpointError, match="has ids up to 91, the model has 90"):
        odapi.predict(tmp_path, red(9), label_map=many)


def hurt(folder, how):
    file = folder / "saved_model.pb"
    data = file.read_bytes()
    if how == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif how == "text":
        file.write_bytes(b"not a model")
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "variables":
        shutil.rmtree(folder / "variables")
    else:
        (folder / "variables" / "variables.index").write_bytes(b"x" * 40)


@pytest.mark.parametrize("how", ["cut", "text", "empty", "variables", "index"])
def test_damaged_models_are_named(tmp_path, how):
    module = tf.Module()
    module.scale = tf.Variable(tf.ones([3]))

    def find(images):
        return bright_box(tf.cast(images, tf.float32) * module.scale)

    specs = [tf.TensorSpec(ANY, tf.uint8, "inputs")]
    module.detect = tf.function(find, input_signature=specs)
    tf.saved_model.save(module, str(tmp_path), module.detect.get_concrete_function())
    hurt(tmp_path, how)
    with pytest.raises(CheckpointError) as caught:
        odapi.predict(tmp_path, red(204))
    assert str(caught.value).startswith(f"{tmp_path}: ")
    assert caught.value.hint.startswith(("export it again", "needed are one image"))


def test_a_model_that_fails_on_an_image_says_where(tmp_path):
    def find(images):
        check = tf.debugging.Assert(tf.reduce_all(images[0, 0, 0] < 9), ["too bright"])
        with tf.control_dependencies([check]):
            return bright_box(images)

    folder = save(tmp_path / "saved_model", find=find)
    assert len(odapi.predict(folder, red(1), min_score=0)[0]) == 1
    with pytest.raises(CheckpointError, match=r"\(serving_default\): fails on this"):
        odapi.predict(folder, red(200))


def test_checksums_find_a_changed_byte(tmp_path):
    from odapi.exporters.saved_model.checksums import write_checksums

    folder = save(tmp_path / "saved_model")
    write_checksums(folder)
    assert sorted(json.loads((folder / "checksums.json").read_text())) == [
        "fingerprint.pb",
        "saved_model.pb",
        "variables/variables.data-00000-of-00001",
        "variables/variables.index",
    ]
    data = bytearray((folder / "saved_model.pb").read_bytes())
    data[-1] ^= 1
    (folder / "saved_model.pb").write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        SavedModelPredictor(folder)
    assert str(caught.value) == (
        f"{folder}: is damaged: saved_model.pb does not have its checksum\n"
        "  hint: export it again (odapi export CHECKPOINT FOLDER), or copy it again"
    )
    (folder / "variables" / "variables.index").unlink()
    (folder / "saved_model.pb").write_bytes(bytes(data[:-1]) + bytes([data[-1] ^ 1]))
    with pytest.raises(CheckpointError, match=r"variables.index is missing"):
        SavedModelPredictor(folder)
