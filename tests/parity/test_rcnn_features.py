"""Features of two-stage detectors, of given proposals, beside the original's."""

import sys

import keras
import numpy as np
import pytest

_FPN = "faster_rcnn_resnet50_v1_fpn_640x640_at128"
# These take minutes on JAX.
_LARGE = (
    "faster_rcnn_resnet50_v1_640x640",
    "mask_rcnn_inception_resnet_v2_1024x1024",
)
_TESTED = (_FPN,) if keras.backend.backend() == "jax" else (_FPN, *_LARGE)
_FEATURES = "box_classifier_features"


@pytest.fixture(scope="module")
def folder(root, shared):
    sys.path.insert(0, str(root))
    from benchmarks.parity_golden import GoldenFolder

    yield GoldenFolder(shared / "golden")
    sys.path.remove(str(root))


@pytest.mark.backend
@pytest.mark.parity
@pytest.mark.parametrize("name", _TESTED)
def test_features(folder, name):
    from benchmarks import parity_inputs
    from odapi.build.detector import build_detector
    from odapi.zoo.names.detector_keys import detector_keys

    golden = folder.open(name)
    # The maps of Mask R-CNN are stored of training alone, where norms are frozen.
    training = name.startswith("mask")
    stage = "train/predict" if training else "predict"
    detector = build_detector(folder.config(golden.meta, training))
    parity_inputs.fill(folder, detector, detector_keys(detector))
    inputs = parity_inputs.resized_inputs(folder, golden.meta, training)
    maps = detector.extract(inputs)
    number = sum(k.startswith(f"{stage}/feature_maps/") for k in golden.arrays)
    assert len(maps) == number
    found = {f"feature_maps/{n}": level for n, level in enumerate(maps)}
    boxes = golden.arrays[f"{stage}/proposal_boxes_normalized"]
    features = keras.ops.convert_to_numpy(detector.pool_and_encode(maps, boxes, inputs))
    found[_FEATURES] = np.reshape(features, (-1, *features.shape[2:]))
    for key, value in found.items():
        value = keras.ops.convert_to_numpy(value)
        difference, most = golden.compare(f"{stage}/{key}", value)
        assert difference < 1e-4 * most, key
