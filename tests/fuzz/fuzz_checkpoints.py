"""Kinds of damaged checkpoints, states, histories and archives."""

import gzip
import io
import json
import tarfile

import fuzz_changes as changes
import numpy as np
from fuzz_harness import Kind

import tf2_checkpoints
from odapi.checkpoints import pretrained, training_state, weights
from odapi.report.curves import save_curves
from odapi.report.history import History
from odapi.zoo.archive import unpack
from odapi.zoo.checkpoint.reader import OBJECT_GRAPH, Checkpoint

_ARRAYS = {
    "stem/kernel": np.arange(60, dtype=np.float32).reshape(3, 4, 5),
    "stem/bias": np.ones(5, np.float32),
    "step": np.array(7, np.int64),
    "empty": np.zeros((0, 3), np.float32),
}
_FACTS = {"step": 5, "epoch": 1, "position": {"seed": 1, "next": [3, 4]}, "best": 0.5}
_CHECKSUM = b"\nodapi sha256 "


def _damage_weights(folder, rng):
    """Damages a weight file; half of them have no checksum, as old ones."""
    file = folder / "weights.h5"
    data = file.read_bytes()
    if rng.integers(2):
        data = data.rpartition(_CHECKSUM)[0]
    for _ in range(int(rng.integers(1, 4))):
        data = changes.damage(data, rng)
    file.write_bytes(data)


def _damage_one(*names):
    def damage(folder, rng):
        file = folder / names[rng.integers(len(names))]
        file.write_bytes(changes.damage(file.read_bytes(), rng))

    return damage


def _damage_facts(folder, rng):
    file = folder / training_state.FACTS
    content = json.loads(file.read_bytes())
    if rng.integers(2):
        content = {k: v for k, v in content.items() if k in _FACTS}
    file.write_bytes(changes.damage_json(json.dumps(content).encode(), rng))


def _write_history(folder):
    lines = [{"step": s, "metrics": {"mAP": 0.1 * s, "AR": None}} for s in range(5)]
    means = {"total": 1.0, "learning_rate": 0.1}
    losses = [{"step": s, "losses": means} for s in (1, 2)]
    for name, entries in {"metrics.jsonl": lines, "losses.jsonl": losses}.items():
        (folder / name).write_text("".join(json.dumps(e) + "\n" for e in entries))


def _damage_history(folder, rng):
    file = folder / ("metrics.jsonl", "losses.jsonl")[rng.integers(2)]
    lines = file.read_bytes().splitlines()
    at = rng.integers(len(lines))
    lines[at] = changes.damage_json(lines[at], rng)
    data = b"\n".join(lines) + b"\n"
    file.write_bytes(changes.damage(data, rng) if rng.integers(4) == 0 else data)


def _read_history(folder):
    history = History(folder, 10)
    history.at(2), history.best("mAP")
    history.add_losses(6, {"total": 0.5}, 0.1)
    history.add(6, {"mAP": 0.5})
    save_curves(folder, history)


def _write_archive(folder):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name in ("model/pipeline.config", "model/checkpoint/ckpt-0.index"):
            member = tarfile.TarInfo(name)
            member.size = 700
            tar.addfile(member, io.BytesIO(b"x" * 700))
    (folder / "model.tar").write_bytes(content.getvalue())


def _damage_archive(folder, rng):
    """Damages the archive before or after it is packed."""
    data = (folder / "model.tar").read_bytes()
    if rng.integers(2):
        data = gzip.compress(changes.damage(data, rng), 1)
    else:
        data = changes.damage(gzip.compress(data, 1), rng)
    (folder / "model.tar.gz").write_bytes(data)


def _write_tf2(folder):
    tf2_checkpoints.write(folder / "ckpt-1", _TENSORS)


_TENSORS = {
    "model/kernel": np.arange(12, dtype=np.float32).reshape(3, 4),
    "model/bias": np.ones(4, np.float32),
    "save_counter": np.array(1, np.int64),
}


def _read_tf2(folder):
    checkpoint = Checkpoint(folder / "ckpt-1")
    for key in checkpoint.keys():
        if key != OBJECT_GRAPH:
            checkpoint[key]


CHECKPOINT_KINDS = {
    "weights": Kind(
        lambda folder: weights.save_arrays(folder / "weights.h5", _ARRAYS),
        _damage_weights,
        lambda folder: weights.load_arrays(folder / "weights.h5"),
    ),
    "pretrained": Kind(
        lambda folder: np.savez(folder / "x.npz", **_ARRAYS),
        _damage_one("x.npz"),
        lambda folder: pretrained.read(folder / "x.npz"),
    ),
    "training_state": Kind(
        lambda folder: training_state.save_facts(folder, _FACTS),
        _damage_facts,
        training_state.load_facts,
    ),
    "history": Kind(_write_history, _damage_history, _read_history),
    "archive": Kind(
        _write_archive,
        _damage_archive,
        lambda folder: unpack(folder / "model.tar.gz", folder / "out"),
    ),
    "tf2_checkpoint": Kind(
        _write_tf2,
        _damage_one("ckpt-1.index", "ckpt-1.data-00000-of-00001"),
        _read_tf2,
    ),
}
