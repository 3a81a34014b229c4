"""Contract of all detectors: training, learning, empty images, weights, compilation."""

from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

from learning import SEED, reached
from odapi.build.detector import build_detector
from odapi.layers.norm import BatchNorm
from odapi.models.detector import Detector
from odapi.runtime.compat import flatten_layers
from small_models import FAMILIES, small_batch, small_config

# Training all families takes minutes on a slow processor, as does compiling on JAX.
pytestmark = [pytest.mark.backend, pytest.mark.timeout(900)]

# By TensorFlow 2.21; all backends must agree. Per output: the values at 10, 50 and 90 %
# of its length, and the projection of the centered output on a fixed random vector,
# which changes with any permutation.
_VALUES = {
    "bifpn": {
        "box_encodings": (0.0002084353, -2.031685e-05, -4.195521e-05, 0.008666697),
        "class_predictions_with_background": (
            -2.00002,
            -1.999722,
            -1.999893,
            0.003984806,
        ),
    },
    "center": {
        "object_center/0": (-2.190221, -2.190182, -2.188817, 0.008892758),
        "box/scale/0": (0.0002452458, -0.0001353066, 0.000247314, -0.02052575),
        "box/offset/0": (0.002079712, 0.0001558849, -0.0006106503, -0.01361791),
    },
    "fpn": {
        "box_encodings": (-1.522957e-05, -2.357798e-05, -1.83666e-07, 0.0001170105),
        "class_predictions_with_background": (-1.999975, -2.000034, -2, 0.0001606431),
    },
    "mobilenet": {
        "box_encodings": (-0.001679981, -0.001798967, -0.0001350487, 0.03723208),
        "class_predictions_with_background": (
            -1.998923,
            -1.999409,
            -1.99974,
            0.01174784,
        ),
    },
    "rcnn": {
        "rpn_box_encodings": (-0.04175171, 0.1241037, -0.6211504, -8.180813),
        "rpn_objectness_predictions_with_background": (
            0.04524994,
            -0.05202818,
            -0.08202727,
            3.55366,
        ),
        "class_predictions_with_background": (
            0.9710408,
            0.9700465,
            -0.1968731,
            -8.853299,
        ),
    },
    "retina": {
        "box_encodings": (-0.6374961, -5.576507, -1.679484, 15.3799),
        "class_predictions_with_background": (1.60138, 2.945112, 1.873355, 15.7702),
    },
    "ssd": {
        "box_encodings": (-0.0002892384, 7.515282e-05, 3.059853e-07, -0.0009171069),
        "class_predictions_with_background": (
            -1.99944,
            -2.00005,
            -1.999998,
            0.003240694,
        ),
    },
}

_LOSSES = {
    "center": {"Loss/object_center", "Loss/box/scale", "Loss/box/offset"},
    "rcnn": {
        "Loss/RPNLoss/localization_loss",
        "Loss/RPNLoss/objectness_loss",
        "Loss/BoxClassifierLoss/localization_loss",
        "Loss/BoxClassifierLoss/classification_loss",
        "Loss/regularization_loss",
    },
    "ssd": {
        "Loss/localization_loss",
        "Loss/classification_loss",
        "Loss/regularization_loss",
    },
}


class _Counting:
    """Counts how often a detector is traced."""

    def __init__(self, detector: Detector):
        self.count, self._call = 0, detector.call
        detector.call = self

    def __call__(self, inputs, training=False):
        self.count += 1
        return self._call(inputs, training)


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def detector(family):
    return build_detector(small_config(family), seed=1)


class Trained(NamedTuple):
    """A detector after many steps on one batch, and its outputs."""

    detector: Detector
    losses: list
    last: dict
    on_empty: dict  # The log of a step on images without objects.
    found: dict  # Detections in the images it has seen.
    traces: tuple  # How often `call` had run after training, after inference.


# Batch statistics of the smallest maps, 1 x 1, need several images: over two of them,
# inference normalizes with twice the variance of training, whatever was learned.
_IMAGES, _STEPS = 8, 80

# XLA compiles a step of the others for minutes, and torch takes two minutes for some;
# their gradients are compared with the original's on all backends in tests/parity.
_TRAINED_ON_EVERY_BACKEND = ("center", "ssd")


@pytest.fixture(scope="module")
def trained(family):
    if keras.backend.backend() != "tensorflow":
        if family not in _TRAINED_ON_EVERY_BACKEND:
            pytest.skip("takes minutes; trained on TensorFlow")
    keras.utils.set_random_seed(SEED)
    detector = build_detector(small_config(family), seed=2 + SEED)
    for layer in flatten_layers(detector):
        if isinstance(layer, BatchNorm):
            layer.momentum = 0.5  # Statistics follow within few steps.
    counting = _Counting(detector)
    x, y = small_batch(_IMAGES)
    rate = 2e-3 if family == "rcnn" else 5e-3
    detector.compile(optimizer=keras.optimizers.Adam(rate))
    logs = [_step(detector, x, y) for _ in range(_STEPS)]
    found = detector.predict_on_batch(x)
    on_empty = _step(detector, x, {k: np.zeros_like(v) for k, v in y.items()})
    after_training = counting.count - 1
    detector.predict_on_batch(small_batch(_IMAGES, seed=1)[0])
    return Trained(
        detector,
        [log["loss"] for log in logs],
        logs[-1],
        on_empty,
        found,
        (after_training, counting.count),
    )


