"""Weight files and state files that were changed, cut short or written by nobody."""

import json
import random
import zipfile

import h5py
import numpy as np
import pytest

from odapi.api.object_detector import ObjectDetector
from odapi.checkpoints import pretrained, training_state, weights
from odapi.checkpoints.array_file import read_arrays
from odapi.errors import CheckpointError
from tiny_detector import TinyDetector

ARRAYS = {
    "a/kernel": np.arange(60, dtype=np.float32).reshape(3, 4, 5),
    "a/bias": np.ones(5, np.float32),
    "step": np.array(7, np.int64),
    "empty": np.zeros((0, 3), np.float32),
}
CHANGED = "is damaged: its content differs from its checksum"
COPY = "\n  hint: copy the file again, or use another checkpoint"


def without_checksum(path):
    """Makes a file as old versions of odapi wrote it."""
    path.write_bytes(path.read_bytes().rpartition(b"\nodapi sha256 ")[0])


@pytest.fixture
def file(tmp_path):
    weights.save_arrays(tmp_path / "weights.h5", ARRAYS)
    return tmp_path / "weights.h5"


def test_a_file_with_a_checksum_is_plain_hdf5(file):
    with h5py.File(file) as opened:
        assert opened["a/kernel"].shape == (3, 4, 5)
    for name, array in read_arrays(file).items():
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_old_files_without_a_checksum_are_read(file):
    without_checksum(file)
    assert b"sha256" not in file.read_bytes()
    assert {n: a.tolist() for n, a in read_arrays(file).items()} == {
        n: a.tolist() for n, a in ARRAYS.items()
    }


def test_every_flipped_bit_is_found(file):
    good, rng = file.read_bytes(), random.Random(0)
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(good)
        damaged[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        file.write_bytes(damaged)
        try:
            found = read_arrays(file)
        except CheckpointError as error:
            assert str(error) == f"{file}: {CHANGED}{COPY}"
            outcomes.add("refused")
            continue
        # The bit was in the mark of the line with the checksum.
        assert all((found[n] == a).all() for n, a in ARRAYS.items())
        outcomes.add("same")
    assert "refused" in outcomes


@pytest.mark.parametrize("old", [False, True])
def test_damage_of_any_kind_is_one_type_of_error(file, old):
    if old:
        without_checksum(file)
    good, rng = file.read_bytes(), random.Random(1)
    for number in range(150):
        damaged = bytearray(good)
        if number % 3 == 0:
            del damaged[rng.randrange(len(good)) :]
        else:
            for _ in range(rng.choice([1, 8, 64])):
                damaged[rng.randrange(min(len(good), 4000))] = rng.randrange(256)
        file.write_bytes(damaged)
        try:
            read_arrays(file)
        except CheckpointError as error:
            assert error.place == str(file)


@pytest.mark.parametrize("count", [2**30, 2**40])
@pytest.mark.parametrize("chunks", [None, (1024,)])
def test_a_claim_that_the_file_cannot_hold_is_refused(tmp_path, count, chunks):
    file = tmp_path / "weights.h5"
    with h5py.File(file, "w") as opened:
        opened["a"] = np.ones(3, np.float32)
        opened.create_dataset("b", (count,), np.float32, chunks=chunks)
    with pytest.raises(CheckpointError) as caught:
        read_arrays(file)
    assert str(caught.value) == (
        f"{file}: is damaged: it has {file.stat().st_size} bytes, but b claims the "
        f"shape ({count},) of float32{COPY}"
    )


def test_compressed_arrays_of_other_programs_are_read(tmp_path):
    array = np.zeros((1000, 100), np.float32)
    with h5py.File(tmp_path / "w.h5", "w") as opened:
        opened.create_dataset("a", data=array, compression="gzip")
    assert read_arrays(tmp_path / "w.h5")["a"].shape == (1000, 100)


def test_arrays_in_other_files_and_texts_are_refused(tmp_path):
    (tmp_path / "raw").write_bytes(bytes(12))
    with h5py.File(tmp_path / "w.h5", "w") as opened:
        place = [(str(tmp_path / "raw"), 0, 12)]
        opened.create_dataset("a", (3,), np.float32, external=place)
    with pytest.raises(CheckpointError, match="a is stored in another file"):
        read_arrays(tmp_path / "w.h5")
    with h5py.File(tmp_path / "w.h5", "w") as opened:
        opened["a"] = "text"
    with pytest.raises(CheckpointError, match="a has the type object, not numbers"):
        read_arrays(tmp_path / "w.h5")


def test_a_misfit_is_reported_before_arrays_are_read(file, monkeypatch):
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda *a: pytest.fail("read"))
    with pytest.raises(CheckpointError, match="does not fit the model"):
        weights.load_weights(TinyDetector(), file)


