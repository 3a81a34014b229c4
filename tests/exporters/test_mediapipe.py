"""TFLite files with metadata in MediaPipe's ObjectDetector, in its own environment."""

import json
import os
import pathlib
import subprocess

import keras
import numpy as np
import pytest
from PIL import Image

import odapi
from benchmarks.spread_weights import spread_weights
from requirement import require
from small_models import SIZE, small_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow", reason="only TensorFlow exports"
    ),
]
ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-mediapipe" / "bin" / "python"


def test_mediapipe_finds_what_we_find(tmp_path):
    if not PYTHON.exists():
        if os.environ.get("NEED_MEDIAPIPE"):
            pytest.fail(f"{PYTHON} is missing: make test-mediapipe")
        pytest.skip("MediaPipe is not installed: make test-mediapipe")
    require("ai_edge_litert")
    config = small_config("retina")
    detector = odapi.build_detector(config, seed=0)
    spread_weights(detector)
    detector.label_map = odapi.LabelMap(
        (odapi.Category(1, "cat"), odapi.Category(2, "owl"))
    )
    held = odapi.ObjectDetector.from_keras(detector)
    # Its images are resized as by us only if they have the size of the input.
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    done = held.export(
        tmp_path / "out", format="tflite", tflite_nms="fast", untrained=True
    )
    model = done.files[0].path
    script = pathlib.Path(__file__).with_name("mediapipe_detect.py")
    run = subprocess.run(
        [PYTHON, script, model, tmp_path / "image.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    (line,) = (x for x in run.stdout.splitlines() if x.startswith("detections:"))
    found = json.loads(line.removeprefix("detections:"))
    (expected,) = odapi.ObjectDetector.load(model).predict([pixels], min_score=0.01)
    assert len(found) == len(expected) > 0
    assert {name for name, _, _ in found} <= {"cat", "owl"}
    assert [name for name, _, _ in found] == list(expected.labels)
    np.testing.assert_allclose([s for _, s, _ in found], expected.scores, atol=1e-3)
    for (_, _, (x, y, width, height)), box in zip(found, expected.xyxy, strict=True):
        # Whole pixels, rounded twice at the end. A box that begins outside of the image
        # begins at 0 and keeps its width, so that its end says nothing.
        assert (x, y) == pytest.approx(tuple(box[:2]), abs=1.5)
        if x > 0:
            assert min(x + width, SIZE) == pytest.approx(box[2], abs=2)
        if y > 0:
            assert min(y + height, SIZE) == pytest.approx(box[3], abs=2)
