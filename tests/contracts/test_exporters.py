"""The contract of exporters: real detectors, written, loaded, and equal."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

import odapi
from benchmarks.spread_weights import spread_weights
from odapi.build.resizer import model_resizer
from odapi.checkpoints.folder import CONFIG, LABEL_MAP, WEIGHTS
from odapi.checkpoints.weights import save_weights
from odapi.config.label_map import save_label_map
from odapi.config.load import save_config
from odapi.exporters.input_types import INPUT_TYPES
from odapi.exporters.saved_model.saved_model_predictor import SavedModelPredictor
from odapi.exporters.saved_model.saved_model_writer import write_saved_model
from odapi.labels import label_map_of
from small_models import SIZE, small_config

ONLY_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
)

CONFIGS = {
    "fpnlite": "ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8.config",
    "ssd": "ssd_mobilenet_v2_320x320_coco17_tpu-8.config",
}
SMALL = (
    "model.ssd.num_classes=3",
    "model.ssd.feature_extractor.depth_multiplier=0.1",
    "model.ssd.feature_extractor.min_depth=4",
    "model.ssd.post_processing.batch_non_max_suppression.max_total_detections=7",
)
FIXED = (
    "model.ssd.image_resizer.fixed_shape_resizer.height=96",
    "model.ssd.image_resizer.fixed_shape_resizer.width=128",
)
PADDED = (
    "model.ssd.image_resizer={keep_aspect_ratio_resizer{"
    "min_dimension: 96 max_dimension: 128 pad_to_max_dimension: true}}",
)


@pytest.fixture
def trained(shared, tmp_path):
    """Returns a function that writes a checkpoint as a training does."""

    def write(kind, overrides=FIXED):
        path = shared / "configs" / "tf2" / CONFIGS[kind]
        config = odapi.load_config(path, [*SMALL, *overrides])
        detector = odapi.build_detector(config, seed=1)
        spread_weights(detector)
        folder = tmp_path / "checkpoints" / "step-00000009"
        folder.mkdir(parents=True)
        save_weights(detector, folder / WEIGHTS)
        save_config(config, folder / CONFIG)
        save_label_map(label_map_of(["cat", "dog", "owl"]), folder / LABEL_MAP)
        return folder

    return write


@ONLY_TENSORFLOW
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "overrides", "input_type"),
    [
        ("fpnlite", FIXED, "image_tensor"),  # tests/exporters has the other inputs.
        ("ssd", PADDED, "tf_example"),
    ],
)
def test_export_of_a_real_detector(trained, tmp_path, kind, overrides, input_type):
    folder = trained(kind, overrides)
    done = odapi.export(folder, tmp_path / "out", input_type)
    assert 0 < done.files[0].difference < 1e-4
    # The weights beside it are the detector's: odapi goes on from there.
    again = odapi.load_detector(tmp_path / "out")
    assert again.config == odapi.load_config(folder)
    # Sizes that need no resizing: on the host its result is rounded to uint8.
    images = [_picture(96, 128), _picture(96, 110 if overrides is PADDED else 128)]
    exported = SavedModelPredictor(tmp_path / "out")
    assert exported.label_map.label(0) == "cat"
    found = odapi.predict(exported, images, min_score=0.02)
    expected = odapi.predict(folder, images, min_score=0.02)
    assert [p.image_id for p in found] == [1, 2]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)


@pytest.mark.slow
def test_export_from_another_backend_is_the_same(trained, tmp_path):
    """A checkpoint does not know what trained it; the call may come from JAX."""
    folder = trained("ssd")
    code = (
        "import odapi, sys; "
        "print(odapi.export(sys.argv[1], sys.argv[2]).files[0].difference)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tmp_path / "out")],
        env=os.environ | {"KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert 0 < float(done.stdout) < 1e-4
    assert (tmp_path / "out" / "saved_model" / "saved_model.pb").is_file()


@ONLY_TENSORFLOW
@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "detections"),
    [
        ("ssd_mobilenet_v2_320x320", 100),
        ("ssd_mobilenet_v2_fpnlite_320x320", 100),
    ],
)
def test_exported_model_answers_as_the_original(shared, tmp_path, name, detections):
    from benchmarks.parity_golden import GoldenFolder
    from odapi.zoo.names.ssd_keys import ssd_keys

    folder = GoldenFolder(shared / "golden")
    golden = folder.open(name)
    config = folder.config(golden.meta, training=False)
    detector = odapi.build_detector(config)
    keys = ssd_keys(detector)
    for ours, variable in detector.named_variables().items():
        variable.assign(folder.make.value_for(keys[ours], tuple(variable.shape)))
    write_saved_model(detector, model_resizer(config), tmp_path)
    images = folder.inputs(golden.meta["inference_batch"], golden.meta)
    found = SavedModelPredictor(tmp_path).outputs(images)

    # The original's detector counts classes from 0, its exporter from 1.
    found["detection_classes"] -= 1
    for key in (
        "detection_scores",
        "num_detections",
        "raw_detection_boxes",
        "raw_detection_scores",
    ):
        difference, scale = golden.compare(f"detections/{key}", found[key])
        assert difference <= 1e-4 * scale, key
    pairs = ("detection_anchor_indices", "detection_classes")
    ours, theirs = (
        [set(zip(*(a[k][i].astype(int) for k in pairs), strict=True)) for i in (0, 1)]
        for a in (found, {k: golden.arrays[f"detections/{k}"] for k in pairs})
    )
    for one, other in zip(ours, theirs, strict=True):
        assert len(one & other) >= detections - 1  # The last place may be a tie.


# Of ../shared/golden/saved_model_signature.txt, part "ssd".
SIGNATURE = {
    "detection_anchor_indices": (1, 100),
    "detection_boxes": (1, 100, 4),
    "detection_classes": (1, 100),
    "detection_multiclass_scores": (1, 100, 91),
    "detection_scores": (1, 100),
    "num_detections": (1,),
    "raw_detection_boxes": (1, 12804, 4),
    "raw_detection_scores": (1, 12804, 91),
}


@ONLY_TENSORFLOW
@pytest.mark.slow
def test_signature_of_the_zoo_s_model_is_the_original_s(shared, tmp_path):
    config = odapi.load_config(shared / "configs" / "tf2" / CONFIGS["fpnlite"])
    detector = odapi.build_detector(config, seed=0)
    resizer = model_resizer(config)
    write_saved_model(detector, resizer, tmp_path, batch_size=1)
    predictor = SavedModelPredictor(tmp_path)
    for name in ("serving_default", *INPUT_TYPES):
        outputs = predictor.signatures[name].structured_outputs
        assert {k: tuple(v.shape) for k, v in outputs.items()} == SIGNATURE
        assert {v.dtype.name for v in outputs.values()} == {"float32"}
    assert tuple(predictor.spec("serving_default").shape) == (1, None, None, 3)


@ONLY_TENSORFLOW
@pytest.mark.parametrize("family", ["retina", "bifpn"])
def test_each_family_is_written_and_answers_as_before(family, tmp_path):
    import tensorflow as tf

    config = small_config(family)
    detector = odapi.build_detector(config, seed=0)
    spread_weights(detector)
    write_saved_model(detector, model_resizer(config), tmp_path)
    images = _picture(SIZE, SIZE)[None]
    found = tf.saved_model.load(str(tmp_path))(tf.constant(images))
    expected = detector.detect({"images": images})
    for name, values in (
        ("detection_boxes", expected.boxes),
        ("detection_scores", expected.scores),
    ):
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5)
    assert np.ptp(found["detection_scores"]) > 0


def _picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
