"""The original's outputs, by the code of the benchmark."""

import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from odapi.errors import ConfigError

MODELS = ("ssd_mobilenet_v2_320x320", "ssd_mobilenet_v2_fpnlite_320x320")
# These take minutes on JAX, and ResNet-152 everywhere: the command is for them.
LARGE = (
    "ssd_mobilenet_v1_fpn_640x640",
    "ssd_resnet50_v1_fpn_640x640",
    "ssd_efficientdet_d0_512x512",
    "centernet_resnet50_v1_fpn_512x512_kpts",
    "faster_rcnn_resnet50_v1_fpn_640x640_at128",
)
# What only detectors with anchors have.
_OF_ANCHORS = {"anchors", "raw detections"}
TESTED = MODELS if keras.backend.backend() == "jax" else MODELS + LARGE


@pytest.fixture(scope="module")
def benchmarks(root):
    sys.path.insert(0, str(root))
    yield
    sys.path.remove(str(root))


@pytest.fixture(scope="module")
def compared(root, shared, tmp_path_factory):
    """Rows of all models, made by one process that starts TensorFlow like the original.

    Returns the rows by model and what the command printed.
    """
    file = tmp_path_factory.mktemp("parity") / "rows.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.parity", "--golden", shared / "golden"]
        + ["--model", *TESTED, "--backend", keras.backend.backend(), "--rows", file],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    rows = json.loads(file.read_text()) if file.exists() else {}
    return rows, done.stdout + done.stderr


@pytest.mark.backend
@pytest.mark.parity
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TESTED)
def test_outputs_of_the_original(compared, name):
    rows, printed = compared
    assert name in rows, printed
    off = [r for r in rows[name] if not r["difference"] <= r["tolerance"]]
    assert off == [], printed
    groups = {row["group"] for row in rows[name]}
    assert groups | (_OF_ANCHORS if name.startswith("centernet") else set()) == {
        "preprocessed image",
        "feature maps",
        "raw heads",
        "anchors",
        "detections",
        "raw detections",
        "losses",
        "training feature maps",
        "training heads",
        "gradient norms",
        "batch norm after",
    }


@pytest.mark.parity
def test_a_difference_fails_and_is_named(benchmarks, shared, tmp_path, capsys):
    from benchmarks.parity import main

    folder = tmp_path / "golden"
    (folder / "outputs").mkdir(parents=True)
    for file in ("golden_io.py", "golden_weights.py"):
        shutil.copy(shared / "golden" / file, folder)
    shutil.copytree(shared / "configs", tmp_path / "configs")
    with np.load(shared / "golden" / "outputs" / f"{MODELS[0]}.npz") as stored:
        arrays = {k: stored[k] for k in stored.files if not k.startswith("train/")}
    heads = arrays["predict/box_encodings"]
    heads.ravel()[5] += 3e-4 * np.abs(heads).max()
    np.savez(folder / "outputs" / f"{MODELS[0]}.npz", **arrays)

    code = main(["--golden", str(folder), "--backend", keras.backend.backend()])
    printed = capsys.readouterr().out
    assert code == 1
    failed = [line for line in printed.splitlines() if "FAIL" in line]
    assert len(failed) == 1
    assert "raw heads" in failed[0]
    assert "predict/box_encodings" in failed[0]


def test_models_that_are_not_supported_are_named_and_fail_only_if_asked_for(
    benchmarks, shared, capsys, monkeypatch
):
    from benchmarks import parity_compare
    from benchmarks.parity import main

    def refuse(config):
        raise ConfigError("model.faster_rcnn", "is not supported yet")

    monkeypatch.setattr(parity_compare, "build_detector", refuse)

    arguments = ["--golden", str(shared / "golden"), "--model"]
    backend = ["--backend", keras.backend.backend()]
    assert main([*arguments, "faster_rcnn_resnet50_v1_640x640", *backend]) == 1
    assert "model.faster_rcnn: is not supported yet" in capsys.readouterr().out
    assert main([*arguments, "nothing", *backend]) == 1
    assert "ssd_mobilenet_v2_320x320" in capsys.readouterr().err
