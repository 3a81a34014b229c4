"""Fine-tuning: what fits is loaded, the rest is said, nothing at all is an error."""

import numpy as np
import pytest
from keras.ops import convert_to_numpy

import tf2_checkpoints
from odapi.checkpoints import folder as folders
from odapi.checkpoints.restore import restore
from odapi.checkpoints.weights import save_arrays, save_weights, values
from odapi.config.label_map import save_label_map
from odapi.errors import CheckpointError, ConfigError
from odapi.labels import label_map_of
from tiny_detector import LABEL_MAP, TinyDetector


def saved(folder, detector, label_map=LABEL_MAP, config=""):
    """A checkpoint of ours, as training leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    save_weights(detector, folder / folders.WEIGHTS)
    save_label_map(label_map, folder / folders.LABEL_MAP)
    (folder / folders.CONFIG).write_text(config)
    return folder


def same(one, other):
    """Names of the variables with the same values."""
    ours, theirs = (values(d.named_variables()) for d in (one, other))
    return {n for n in ours if np.array_equal(ours[n], theirs[n])}


BATCH_NORM = {
    f"feature_extractor/norm/{n}"
    for n in ("gamma", "beta", "moving_mean", "moving_variance")
}
CONV = {f"feature_extractor/backbone/conv/{n}" for n in ("kernel", "bias")}
HEAD = {f"box_predictor/head/{n}" for n in ("kernel", "bias")}


@pytest.mark.parametrize(
    ("kind", "loaded"),
    [
        ("full", CONV | BATCH_NORM | HEAD),
        ("detection", CONV | BATCH_NORM),
        ("classification", CONV),
    ],
)
def test_a_kind_restores_its_part(tmp_path, kind, loaded):
    trained, fresh = TinyDetector(seed=1), TinyDetector(seed=2)
    for variable in trained.named_variables().values():
        variable.assign(variable + 0.5)
    report = restore(fresh, str(saved(tmp_path, trained)), kind)
    assert same(trained, fresh) == loaded
    assert len(report.loaded) == len(loaded)
    assert report.skipped == {}
    assert (
        report.lines()[1] == f"  loaded      {len(loaded)} of {len(loaded)} variables"
    )


def test_other_classes_leave_the_head_as_it_is(tmp_path):
    three = label_map_of(["a", "b", "c"])
    folder = saved(tmp_path, TinyDetector(num_classes=3), three)
    fresh = TinyDetector(seed=2)
    before = convert_to_numpy(fresh.head.kernel)
    report = restore(fresh, str(folder), "full")
    assert report.lines() == [
        f"Starting from {folder} (full: the whole model)",
        "  loaded      6 of 8 variables",
        "  not loaded  2, left at their initial values (3 classes there, 2 here): "
        "box_predictor/head/kernel, box_predictor/head/bias",
    ]
    np.testing.assert_array_equal(before, convert_to_numpy(fresh.head.kernel))


def test_what_is_missing_there_is_named(tmp_path):
    folder = saved(tmp_path, TinyDetector())
    arrays = {"box_predictor/head/kernel": np.zeros((9, 6)), "more": np.zeros(1)}
    arrays["feature_extractor/norm/gamma"] = np.full(8, np.nan)
    arrays["feature_extractor/norm/beta"] = np.ones(8, "float32")
    save_arrays(folder / folders.WEIGHTS, arrays)
    report = restore(TinyDetector(), str(folder), "full")
    assert report.loaded == ("feature_extractor/norm/beta",)
    assert (
        report.skipped["box_predictor/head/kernel"] == "shape (9, 6) there, (8, 6) here"
    )
    assert report.skipped["box_predictor/head/bias"] == "missing there"
    assert report.skipped["feature_extractor/norm/gamma"] == "NaN or infinite there"
    assert report.lines()[-1] == "  not used    1: more"


def test_nothing_that_fits_is_an_error(tmp_path):
    folder = saved(tmp_path, TinyDetector())
    save_arrays(folder / folders.WEIGHTS, {"conv2d/kernel": np.zeros(3)})
    with pytest.raises(CheckpointError, match="none of its 1 variable fits one of"):
        restore(TinyDetector(), str(folder), "full")


@pytest.mark.parametrize("wanted", [True, False])
def test_averages_are_taken_where_the_run_evaluates_them(tmp_path, wanted):
    config = f"eval_config {{ use_moving_averages: {str(wanted).lower()} }}"
    folder = saved(tmp_path, TinyDetector(), config=config)
    average = np.full((8, 6), 9.0, "float32")
    save_arrays(folder / folders.AVERAGES, {"box_predictor/head/kernel": average})
    fresh = TinyDetector(seed=2)
    restore(fresh, str(folder), "full")
    assert (convert_to_numpy(fresh.head.kernel) == average).all() == wanted


def test_a_file_of_backbone_weights_restores_as_classification(tmp_path):
    kernel, more = np.ones((3, 3, 3, 8), "float32"), np.zeros(5, "float32")
    file = tmp_path / "backbone.npz"
    np.savez(file, **{"conv/kernel": kernel, "predictions/bias": more})
    fresh = TinyDetector()
    report = restore(fresh, str(file), "classification")
    assert (convert_to_numpy(fresh.conv.kernel) == 1).all()
    assert report.skipped == {"conv/bias": "missing there"}
    assert report.unused == ("predictions/bias",)
    with pytest.raises(CheckpointError, match=r"cannot be restored as 'full'\n.*set"):
        restore(fresh, str(file), "full")


def test_the_originals_checkpoints_are_told_from_ours(tmp_path):
    (tmp_path / "ckpt-0.index").write_bytes(b"_CHECKPOINTABLE_OBJECT_GRAPH")
    weights = {"FeatureExtractor/Conv/weights": np.zeros(2, "float32")}
    tf2_checkpoints.write(tmp_path / "model.ckpt", weights, tf1=True)
    for name, message in [
        ("ckpt-0", r"is a TF2 checkpoint.*\n.*odapi zoo import"),
        (
            "model.ckpt",
            r"is a TF1 checkpoint.*, from which neither .*\n.*odapi zoo list",
        ),
        ("gone", "does not exist"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            restore(TinyDetector(), str(tmp_path / name), "detection")


def test_an_unknown_kind_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'full'"):
        restore(TinyDetector(), str(tmp_path), "ful")
