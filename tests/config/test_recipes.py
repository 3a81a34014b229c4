"""The recipes: nothing in them is without effect, and their models can be built."""

import pytest

from odapi.config.check import find
from odapi.config.load import load_config

NAMES = [
    "bccd_fpnlite_320",
    "ducky_fpnlite_320",
    "mask_rcnn_resnet50_v1_fpn_640x640",
]


def test_all_recipes_are_here(root):
    assert sorted(p.stem for p in (root / "recipes").glob("*.config")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_says_nothing_in_vain(root, name):
    config = load_config(root / "recipes" / f"{name}.config")
    findings = find(config, for_data=False, for_training=False)
    assert not [str(f) for f in findings if "learning_rate" not in str(f)]


@pytest.mark.parametrize("depth", [50, 101])
def test_mask_rcnn_of_other_depths(root, depth):
    kind = f"faster_rcnn_resnet{depth}_fpn_keras"
    config = load_config(
        root / "recipes" / "mask_rcnn_resnet50_v1_fpn_640x640.config",
        [f"model.faster_rcnn.feature_extractor.type={kind}"],
    )
    assert not list(find(config, for_data=False, for_training=False))
