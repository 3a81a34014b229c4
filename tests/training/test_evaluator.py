"""Evaluation during training leaves out losses that the data cannot give."""

import types

import pytest

from odapi.config.load import load_config
from odapi.errors import DataError
from odapi.labels import label_map_of
from odapi.training import evaluator
from odapi.training.evaluator import Evaluator


class Boxes:
    """Data that have boxes alone."""

    def check_has(self, fields):
        if fields:
            raise DataError("val.json", f"comes without {fields[0]}")


@pytest.mark.parametrize(
    ("fields", "with_losses", "said"),
    [
        ((), True, ""),
        (
            ("masks",),
            False,
            "Evaluation measures no losses: val.json: comes without masks",
        ),
    ],
)
def test_losses_are_left_out_where_the_data_lack_groundtruth(
    fields, with_losses, said, monkeypatch, capsys
):
    asked = {}

    class StoppedError(Exception):
        pass

    def evaluate_loop(*args, **options):
        asked.update(options)
        raise StoppedError

    monkeypatch.setattr(evaluator, "evaluate_loop", evaluate_loop)
    detector = types.SimpleNamespace(groundtruth_fields=fields)
    config = load_config("eval_config { }")
    made = Evaluator(config, Boxes(), detector, label_map_of(["cat"]), None)
    told = " ".join("".join(capsys.readouterr()).split())
    assert said in told
    assert bool(told) == bool(said)
    with pytest.raises(StoppedError):
        made(detector, 1)
    assert asked["with_losses"] == with_losses
    assert asked["explains"] and not asked["is_trained"]
    with pytest.raises(StoppedError):
        made(detector, 100)
    assert asked["is_trained"]
