"""A Context R-CNN from images to predictions: embed, add banks, train, evaluate."""

import numpy as np
import pytest

import odapi
import tiny_data
from odapi.build.detector import build_detector
from odapi.config.load import load_config
from odapi.data.sources import open_source
from odapi.errors import ConfigError, DataError
from odapi.tools import records
from odapi.tools.camera_traps import ImageExample, read_metadata
from odapi.tools.embeddings import Embed
from odapi.tools.memory_bank import AddContext, GroupKey
from small_models import FAMILIES

# Three numbers of a box, and nine of its place and time.
LENGTH = 3 + 9
CONTEXT = (
    "context_config { max_num_context_features: 6 attention_bottleneck_dimension: 8 "
    f"context_feature_length: {LENGTH} }}"
)


def text(folder, context="", **reader):
    """A config: the small Faster R-CNN on records in `folder`."""
    model = FAMILIES["rcnn"].replace("num_classes: 2", "num_classes: 48")
    fields = " ".join(f"{k}: {v}" for k, v in reader.items())
    reader = f"""
      label_map_path: "{folder / "map.pbtxt"}" {fields}
      tf_record_input_reader {{ input_path: "{folder / "context.record"}" }}
    """
    return f"""
    model {{ faster_rcnn {{ {model} {context} }} }}
    train_config {{
      batch_size: 2 num_steps: 2
      optimizer {{ momentum_optimizer {{ learning_rate {{ constant_learning_rate {{
        learning_rate: 0.001 }} }} }} use_moving_average: false }}
    }}
    train_input_reader {{ {reader} }}
    eval_config {{ metrics_set: "coco_detection_metrics" }}
    eval_input_reader {{ {reader} shuffle: false }}
    """


READS = {"load_context_features": "true", "input_type": "TF_SEQUENCE_EXAMPLE"}


def two_objects(model, kind):
    """A detector that finds two objects everywhere."""
    boxes = np.array([[0.1, 0.2, 0.5, 0.6], [0.0, 0.0, 1.0, 1.0]])
    features = np.arange(24.0).reshape(2, 2, 2, 3)
    found = {"boxes": boxes, "scores": np.array([0.9, 0.4]), "features": features}
    return lambda record: found


@pytest.fixture(scope="module")
def images(shared):
    """The four images of Snapshot Serengeti, as tf.Examples."""
    serengeti = shared / "data/serengeti"
    traps = read_metadata(str(serengeti / "context_rcnn_demo_metadata.json"))
    make = ImageExample(str(serengeti), traps.categories)
    return [make((i, traps.annotations[i["id"]])) for i in traps.images]


@pytest.fixture(scope="module")
def folder(shared, images, tmp_path_factory):
    """Records of two sequences with the bank of their camera, and a label map."""
    folder = tmp_path_factory.mktemp("context")
    labels = shared / "label_maps/snapshot_serengeti_label_map.pbtxt"
    (folder / "map.pbtxt").write_text(labels.read_text())
    embed = Embed("m", top=2, load=two_objects)
    pairs = [GroupKey(max_side=128)(embed(image)) for image in images]
    assert {key for key, _ in pairs} == {"E03"}
    add = AddContext(output="tf_sequence_example", clip=2, keep_ids=True)
    sequences = list(add(("E03", [record for _, record in pairs])))
    assert tiny_data.write_records(folder / "context.record", sequences) == 2
    return folder


@pytest.mark.slow
def test_banks_are_trained_on_predicted_with_and_made(folder, images, shared):
    source = open_source(f"tfrecord:{folder / 'context.record'}?type=sequence")
    bank = source[3]["context_features"]
    assert bank.shape == (8, LENGTH)  # Two objects of each of four images.
    run = folder / "run"
    odapi.train(text(folder, CONTEXT, **READS), run)
    found = odapi.evaluate(run)
    assert found.num_images == 4
    counted = {p.kind: p.count for p in found.problems}
    # Each of the four images keeps six of the eight features.
    assert counted == {"more context features than max_num_context_features": 8}
    np.save(folder / "bank.npy", bank)
    picture = str(shared / "data/serengeti/S1_E03_R3_PICT0038.jpeg")
    (with_bank,) = odapi.predict(run, picture, min_score=0, context=folder / "bank.npy")
    (without,) = odapi.predict(run, picture, min_score=0)
    assert not np.array_equal(with_bank.scores, without.scores)
    # 1024 numbers of the small model's features.
    embedded = records.parse(Embed(str(run), top=2)(images[0]))
    assert records.values(embedded, "image/embedding_length") == [1024 + 9]
    scores = records.values(embedded, "image/embedding_score")
    np.testing.assert_allclose(scores, without.scores[:2], rtol=1e-3)


@pytest.mark.parametrize(
    ("context", "reader", "error", "message"),
    [
        (CONTEXT, {"input_type": "TF_SEQUENCE_EXAMPLE"}, ConfigError, "is false, but"),
        ("", READS, ConfigError, "the model has no context_config"),
        (
            CONTEXT.replace(str(LENGTH), "7"),
            READS,
            ConfigError,
            f"is 7, but context features of .* have {LENGTH} numbers",
        ),
        (CONTEXT, {**READS, "frame_index": 5}, ConfigError, "no sequence has such"),
        (CONTEXT, {"load_context_features": "true"}, DataError, "no usable record"),
    ],
)
def test_what_does_not_fit_is_told_before_training(
    context, reader, error, message, folder, tmp_path
):
    with pytest.raises(error, match=message):
        odapi.train(text(folder, context, **reader), tmp_path / "run")


def test_one_frame_of_each_sequence(folder):
    from odapi.build.source import build_eval_source, build_train_source

    config = load_config(text(folder, CONTEXT, **READS, frame_index=1))
    assert len(build_train_source(config)) == 2
    assert len(build_eval_source(config)) == 4
    assert build_detector(config).side_inputs
