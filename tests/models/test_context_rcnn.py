"""Context R-CNN: effects of the memory bank."""

import keras
import numpy as np
import pytest
from keras import ops

from odapi.build.detector import build_detector
from odapi.config.check import find
from odapi.data.image.resize import FixedShape
from odapi.errors import ConfigError, DataError
from odapi.exporters.exporter import ExportOptions
from odapi.exporters.saved_model import saved_model_writer
from odapi.exporters.saved_model.saved_model_exporter import SavedModelExporter
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from odapi.exporters.saved_model.saved_model_writer import write_saved_model
from odapi.exporters.verify import verify
from odapi.models.two_stage.context_rcnn import CONTEXT, ContextRCNN
from odapi.models.two_stage.context_rcnn import SIZE as BANK_SIZE
from odapi.models.two_stage.faster_rcnn import CLASSES, FasterRCNN
from odapi.structures import Groundtruth
from small_models import SIZE, small_config

pytestmark = pytest.mark.backend

ROWS, LENGTH = 3, 5
_PATH = "model.faster_rcnn"
_CONTEXT = (
    f"max_num_context_features: {ROWS} context_feature_length: {LENGTH} "
    "attention_bottleneck_dimension: 8 attention_temperature: 0.2 "
)


def build(more="", *settings):
    context = f"{_PATH}.context_config={{{_CONTEXT} {more}}}"
    return build_detector(small_config("rcnn", context, *settings), seed=1)


@pytest.fixture(scope="module")
def detector():
    return build()


def images():
    return np.random.default_rng(0).integers(0, 255, (2, SIZE, SIZE, 3), np.uint8)


def bank(rows=ROWS):
    rng = np.random.default_rng(1)
    return rng.normal(0, 1, (2, rows, LENGTH)).astype(np.float32)


def inputs(context=None, size=(ROWS, 1)):
    given = {"images": images()}
    if context is not None:
        given |= {CONTEXT: context, BANK_SIZE: np.array(size, np.int32)}
    return {name: ops.convert_to_tensor(value) for name, value in given.items()}


def scores(detector, given):
    return ops.convert_to_numpy(detector(given, training=False)[CLASSES])


def test_missing_bank_equals_an_empty_one(detector):
    expected = scores(detector, inputs(bank(), (0, 0)))
    np.testing.assert_allclose(scores(detector, inputs()), expected, atol=1e-5)


def test_bank_affects_only_its_image(detector):
    empty = scores(detector, inputs())
    found = scores(detector, inputs(bank(), (3, 0)))
    assert np.abs(found[0] - empty[0]).max() > 1e-3
    np.testing.assert_allclose(found[1], empty[1], atol=1e-5)


def test_rows_of_padding_say_nothing(detector):
    changed = bank()
    changed[:, 1:] = 77.0
    found = scores(detector, inputs(changed, (1, 1)))
    np.testing.assert_allclose(
        found, scores(detector, inputs(bank(), (1, 1))), atol=1e-5
    )


def test_detector_lists_its_side_inputs(detector):
    assert isinstance(detector, ContextRCNN)
    assert dict(detector.side_inputs) == {
        CONTEXT: ((ROWS, LENGTH), "float32"),
        BANK_SIZE: ((), "int32"),
    }
    plain = build_detector(small_config("rcnn"))
    assert type(plain) is FasterRCNN
    assert dict(plain.side_inputs) == {}


@pytest.mark.parametrize("position", ["POST_RPN", "POST_BOX_CLASSIFIER"])
def test_attention_position_follows_the_config(position):
    built = build(f"attention_position: {position} use_self_attention: true")
    feature = built.context_attention.long_term[0][0].feature.projection.units
    maps, crops = 32, 1024  # Of the pyramid; of the dense layers after the crops.
    assert feature == (maps if position == "POST_RPN" else crops)
    assert built.context_attention.among_boxes is not None
    changed = scores(built, inputs(bank())) - scores(built, inputs())
    assert np.abs(changed).max() > 1e-4


