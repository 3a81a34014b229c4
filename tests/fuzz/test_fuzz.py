"""Damaged inputs of every kind end in success or in an OdapiError, soon."""

import fuzz_harness
import pytest
from fuzz_checkpoints import CHECKPOINT_KINDS
from fuzz_formats import FORMAT_KINDS
from fuzz_kinds import DATA_KINDS

KINDS = DATA_KINDS | FORMAT_KINDS | CHECKPOINT_KINDS

_CASES = 300
_FEWER = {"config": 100, "voc": 200, "yolo": 200, "tfrecord": 200}  # They take longer.
_FEWER |= dict.fromkeys(FORMAT_KINDS, 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_damaged_inputs_are_read_or_refused(name, tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path))
    cases = _FEWER.get(name, _CASES)
    found = fuzz_harness.run(KINDS[name], cases, seed=0)
    assert found.failed == []
    assert found.read + found.refused == cases
    assert found.read  # Damage that is always noticed tests one message.