FACTS = {
    "step": 1000,
    "data": {"position": {"next_index": 16000}, "seed": 3, "in_batches": False},
    "seconds": 1.5,
    "reference_loss": None,
}
STATE_HINT = (
    "\n  hint: a checkpoint without it can be evaluated, exported and fine-tuned "
    "(train_config.fine_tune_checkpoint), but not resumed"
)


def test_facts_come_back_and_have_a_checksum(tmp_path):
    training_state.save_facts(tmp_path, {**FACTS, "workers": {10: 1, 9: 2}})
    assert training_state.load_facts(tmp_path) == {
        **FACTS,
        "workers": {"10": 1, "9": 2},
    }
    file = tmp_path / training_state.FACTS
    file.write_text(file.read_text().replace("16000", "16001"))
    with pytest.raises(CheckpointError) as caught:
        training_state.load_facts(tmp_path)
    assert str(caught.value) == f"{file}: {CHANGED}{STATE_HINT}"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('"step-1"', 'it is no JSON object, but "step-1"'),
        ("[1]", "it is no JSON object, but [1]"),
        ("null", "it is no JSON object, but null"),
        ("{}", "step is null, not a number of steps"),
        ('{"step": 1e400}', "step is Infinity, not a number of steps"),
        ('{"step": -1}', "step is -1, not a number of steps"),
        ('{"step": true}', "step is true, not a number of steps"),
        ('{"step": [[1]]}', "step is [[1]], not a number of steps"),
        ('{"step": 1, "seconds": null}', "seconds is null, not a number"),
        ('{"step": 1, "seconds": NaN}', "seconds is NaN, not a number"),
        ('{"step": 1, "reference_loss": "x"}', 'reference_loss is "x", not a number'),
        ('{"step": 1, "data": 3}', "data is 3, not a position in the data"),
        (
            '{"step": 1, "data": {"next_index": 1e400}}',
            'data is {"next_index": Infinity}, not a position in the data',
        ),
    ],
)
def test_damaged_facts_of_old_versions(tmp_path, content, problem):
    file = tmp_path / training_state.FACTS
    file.write_text(content)
    with pytest.raises(CheckpointError) as caught:
        training_state.load_facts(tmp_path)
    assert str(caught.value) == f"{file}: is damaged: {problem}{STATE_HINT}"
    assert training_state.find_step(tmp_path) in (None, 1)


@pytest.mark.parametrize("content", [b"\xff\xfe{", b"\xe4", b"[" * 100_000, b""])
def test_facts_that_are_not_json(tmp_path, content):
    (tmp_path / training_state.FACTS).write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read: not valid JSON"):
        training_state.load_facts(tmp_path)
    assert training_state.find_step(tmp_path) is None


def test_old_facts_without_a_checksum_are_read(tmp_path):
    (tmp_path / training_state.FACTS).write_text(json.dumps(FACTS))
    assert training_state.load_facts(tmp_path) == FACTS
    assert training_state.find_step(tmp_path) == 1000


@pytest.mark.parametrize("kind", ["keras", "npz"])
def test_damaged_zip_files_are_one_type_of_error(tmp_path, kind):
    file, rng = tmp_path / f"model.{kind}", random.Random(2)
    np.savez(tmp_path / "a.npz", **{"conv/kernel": np.ones((5, 5), np.float32)})
    good = (tmp_path / "a.npz").read_bytes()
    read = pretrained.read if kind == "npz" else ObjectDetector.load
    for number in range(60):
        damaged = bytearray(good)
        if number % 2:
            del damaged[rng.randrange(len(good)) :]
        else:
            damaged[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
        file.write_bytes(damaged)
        try:
            assert (read(file)["conv/kernel"] == 1).all()
        except CheckpointError as error:
            assert error.place == str(file)


def test_a_keras_file_that_was_changed(tmp_path):
    file = tmp_path / "model.keras"
    with zipfile.ZipFile(file, "w") as opened:
        for name in ("config.json", "metadata.json", "model.weights.h5"):
            opened.writestr(name, f"the content of {name}")
    file.write_bytes(
        file.read_bytes().replace(b"content of model", b"CONTENT of model")
    )
    with pytest.raises(CheckpointError) as caught:
        ObjectDetector.load(file)
    assert str(caught.value) == (
        f"{file}: cannot be read: the checksum of model.weights.h5 in it is wrong"
        "\n  hint: the file is damaged or of another kind; copy or download it again"
    )
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("config.json", "{}")
    with pytest.raises(CheckpointError, match=r"it contains no metadata\.json"):
        ObjectDetector.load(file)


def test_an_npz_that_claims_more_than_it_has(tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"
    header = header.ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as opened:
        opened.writestr("a.npy", content)
    with pytest.raises(CheckpointError) as caught:
        pretrained.read(tmp_path / "w.npz")
    assert str(caught.value) == (
        f"{tmp_path / 'w.npz'}: cannot be read: a.npy has 128 bytes, but claims the "
        "shape (1099511627776,) of float32"
    )
