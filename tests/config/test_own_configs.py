"""Our own configs raise none of our own warnings about training."""

import pathlib

import pytest

from odapi.config.check import find
from odapi.config.load import load_config

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = [*sorted((ROOT / "recipes").glob("*.config")), ROOT / "src/odapi/quickstart"]
PATH = (
    "train_config.optimizer.momentum_optimizer.learning_rate."
    "cosine_decay_learning_rate.learning_rate_base"
)


def warnings_of(config, *overrides):
    return [f.path for f in find(load_config(config, overrides)) if not f.is_error]


@pytest.mark.parametrize("config", OURS, ids=lambda path: path.stem)
def test_a_config_of_ours_has_no_warning_about_its_training(config):
    found = [p for p in warnings_of(config) if p.startswith(("train_config", "model"))]
    assert found == []


@pytest.mark.parametrize(
    ("rate", "clipping", "warned"),
    [(0.08, 10.0, False), (0.09, 10.0, True), (0.05, 0.0, True)],
)
def test_clipped_gradients_allow_a_higher_rate(rate, clipping, warned):
    overrides = (
        f"{PATH}={rate}",
        f"train_config.gradient_clipping_by_norm={clipping}",
        "train_config.batch_size=8",
    )
    config = ROOT / "recipes" / "bccd_fpnlite_320.config"
    assert (PATH in warnings_of(config, *overrides)) == warned