def _step(detector, x, y):
    detector.reset_metrics()
    return detector.train_on_batch(x, y, return_dict=True)


def test_outputs_are_the_same_on_every_backend(detector, family):
    x, _ = small_batch()
    outputs = detector(x)
    for name, (*expected, expected_projection) in _VALUES[family].items():
        value = ops.convert_to_numpy(outputs[name])
        assert value.dtype == np.float32
        flat = value.astype(float).ravel()
        places = [int(flat.size * share) for share in (0.1, 0.5, 0.9)]
        # float32 numbers near a bias of 2 have a resolution of 2e-7.
        atol = 1e-3 * flat.std() + 5e-7 * np.abs(flat).max()
        np.testing.assert_allclose(flat[places], expected, rtol=1e-4, atol=atol)
        projection = _projection(flat)
        assert abs(projection - expected_projection) <= atol * flat.size**0.5, name
        # The check itself: two exchanged halves are another output.
        assert abs(_projection(np.roll(flat, flat.size // 2)) - projection) > (
            2 * atol * flat.size**0.5
        ), name


def _projection(flat):
    random = np.random.default_rng(0).standard_normal(flat.size)
    return random @ (flat - flat.mean())


def test_attributes_of_the_contract(detector):
    assert detector.num_classes == 2
    assert detector.image_size == (64, 64)
    assert detector.max_detections == 8


def test_detections_keep_their_form(detector):
    x, _ = small_batch()
    found = detector.detect(x)
    boxes, scores = (ops.convert_to_numpy(v) for v in (found.boxes, found.scores))
    assert boxes.shape == (2, 8, 4)
    assert ((boxes >= 0) & (boxes <= 1)).all()
    assert (np.diff(scores, axis=1) <= 1e-6).all()
    classes = ops.convert_to_numpy(found.classes)
    assert ((classes >= 0) & (classes < 2)).all()
    assert (ops.convert_to_numpy(found.num) <= 8).all()


@pytest.mark.slow
@pytest.mark.learning
def test_images_are_learned(trained, family):
    ratio = trained.losses[-1] / trained.losses[0]
    assert reached(f"{family}: last loss / first", ratio, below=0.5)
    _, y = small_batch(_IMAGES)
    # The best detection lies on the object.
    best, truth = trained.found["boxes"][:, 0], y["boxes"][:, 0]
    low, high = np.maximum(best, truth)[:, :2], np.minimum(best, truth)[:, 2:]
    overlap = np.prod(np.maximum(high - low, 0), axis=1)
    union = _area(best) + _area(truth) - overlap
    iou = (overlap / union).mean()
    assert reached(f"{family}: mean IoU of the best detection", iou, above=0.5)
    correct = (trained.found["classes"][:, 0] == 0).mean()
    assert reached(f"{family}: correct classes", correct, above=0.8)


def _area(boxes):
    return np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)


@pytest.mark.slow
def test_losses_go_by_the_names_of_the_original(trained, family):
    parts = {k: v for k, v in trained.last.items() if k.startswith("Loss/")}
    total = parts.pop("Loss/total_loss")
    assert set(parts) == _LOSSES.get(family, _LOSSES["ssd"])
    assert total == pytest.approx(sum(parts.values()), rel=1e-4)
    assert trained.last["loss"] == pytest.approx(total, rel=1e-4)


@pytest.mark.slow
def test_images_without_objects_are_survived(trained):
    of_boxes = [k for k in trained.on_empty if "/box/" in k or "localization" in k]
    assert of_boxes
    assert all(trained.on_empty[k] == 0 for k in of_boxes)
    assert all(np.isfinite(v) for v in trained.on_empty.values())
    values = trained.detector.named_variables().values()
    assert all(np.isfinite(ops.convert_to_numpy(v)).all() for v in values)


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="torch runs eagerly here"
)
def test_a_shape_is_compiled_once(trained):
    assert trained.traces == (1, 2)


def test_weights_are_saved_and_restored_by_name(detector, family):
    other = build_detector(small_config(family), seed=2)
    source, target = detector.named_variables(), other.named_variables()
    assert list(source) == list(target)
    for name, variable in target.items():
        variable.assign(ops.convert_to_numpy(source[name]))
    x, _ = small_batch()
    name = next(iter(_VALUES[family]))
    ours, theirs = (d(x)[name] for d in (detector, other))
    np.testing.assert_allclose(
        ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), atol=1e-6
    )
