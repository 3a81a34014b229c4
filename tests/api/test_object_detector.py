"""`ObjectDetector`: loading, compiling once, sharing, saving, exporting."""

import gc

import numpy as np
import pytest

import odapi
from odapi.api.shared_models import SHARED_MODELS
from odapi.draw.file import save_image
from odapi.errors import CheckpointError, ConfigError, DataError, OutputError

ObjectDetector = odapi.ObjectDetector


@pytest.fixture(autouse=True)
def nothing_loaded():
    SHARED_MODELS.clear()


@pytest.fixture
def traces(monkeypatch):
    """Counts how often the detector is traced."""
    from odapi.models.single_stage.anchor_detector import AnchorDetector

    counted, call = [], AnchorDetector.call

    def counting(self, inputs, training=False):
        counted.append(inputs["images"].shape)
        return call(self, inputs, training)

    monkeypatch.setattr(AnchorDetector, "call", counting)
    return counted


def boxes_of(found):
    return np.concatenate([row.boxes for row in found])


def test_a_run_a_checkpoint_and_weights_are_the_same_model(run, image):
    (checkpoint,) = (run / "checkpoints").glob("step-*")
    objects = [
        ObjectDetector.load(path)
        for path in (run, str(checkpoint), checkpoint / "weights.h5")
    ]
    for detector in objects:
        assert detector.label_map == objects[0].label_map
        assert (detector.step, detector.is_exported) == (5, False)
        found = detector.predict(image, 0.0)
        assert len(found[0]) > 0
        np.testing.assert_array_equal(
            boxes_of(found), boxes_of(objects[0].predict(image, 0.0))
        )


def test_the_exported_program_runs_in_python_and_finds_the_same(exported, run, image):
    detector = ObjectDetector.load(exported)
    assert detector.is_exported and "(SavedModel): " in repr(detector)
    assert type(detector.predictor).__name__ == "SavedModelPredictor"
    found = detector.predict(image, 0.01)
    expected = odapi.predict(run, image, 0.01)
    np.testing.assert_allclose(found[0].scores, expected[0].scores, atol=1e-3)
    for path in (exported / "saved_model", exported / "saved_model/saved_model.pb"):
        assert ObjectDetector.load(path).is_exported
    assert not ObjectDetector.load(exported / "checkpoint").is_exported
    functional = odapi.predict(exported, image, 0.01)
    assert functional == found


def test_an_exported_program_says_what_it_cannot_do(exported):
    detector = ObjectDetector.load(exported)
    with pytest.raises(CheckpointError, match="is not a Keras model") as error:
        _ = detector.keras_model
    assert str(exported / "checkpoint") in error.value.hint
    with pytest.raises(ConfigError, match="an exported model cannot be changed"):
        ObjectDetector.load(exported, ["model.ssd.num_classes=1"])
    assert detector.config.model.HasField("ssd")
    assert detector.step is None


def test_a_saved_model_alone_has_no_weights(exported, tmp_path, image):
    alone = tmp_path / "alone"
    alone.mkdir()
    (exported / "saved_model").rename(alone / "saved_model")
    try:
        detector = ObjectDetector.load(alone)
        assert len(detector.label_map) == 0
        found = detector.predict(image, 0.0)[0]
        assert set(found.labels) <= {"class 1", "class 2"}
        for use in (
            lambda: detector.export("out"),
            lambda: detector.save("out"),
            lambda: detector.config,
            lambda: odapi.export(alone, "out"),
        ):
            with pytest.raises(CheckpointError, match=r"weights|config"):
                use()
    finally:
        (alone / "saved_model").rename(exported / "saved_model")


def test_many_calls_compile_once_per_shape(run, image, traces):
    detector = ObjectDetector.load(run)
    for _ in range(3):
        detector.predict(image)
        detector.predict([image, image[:50]])
    single = len(traces)
    for count in (5, 7, 8, 20):
        detector.predict([image] * count)
    assert single == 1 and len(traces) == 2
    list(detector.predict(iter([image]), stream=True))
    assert len(traces) == 2


def test_loading_twice_compiles_once(run, image, traces):
    first = ObjectDetector.load(run)
    first.predict(image)
    second = ObjectDetector.load(str(run))
    second.predict(image)
    odapi.predict(run, image)
    assert len(traces) == 1
    ObjectDetector.load(run, ["eval_config.batch_size=1"]).predict(image)
    assert len(traces) == 2


def test_a_model_that_is_handed_out_is_not_shared(run, image):
    first, second = ObjectDetector.load(run), ObjectDetector.load(run)
    expected = second.predict(image, 0.0)
    model = first.keras_model
    for variable in model.trainable_variables:
        variable.assign(variable * 0)
    assert first.keras_model is model
    assert second.predict(image, 0.0) == expected
    assert ObjectDetector.load(run).predict(image, 0.0) == expected
    assert first.predict(image, 0.0) != expected
    assert second.keras_model is not model


@pytest.mark.slow
def test_changed_files_are_loaded_anew(run, tmp_path, image):
    copy = ObjectDetector.load(run).save(tmp_path / "copy")
    first = ObjectDetector.load(copy)
    model = ObjectDetector.load(run).keras_model
    for variable in model.trainable_variables:
        variable.assign(variable * 0)
    changed = ObjectDetector.load(run)
    changed.keras_model.set_weights(model.get_weights())
    changed.save(copy)
    second = ObjectDetector.load(copy)
    assert second.predict(image, 0.0) != first.predict(image, 0.0)


