"""Kind of model at a path, determined without a backend."""

import pytest

from odapi.api.model_path import locate, locate_weights
from odapi.errors import CheckpointError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


RUN = ("pipeline.config", "checkpoints/step-00000002/weights.h5",
       "checkpoints/step-00000010/weights.h5")  # fmt: skip
EXPORT = ("saved_model/saved_model.pb", "checkpoint/weights.h5", "pipeline.config")


@pytest.mark.parametrize(
    ("names", "given", "exported", "weights"),
    [
        (RUN, "", None, "checkpoints/step-00000010"),
        (RUN, "checkpoints", None, "checkpoints/step-00000010"),
        (RUN, "checkpoints/step-00000002", None, "checkpoints/step-00000002"),
        (RUN, RUN[1], None, "checkpoints/step-00000002"),
        (EXPORT, "", "saved_model", "checkpoint"),
        (EXPORT, "saved_model", "saved_model", "checkpoint"),
        (EXPORT, EXPORT[0], "saved_model", "checkpoint"),
        (EXPORT, "checkpoint", None, "checkpoint"),
        (("saved_model.pb",), "", "", None),
        (("weights.h5",), "", None, ""),
        (("checkpoint/weights.h5",), "", None, "checkpoint"),
    ],
)
def test_kinds_of_paths(tmp_path, names, given, exported, weights):
    touch(tmp_path, *names)
    place = locate(tmp_path / given)
    assert place.exported == (None if exported is None else tmp_path / exported)
    assert place.weights == (None if weights is None else tmp_path / weights)
    assert place.title == ("" if exported is None else "SavedModel")


@pytest.mark.parametrize(
    ("names", "given", "message"),
    [
        ((), "none", "does not exist"),
        ((), "", "the folder contains nothing"),
        (("a.txt", "b/c.txt"), "", "the folder contains a.txt, b"),
        ([f"{n}.jpg" for n in range(9)], "", "contains 0.jpg, .*4.jpg and 4 more"),
        (("pipeline.config",), "", "nothing was saved here yet|no checkpoint"),
        (("model.pt",), "model.pt", "PyTorch"),
    ],
)
def test_other_paths_are_explained(tmp_path, names, given, message):
    touch(tmp_path, *names)
    with pytest.raises(CheckpointError, match=message) as error:
        locate(tmp_path / given)
    for accepted in ("run folder", "checkpoint", "odapi export", "SavedModel"):
        assert accepted in error.value.hint


def test_an_export_without_weights_has_none(tmp_path):
    touch(tmp_path, "saved_model.pb")
    with pytest.raises(CheckpointError, match="is a SavedModel without weights"):
        locate_weights(tmp_path)


def test_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    touch(tmp_path / "run", "weights.h5")
    assert locate("~/run").weights == tmp_path / "run"
