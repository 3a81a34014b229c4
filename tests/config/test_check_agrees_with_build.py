"""`odapi config check` reports an error exactly when building from a config raises."""

import pytest

from config_mutations import Mutator
from odapi.config import check
from odapi.config.rules.registry import Part, require
from odapi.errors import OdapiError
from weightless import build_all, real_configs, remove_weights


@pytest.fixture
def without_weights(monkeypatch):
    remove_weights(monkeypatch)


def _build(config):
    build_all(config)
    require(config, Part.TRAINING)  # As `train` does; no builder reads these.


def _disagreement(config):
    """Returns the difference between check and build ("": none), and the verdict."""
    found = check.find(config, for_data=False)
    errors = [str(f) for f in found if f.is_error]
    try:
        _build(config)
    except OdapiError as error:
        return "" if errors else f"only build raises: {error}", bool(errors)
    except Exception as error:
        return f"build raises {type(error).__name__}: {error}", bool(errors)
    return f"only check reports: {errors}" if errors else "", bool(errors)


def _mutants(shared, seed, count=300):
    configs = real_configs(shared)
    mutator = Mutator(list(configs.values()), seed)
    names = [sorted(configs)[n % len(configs)] for n in range(count)]
    return [(name, *mutator.mutate(configs[name])) for name in names]


def _assert_agreement(mutants):
    wrong, refused = [], 0
    for name, config, changes in mutants:
        said, is_refused = _disagreement(config)
        refused += is_refused
        if said:
            wrong.append(f"{name}: {'; '.join(changes)}\n    {said[:300]}")
    assert not wrong, f"{len(wrong)} of {len(mutants)}\n" + "\n".join(wrong[:40])
    # Neither side of the property is empty.
    assert 0.2 < refused / len(mutants) < 0.8


def test_check_and_build_agree_on_random_changes(shared, without_weights):
    _assert_agreement(_mutants(shared, seed=0, count=200))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 8))
def test_check_and_build_agree_on_more_changes(shared, without_weights, seed):
    _assert_agreement(_mutants(shared, seed))