def test_unused_models_are_freed(run):
    first, second = ObjectDetector.load(run), None
    assert len(SHARED_MODELS) == 1
    second = ObjectDetector.load(run, ["eval_config.batch_size=3"])
    del first
    gc.collect()
    assert len(SHARED_MODELS) == 1
    del second


@pytest.mark.slow
def test_a_config_alone_gives_random_weights(config, image, tmp_path):
    first = ObjectDetector.from_config(config, ["options.seed=1"])
    again = ObjectDetector.from_config(config, ["options.seed=1"])
    other = ObjectDetector.from_config(config, ["options.seed=2"])
    found = first.predict(image, 0.0)
    assert found == again.predict(image, 0.0) and found != other.predict(image, 0.0)
    assert first.class_names == ("class 1", "class 2")
    assert (first.path, first.step) == (None, 0)
    assert repr(first) == "<ObjectDetector in memory: 2 classes>"
    (tmp_path / "map.pbtxt").write_text(
        "item { id: 2 name: 'cat' } item { id: 1 name: 'dog' display_name: 'a dog' }"
    )
    path = f"train_input_reader.label_map_path={tmp_path / 'map.pbtxt'}"
    named = ObjectDetector.from_config(config, [path])
    assert named.class_names == ("a dog", "cat")


@pytest.mark.slow
def test_what_is_saved_loads_with_equal_results(config, image, tmp_path):
    names = ["dog", "cat"]
    built = ObjectDetector.from_config(config, label_map=names)
    saved = built.save(tmp_path / "saved")
    loaded = ObjectDetector.load(saved)
    assert loaded.class_names == tuple(names) and loaded.step == 0
    assert "dog" in str(built.keras_model.get_config()["label_map"])
    assert loaded.predict(image, 0.0)[0].scores.tolist() == (
        built.predict(image, 0.0)[0].scores.tolist()
    )
    assert loaded.config == built.config
    assert built.save(saved) == saved  # Replaces the checkpoint.
    with pytest.raises(CheckpointError, match="is not trained"):
        built.export(tmp_path / "exported")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("")
    with pytest.raises(OutputError, match="did not write: notes"):
        built.save(tmp_path / "full")
    with pytest.raises(OutputError, match="is a file; a checkpoint is a folder"):
        built.save(tmp_path / "full" / "notes.txt")


def test_a_keras_file_is_a_model_too(run, image, tmp_path):
    detector = ObjectDetector.load(run)
    detector.keras_model.save(tmp_path / "model.keras")
    with pytest.raises(ConfigError, match=r"\.keras file holds its own config"):
        ObjectDetector.load(tmp_path / "model.keras", ["options.seed=1"])
    loaded = ObjectDetector.load(tmp_path / "model.keras")
    assert loaded.config == detector.config
    expected = detector.predict(image, 0.0)[0]
    for found in (loaded, ObjectDetector.from_keras(loaded.keras_model)):
        np.testing.assert_allclose(
            found.predict(image, 0.0)[0].scores, expected.scores, rtol=1e-5
        )
    (tmp_path / "other.keras").write_bytes(b"no archive")
    with pytest.raises(CheckpointError, match="cannot be read: File is not a zip file"):
        ObjectDetector.load(tmp_path / "other.keras")


def test_files_become_a_list_with_paths(run, image, tmp_path):
    for name in ("b2.png", "b10.png"):
        save_image(tmp_path / name, image)
    detector = ObjectDetector.load(run)
    found = detector.predict(tmp_path, 0.0)
    assert [row.path.name for row in found] == ["b2.png", "b10.png"]
    streamed = list(detector.predict(str(tmp_path / "*.png"), 0.0, stream=True))
    assert streamed == found and streamed[0].pixels is not None


def test_the_config_is_a_copy(run):
    detector = ObjectDetector.load(run)
    detector.config.model.ssd.num_classes = 99
    assert detector.config.model.ssd.num_classes == 2


@pytest.mark.parametrize("given", ["runs/first", None, {"a": 1}])
def test_the_constructor_names_the_ways_to_make_one(given):
    with pytest.raises(CheckpointError) as caught:
        odapi.ObjectDetector(given)
    assert str(caught.value) == (
        f"ObjectDetector({given!r}): the constructor takes no path, config or model\n"
        "  hint: ObjectDetector.load(PATH), from_config, from_keras and from_zoo "
        "make one"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size: must be 1 or more, got 0"),
        ({"batch_size": 1.5}, "batch_size: must be a whole number, got 1.5"),
        ({"max_images": -1}, "max_images: must be 0 or more, got -1"),
        ({"max_images": "3"}, "max_images: must be a whole number, got '3'"),
    ],
)
def test_numbers_of_evaluation_and_export_are_checked_first(run, options, message):
    with pytest.raises(DataError) as caught:
        odapi.evaluate(run, **options)
    assert str(caught.value) == message
    if "batch_size" in options:
        with pytest.raises(DataError) as caught:
            odapi.export(run, "none", **options)
        assert str(caught.value) == message
