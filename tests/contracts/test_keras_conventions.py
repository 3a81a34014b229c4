"""Keras conventions of every detector: save, clone, predict, fit."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import odapi
import small_models
from odapi.build.detector import build_detector
from odapi.errors import ConfigError, DataError
from odapi.labels import label_map_of
from odapi.models.detector import Detector
from odapi.runtime import keras_objects
from requirement import require
from small_models import small_batch, small_config
from small_rcnn import small_rcnn

pytestmark = pytest.mark.backend

_FAMILIES = ("center", "rcnn", "ssd")
_LABELS = label_map_of(["cat", "dog"])
_ON_JAX = keras.backend.backend() == "jax"


@pytest.fixture(scope="module", params=_FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def model(family):
    return build_detector(small_config(family), seed=3, label_map=_LABELS)


@pytest.fixture(scope="module")
def loaded(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    model.save(path)
    return keras.models.load_model(path)


@pytest.fixture(scope="module")
def predictions(model):
    return model.predict(small_batch()[0]["images"], verbose=0)


class Batches(keras.utils.PyDataset):
    """The documented form of a dataset, without the optional entries."""

    def __init__(self, inputs_only=False):
        super().__init__()
        self.inputs_only = inputs_only

    def __len__(self):
        return 2

    def __getitem__(self, index):
        x, y = small_batch(1, seed=index)
        if self.inputs_only:
            return (x["images"],)
        return x["images"], {"boxes": y["boxes"], "classes": y["classes"]}


def _numpy(values):
    return {name: ops.convert_to_numpy(value) for name, value in values.items()}


def _assert_equal(ours, theirs, **tolerance):
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], err_msg=name, **tolerance)


def test_one_file_holds_the_whole_detector(model, loaded):
    x, _ = small_batch()
    assert type(loaded) is type(model)
    _assert_equal(_numpy(model(x)), _numpy(loaded(x)), rtol=0, atol=0)
    assert loaded.pipeline_config == model.pipeline_config
    assert [c.name for c in loaded.label_map] == ["cat", "dog"]


def test_a_clone_has_the_structure_and_initial_weights(model):
    clone = keras.models.clone_model(model)
    assert clone.get_config() == model.get_config()
    ours, theirs = model.named_variables(), clone.named_variables()
    assert {n: v.shape for n, v in ours.items()} == {
        n: v.shape for n, v in theirs.items()
    }
    assert not {id(v) for v in ours.values()} & {id(v) for v in theirs.values()}


def test_weights_are_saved_and_loaded_alone(ssd, tmp_path):
    path = tmp_path / "model.weights.h5"
    ssd.save_weights(path)
    other = type(ssd).from_config(ssd.get_config())
    variable = next(iter(other.named_variables().values()))
    variable.assign(ops.zeros(variable.shape))
    other.load_weights(path)
    for name, value in ssd.named_variables().items():
        np.testing.assert_array_equal(
            ops.convert_to_numpy(value),
            ops.convert_to_numpy(other.named_variables()[name]),
        )


def test_the_summary_counts_all_weights(model):
    lines = []
    model.summary(print_fn=lines.append)
    assert f"{model.count_params():,}" in "\n".join(lines)


def test_an_array_is_taken_for_the_input_dict(model):
    x, _ = small_batch()
    bare = _numpy(model(x["images"]))
    _assert_equal(_numpy(model({"images": x["images"]})), bare, rtol=0, atol=0)


def test_predictions_are_decoded_detections(model, predictions):
    assert predictions["boxes"].shape == (2, 8, 4)
    assert predictions["scores"].shape == predictions["classes"].shape == (2, 8)
    assert predictions["num"].shape == (2,)
    # Feature maps, anchors and scores of every class stay on the device.
    per_image = sum(v[0].size for v in predictions.values())
    assert per_image <= 8 * (4 + 4 + 3) + 1
    x, _ = small_batch()
    found = model.detect(x)
    expected = {n: ops.convert_to_numpy(getattr(found, n)) for n in ("boxes", "scores")}
    for image, rank in np.ndindex(2, 2):
        # The best two are among those found: a rounding decides what NMS drops.
        gaps = [
            np.abs(values[image] - predictions[name][image, rank]).reshape(8, -1).max(1)
            for name, values in expected.items()
        ]
        assert sum(gaps).min() < 2e-4


@pytest.mark.slow
def test_datasets_are_predicted_batch_by_batch(ssd):
    alone = [ssd.predict(small_batch(1, seed=n)[0], verbose=0) for n in range(2)]
    found = ssd.predict(Batches(inputs_only=True), verbose=0)
    for name, value in found.items():
        expected = np.concatenate([one[name] for one in alone])
        np.testing.assert_allclose(value, expected, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.skipif(_ON_JAX, reason="test_detectors.py trains every family")
def test_fit_and_evaluate_take_the_documented_dataset(model, family):
    # A copy: other tests compare the weights of `model`.
    model = keras.models.clone_model(model)
    steps = []
    counter = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    model.compile(keras.optimizers.Adam(1e-3))
    history = model.fit(Batches(), epochs=2, callbacks=[counter], verbose=0).history
    assert steps == [0, 1, 0, 1]
    assert history["loss"][1] < history["loss"][0]
    assert np.isfinite(history["Loss/total_loss"]).all()
    logs = model.evaluate(Batches(), return_dict=True, verbose=0)
    parts = [v for k, v in logs.items() if k not in ("loss", "Loss/total_loss")]
    assert logs["loss"] == pytest.approx(sum(parts), rel=1e-4)


def _documented_forms(x, y):
    """Yields datasets of two batches, of every form that the docs name."""
    batches = [(x[i : i + 2], {k: v[i : i + 2] for k, v in y.items()}) for i in (0, 2)]
    yield (batch for batch in batches)
    slices = require("tensorflow").data.Dataset.from_tensor_slices((x, y))
    yield slices.batch(2)
    samples = [(x[i], {k: v[i] for k, v in y.items()}) for i in range(len(x))]
    yield require("torch").utils.data.DataLoader(samples, batch_size=2)


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "torch",
    reason="only the tier of torch has all forms; others compile each anew",
)
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning")
def test_fit_takes_datasets_of_all_documented_forms(ssd):
    model = keras.models.clone_model(ssd)
    model.compile(keras.optimizers.Adam(1e-3))
    x, y = small_batch(4)
    y = {"boxes": y["boxes"], "classes": y["classes"]}
    losses = [
        model.fit(data, steps_per_epoch=2, verbose=0).history["loss"][0]
        for data in _documented_forms(x["images"], y)
    ]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)


_KEYPOINTS = """
item { id: 1 name: "cat" }
item {
  id: 2 name: "dog"
  keypoints { id: 0 label: "nose" } keypoints { id: 1 label: "tail" }
}
"""
_POSE = """{
  task_name: "pose" keypoint_class_name: "dog"
  loss {
    localization_loss { l1_localization_loss { } }
    classification_loss { penalty_reduced_logistic_focal_loss { alpha: 2 beta: 4 } }
  }
}"""


def test_a_file_of_keypoints_needs_no_label_map(tmp_path):
    label_map = tmp_path / "keypoints.pbtxt"
    label_map.write_text(_KEYPOINTS)
    config = small_config(
        "center",
        f"model.center_net.keypoint_label_map_path={label_map}",
        f"model.center_net.keypoint_estimation_task={_POSE}",
    )
    model = build_detector(config, seed=3)
    model.save(tmp_path / "model.keras")
    label_map.unlink()
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x, _ = small_batch()
    outputs = _numpy(model(x))
    assert any("keypoint" in name for name in outputs)
    _assert_equal(outputs, _numpy(loaded(x)), rtol=0, atol=0)


def test_classes_of_saved_detectors_are_registered():
    def classes_below(kind):
        return {kind, *(c for k in kind.__subclasses__() for c in classes_below(k))}

    own = {
        c.__name__ for c in classes_below(Detector) if c.__module__.startswith("odapi.")
    }
    assert own - {"Detector"} == set(keras_objects.DETECTORS)


def test_a_detector_of_parts_says_how_it_can_be_saved(tmp_path):
    model = small_rcnn()
    with pytest.raises(ConfigError, match=r"(?s)assembled from parts.*build_detector"):
        model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")


@pytest.fixture(scope="module")
def ssd():
    """A detector of one family for what does not depend on it."""
    return build_detector(small_config("ssd"), seed=3)


@pytest.fixture(scope="module")
def made():
    """A detector of a constructor."""
    return odapi.models.SSD(
        backbone="mobilenet_v2_fpnlite",
        image_size=(128, 64),
        classes=["cat", "dog"],
        seed=1,
        overrides=["model.ssd.feature_extractor.depth_multiplier=0.25"],
    )


class TestCompiled:
    """Optimizers, losses and precision."""

    @pytest.mark.slow
    def test_a_compiled_detector_resumes(self, ssd, tmp_path):
        if _ON_JAX:
            pytest.skip("compiles two steps; the code is that of Keras")
        ssd.compile("adam")
        x, y = small_batch()
        ssd.train_on_batch(x, y)
        ssd.save(tmp_path / "model.keras")
        other = keras.models.load_model(tmp_path / "model.keras")
        assert int(other.optimizer.iterations) == 1
        losses = []
        for model in (ssd, other):
            model.reset_metrics()
            losses.append(model.train_on_batch(x, y, return_dict=True)["loss"])
        assert losses[1] == pytest.approx(losses[0], rel=1e-4)

    def test_a_loss_is_refused(self, ssd):
        with pytest.raises(ConfigError, match="computes its own losses"):
            ssd.compile("sgd", loss="mse")
        with pytest.raises(ConfigError, match="groundtruth\\['weights'\\]"):
            ssd.compute_loss(*small_batch(), {}, sample_weight=1.0)

    def test_half_precision_scales_the_loss(self, monkeypatch):
        monkeypatch.setattr("odapi.build.precision.computes_on_cpu", lambda: False)
        model = build_detector(small_config("ssd", "options.precision=FLOAT16"))
        model.compile("sgd")
        assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        ready = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
        model.compile(ready)
        assert model.optimizer is ready


class TestErrors:
    """Wrong datasets end in Python, with the key, its shape and the expected one."""

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"boxes": None}, r"groundtruth: has no 'boxes'.*\[b, n, 4\].*'classes'"),
            ({"classes": None}, r"groundtruth: has no 'classes'.*\[b, n\]"),
            (
                {"boxes": np.zeros((2, 3, 5), "float32")},
                r"groundtruth\['boxes'\]: must have the shape \[b, n, 4\], "
                r"got \[2, 3, 5\]",
            ),
            (
                {"classes": np.zeros((2, 4), "int32")},
                r"groundtruth\['classes'\]: .*\[b, n\] with b = 2, n = 3.*got \[2, 4\]",
            ),
            (
                {"weights": np.zeros((2, 3, 1), "float32")},
                r"groundtruth\['weights'\]: .*got \[2, 3, 1\]",
            ),
            ({"boxs": np.zeros((2, 3, 4))}, r"groundtruth\['boxs'\].*mean 'boxes'"),
        ],
    )
    def test_groundtruth_is_checked(self, ssd, change, message):
        x, y = small_batch()
        y = {k: v for k, v in {**y, **change}.items() if v is not None}
        with pytest.raises(DataError, match=f"(?s){message}"):
            ssd.compute_loss(x, y, {})

    def test_fit_reports_them_as_they_are(self, ssd):
        x, y = small_batch()
        ssd.compile("sgd")
        with pytest.raises(
            DataError, match=r"'classes'\]: must .*\[b, n\] with .*n = 3"
        ):
            ssd.fit(x, {**y, "classes": np.zeros((2, 4), "int32")}, verbose=0)

    def test_groundtruth_that_is_no_dict_is_refused(self, ssd):
        x, y = small_batch()
        with pytest.raises(DataError, match=r"groundtruth: must be a dict of arrays"):
            ssd.compute_loss(x, y["boxes"], {})

    def test_fields_that_a_loss_needs_are_named(self):
        model = small_rcnn()
        model.groundtruth_fields = ("masks",)
        x, y = small_batch()
        with pytest.raises(DataError, match=r"has no 'masks'.*\[b, n, height, width\]"):
            model.compute_loss(x, y, {})

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            (np.zeros((8, 8, 3), "uint8"), r"\[b, height, width, 3\], got \[8, 8, 3\]"),
            (np.zeros((1, 3, 8, 8), "uint8"), r"channels last"),
            ({"image": np.zeros((1, 8, 8, 3))}, r"have no 'images', but \['image'\]"),
        ],
    )
    def test_images_are_checked(self, ssd, x, message):
        with pytest.raises(DataError, match=f"(?s){message}"):
            ssd(x)


def test_boxes_without_area_are_padding_where_nothing_else_is_said():
    from odapi.models.inputs import as_groundtruth

    truth = as_groundtruth(
        {"boxes": [[[0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 0, 0]]], "classes": [[1, 0, 0]]}
    )
    assert ops.convert_to_numpy(truth.valid).tolist() == [[True, False, False]]
    assert ops.convert_to_numpy(truth.weights).tolist() == [[1, 0, 0]]
    assert keras.backend.standardize_dtype(truth.classes.dtype) == "int32"


_SAVE = """
{imports}
import sys
sys.path.insert(0, {tests!r})
import numpy as np
from odapi.build.detector import build_detector
from requirement import require
from small_models import small_batch, small_config
model = build_detector(small_config("ssd"), seed=3)
model.save(r"{path}")
outputs = model(small_batch()[0]["images"], training=False)
np.savez(r"{out}", **{{k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}})
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("saved_on", "imports"),
    [
        ("jax", "import odapi; import keras"),
        ("tensorflow", "import keras; import odapi"),
    ],
)
def test_a_file_of_another_backend_is_loaded(tmp_path, saved_on, imports):
    if saved_on == keras.backend.backend():
        pytest.skip("test_one_file_holds_the_whole_detector")
    path, out = tmp_path / "m.keras", tmp_path / "out.npz"
    tests = str(pathlib.Path(small_models.__file__).parent)
    program = _SAVE.format(imports=imports, tests=tests, path=path, out=out)
    environment = {**os.environ, "KERAS_BACKEND": saved_on}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    outputs = _numpy(keras.models.load_model(path)(small_batch()[0]["images"]))
    with np.load(out) as theirs:
        _assert_equal(outputs, dict(theirs), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_keras_says_what_to_import(tmp_path):
    model = build_detector(small_config("ssd"), seed=3)
    model.save(tmp_path / "m.keras")
    program = f"import keras; keras.models.load_model(r'{tmp_path / 'm.keras'}')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "`import odapi` before keras.models.load_model" in done.stderr


class TestConstructors:
    """`odapi.models`: the same model as from a config."""

    def test_the_config_builds_the_same_model(self, made):
        other = odapi.build_detector(odapi.load_config(made.pipeline_config))
        ours, theirs = made.named_variables(), other.named_variables()
        assert list(ours) == list(theirs)
        for name, value in ours.items():
            np.testing.assert_array_equal(
                ops.convert_to_numpy(value), ops.convert_to_numpy(theirs[name])
            )
        assert made.image_size == other.image_size == (128, 64)
        assert made.num_classes == other.num_classes == 2

    def test_classes_are_kept(self, made):
        assert made.label_map.label(1) == "dog"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({}, "needs num_classes, or the names"),
            ({"num_classes": 3, "classes": ["a"]}, "is 3, but got 1 class"),
            ({"classes": "cat"}, "must be a list of names, got 'cat'"),
            ({"num_classes": 3, "backbone": "mobilenet"}, "(?s)SSD.backbone.*mean"),
        ],
    )
    def test_arguments_are_checked(self, arguments, message):
        with pytest.raises(ConfigError, match=message):
            odapi.models.SSD(**arguments)

    def test_every_constructor_is_listed(self):
        from odapi.build.model_configs import FAMILIES

        assert set(dir(odapi.models)) == {*FAMILIES, "config_for"}
        with pytest.raises(AttributeError, match="no attribute 'YOLO'"):
            _ = odapi.models.YOLO