def test_training_moves_the_statistics_of_the_attention(detector):
    truth = Groundtruth(
        boxes=ops.convert_to_tensor(np.array([[[0.1, 0.1, 0.6, 0.7]]] * 2, "f4")),
        classes=ops.zeros((2, 1), "int32"),
        valid=ops.ones((2, 1), "bool"),
        weights=ops.ones((2, 1)),
    )
    given = inputs(bank())
    key = detector.context_attention.long_term[0][0].key.batch_norm
    before = ops.convert_to_numpy(key.moving_mean).copy()
    outputs = detector(given, training=True)
    parts = detector.loss_parts(outputs, truth, given, training=True)
    assert all(np.isfinite(ops.convert_to_numpy(v)) for v in parts.values())
    assert np.abs(ops.convert_to_numpy(key.moving_mean) - before).max() > 1e-6


def test_features_for_banks_do_not_depend_on_a_bank():
    built = build("", f"{_PATH}.output_final_box_features=true")
    given = inputs(bank())
    plain = {"images": given["images"]}
    outputs = built(plain, training=False)
    one, other = (built.detect(i, outputs).features for i in (given, plain))
    one, other = ops.convert_to_numpy(one), ops.convert_to_numpy(other)
    assert one.shape[2:] == (1, 1, 1024)
    np.testing.assert_array_equal(one, other)


def test_proposals_alone_attend_to_nothing():
    with pytest.raises(ConfigError, match="needs number_of_stages 2"):
        build("", f"{_PATH}.number_of_stages=1")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("use_long_term_attention=false", "there is no attention"),
        ("attention_position=ATTENTION_DEFAULT", "ATTENTION_DEFAULT is not supported"),
        ("attention_temperature=0", "allowed is above 0"),
        ("num_attention_heads=0", "allowed is 1 to 64"),
        ("context_feature_length=0", "allowed is 1 or more"),
        ("self_attention_in_sequence=true", "has no effect without"),
    ],
)
def test_inconsistent_configs_raise(setting, message):
    context = f"{_PATH}.context_config={{{_CONTEXT}}}"
    config = small_config("rcnn", context, f"{_PATH}.context_config.{setting}")
    found = [f for f in find(config, for_training=False) if "context_config" in f.path]
    assert any(message in str(f) for f in found), found


only_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)


@pytest.mark.slow
@only_tensorflow
def test_exported_model_takes_the_bank(detector, tmp_path, monkeypatch):
    # Each signature takes seconds to prepare itself.
    monkeypatch.setattr(saved_model_writer, "input_types", lambda _: ("image_tensor",))
    resizer = FixedShape(height=SIZE, width=SIZE)
    write_saved_model(detector, resizer, tmp_path)
    exporter, options = SavedModelExporter(), ExportOptions()
    done = verify(exporter, tmp_path, detector, resizer, options)
    assert done.difference < 1e-3
    predictor = SavedModelPredictor(tmp_path)
    specs = predictor.side_specs("serving_default")
    assert {k: (v.shape.as_list(), v.dtype.name) for k, v in specs.items()} == {
        "context_features": ([None, ROWS, LENGTH], "float32"),
        "valid_context_size": ([None], "int32"),
    }
    image = images()[:1]
    empty = predictor.outputs(image)["raw_detection_scores"]
    given = {"context_features": bank()[:1], "valid_context_size": [ROWS]}
    found = predictor.outputs(image, given)["raw_detection_scores"]
    assert np.abs(found - empty).max() > 1e-4
    predictor.attend(bank()[0])
    assert predictor.side_inputs["valid_context_size"].tolist() == [ROWS]
    with pytest.raises(DataError, match=r"must be \[n, 5\], one row per object"):
        predictor.attend(np.zeros((2, 4), np.float32))
