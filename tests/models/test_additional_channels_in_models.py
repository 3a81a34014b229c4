"""Detectors of images with additional channels: from training to an export."""

import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

import odapi
from narrow_rcnn import narrow, small_rcnn
from odapi.build.detector import build_detector
from odapi.checkpoints.restore import adapt_shapes
from odapi.errors import ConfigError, DataError
from odapi.exporters.input_types import ENCODED
from odapi.layers.pixels import IMAGENET, MINUS_MEAN_BGR, MINUS_ONE_TO_ONE
from odapi.models.preprocess import normalize
from requirement import require
from small_models import small_batch, small_config
from tiny_samples import CLASSES, make_samples, train_config

EXTRA = "train_input_reader.num_additional_channels={}"
FAMILIES = (
    pytest.param("ssd", 2, marks=pytest.mark.backend),
    ("center", 1),
    ("rcnn", 2),
)


def built(family, extra, monkeypatch):
    narrow(monkeypatch)
    made = small_rcnn if family == "rcnn" else small_config
    name = "pyramid" if family == "rcnn" else family
    return build_detector(made(name, EXTRA.format(extra)), seed=0)


@pytest.mark.backend
@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        (MINUS_ONE_TO_ONE, [-1, -0.2, 0.6, 1, -1]),
        # The mean of 103.939, 116.779 and 123.68 is 114.799; RGB becomes BGR.
        (MINUS_MEAN_BGR, [100.061, -14.779, -123.68, 140.201, -114.799]),
        # 255 times the mean scale is 4.425181, the mean of the offsets -1.986021.
        (IMAGENET, [-2.117904, -0.25, 1.751111, 2.439160, -1.986021]),
    ],
)
def test_additional_channels_have_the_mean_scaling(scaling, expected):
    image = np.array([0, 102, 204, 255, 0], np.uint8).reshape(1, 1, 1, 5)
    found = np.asarray(normalize(image, scaling)).reshape(-1)
    np.testing.assert_allclose(found, expected, rtol=2e-5)


@pytest.mark.parametrize(("family", "extra"), FAMILIES)
def test_weights_of_rgb_give_the_same_outputs(family, extra, monkeypatch):
    rgb, more = built(family, 0, monkeypatch), built(family, extra, monkeypatch)
    arrays = {n: to_numpy(v) for n, v in rgb.named_variables().items()}
    report = adapt_shapes(more.named_variables(), arrays, "x", "full", {})
    assert not report.skipped
    (kernel,) = report.extended
    assert report.lines()[2] == f"  extended    {kernel}: 0 for additional channels"
    assert more.named_variables()[kernel].shape[2] == 3 + extra
    x, _ = small_batch()
    rest = np.random.default_rng(0).integers(0, 255, (2, 64, 64, extra))
    whole = np.concatenate([x["images"], rest.astype(np.uint8)], axis=-1)
    expected, found = rgb(x), more(x | {"images": whole})
    for name, values in expected.items():
        np.testing.assert_allclose(
            to_numpy(found[name]), to_numpy(values), atol=2e-5, err_msg=name
        )
    with pytest.raises(DataError, match=rf"width, {3 + extra}\], got \[2, 64, 64, 3\]"):
        more(x)


def _config(family, *overrides):
    config = train_config("ssd" if family == "rcnn" else family, *overrides)
    if family == "rcnn":
        config.model.CopyFrom(small_rcnn("pyramid").model)
    return config


@pytest.mark.parametrize(
    ("family", "extra"),
    [
        ("ssd", 2),
        ("ssd", 0),
        ("center", 1),
        ("rcnn", 2),
    ],
)
@pytest.mark.slow
def test_from_training_to_an_export(family, extra, tmp_path, monkeypatch):
    require("tensorflow")
    narrow(monkeypatch)
    overrides = ["eval_config.num_visualizations=1"]
    if extra:
        overrides.append(EXTRA.format(extra))
    else:  # One channel.
        resizer = "model.ssd.image_resizer.fixed_shape_resizer"
        overrides.append(f"{resizer}.convert_to_grayscale=true")
    samples = make_samples()
    for sample in samples:
        planes = np.repeat(255 - sample["image"][..., :1], extra, axis=2)
        sample["image"] = np.concatenate([sample["image"], planes], axis=2)
    run = tmp_path / "run"
    config = _config(family, *overrides)
    odapi.train(config, run, train_data=samples, eval_data=samples, classes=CLASSES)
    detector = odapi.ObjectDetector.load(run)
    image = samples[0]["image"]
    (found,) = detector.predict(image, min_score=0.0)
    assert found.image.shape == (64, 64, 3)
    assert found.plot(min_side=0).shape == (64, 64, 3)
    detector.export(tmp_path / "exported")  # Verified against the detector.
    (again,) = odapi.predict(tmp_path / "exported", image, min_score=0.0)
    np.testing.assert_allclose(again.scores, found.scores, atol=1e-5)
    if not extra:
        return
    with pytest.raises(DataError, match=rf"must be \[h, w, {3 + extra}\] uint8"):
        detector.predict(image[..., :3])
    with pytest.raises(ConfigError, match=f"takes {3 + extra}"):
        detector.export(tmp_path / "files", input_type=ENCODED)
