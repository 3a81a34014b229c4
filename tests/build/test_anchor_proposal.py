"""Recall of the anchors of a config, proposals, and their merging into the config."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import tiny_data
from odapi.build.anchor_proposal import propose_anchors
from odapi.build.anchor_report import report_anchors
from odapi.build.anchor_setup import AnchorSetup, anchor_setup
from odapi.cli.config import app as config_app
from odapi.cli.data import app as data_app
from odapi.config.load import load_config
from odapi.config.merge import merge
from odapi.data.anchor_recall import Border
from odapi.data.image.resize import FixedShape
from odapi.data.resized_boxes import ResizedBoxes
from odapi.data.sources import open_source
from odapi.errors import ConfigError
from odapi.targets.matchers import ArgmaxMatcher

ZOO = "configs/tf2/ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8.config"
GRIDS = [(40, 40), (20, 20), (10, 10)]
GENERATORS = {
    "multiscale_anchor_generator": "min_level: 3 max_level: 5 "
    "aspect_ratios: [1.0, 2.0]",
    "ssd_anchor_generator": "num_layers: 3 aspect_ratios: [1.0, 2.0]",
    "grid_anchor_generator": "scales: [1.0, 2.0] aspect_ratios: 1.0 "
    "height_stride: 8 width_stride: 8",
    "flexible_grid_anchor_generator": "".join(
        f"anchor_grid {{ base_sizes: [200, 300] aspect_ratios: [1, 1] "
        f"height_stride: {s} width_stride: {s} }} "
        for s in (8, 16, 32)
    ),
}


def message_of(kind, overrides=()):
    generator = f"anchor_generator {{ {kind} {{ {GENERATORS[kind]} }} }}"
    config = load_config(f"model {{ ssd {{ {generator} }} }}", overrides)
    return config.model.ssd.anchor_generator


def setup_of(kind):
    grids = GRIDS[:1] if kind == "grid_anchor_generator" else GRIDS
    return AnchorSetup(
        "model.ssd.anchor_generator",
        message_of(kind),
        FixedShape(320, 320),
        ArgmaxMatcher(0.5),
        Border.CROSSED,
        lambda _: grids,
    )


def objects(count=200, height=30.0, width=12.0):
    """Boxes of one shape anywhere in images of 320 pixels."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 280, (count, 2))
    boxes = np.concatenate([low, low + [height, width]], 1)
    return ResizedBoxes(boxes, np.full((count, 2), 320))


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_proposal_raises_the_recall(kind):
    setup, boxes = setup_of(kind), objects()
    proposal = propose_anchors(setup, boxes)
    # The anchors of the config are square or wider than high: IoU 360 / 900 at most.
    assert (setup.best_ious(boxes) >= 0.5).mean() < 0.2
    assert (proposal.setup.best_ious(boxes) >= 0.5).mean() > 0.95
    # The number of anchors per location stays.
    assert proposal.setup.generator.per_location == setup.generator.per_location
    assert propose_anchors(setup, boxes) == proposal


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_proposal_is_valid_as_overrides(kind):
    setup = setup_of(kind)
    proposal = propose_anchors(setup, objects())
    assert message_of(kind, proposal.overrides) == proposal.setup.message


def test_fields_of_each_proposal():
    names = {
        kind: [o.partition("=")[0].split(f"{kind}.")[1] for o in
               propose_anchors(setup_of(kind), objects()).overrides]
        for kind in GENERATORS
    }  # fmt: skip
    grid = ["base_sizes", "aspect_ratios"]
    assert names == {
        "multiscale_anchor_generator": ["anchor_scale", "aspect_ratios"],
        "ssd_anchor_generator": ["scales", "aspect_ratios"],
        "grid_anchor_generator": ["scales", "aspect_ratios"],
        "flexible_grid_anchor_generator": [
            f"anchor_grid[{i}].{name}" for i in range(3) for name in grid
        ],
    }


def test_anchors_that_fit_are_kept():
    setup = setup_of("multiscale_anchor_generator")
    proposal = propose_anchors(setup, objects(height=32.0, width=32.0))
    again = propose_anchors(proposal.setup, objects(height=32.0, width=32.0))
    assert again.overrides == ()
    assert again.setup is proposal.setup


def test_recall_on_blood_cells(shared):
    setup = anchor_setup(load_config(shared / ZOO))
    assert (setup.kind, setup.threshold) == ("multiscale_anchor_generator", 0.5)
    source = open_source(f"voc:{shared}/data/bccd?split=trainval")
    report = report_anchors(setup, source)
    found = report.as_dict()
    assert (found["images"], found["objects"]) == (292, 3941)
    assert found["recall"] == pytest.approx(0.962, abs=0.001)
    assert found["proposed_recall"] == pytest.approx(0.998, abs=0.001)
    by_size = {row["name"]: row for row in found["by_size"]}
    assert by_size["16-32"]["objects"] == 276
    assert by_size["16-32"]["recall"] == pytest.approx(0.478, abs=0.001)
    assert by_size["16-32"]["proposed"] > 0.98
    assert by_size["below 8"]["recall"] is None
    json.dumps(found)
    assert report.plot().shape == (1080, 860, 3)


def test_two_stage_detectors_match_at_0_7(shared):
    name = "configs/tf2/faster_rcnn_resnet50_v1_640x640_coco17_tpu-8.config"
    setup = anchor_setup(load_config(shared / name))
    assert (setup.kind, setup.threshold) == ("grid_anchor_generator", 0.7)
    assert setup.border is Border.CLIPPED  # The config says so.
    assert setup.grids((640, 640)) == [(40, 40)]


def test_center_net_has_no_anchors(shared):
    name = "configs/tf2/centernet_resnet101_v1_fpn_512x512_coco17_tpu-8.config"
    with pytest.raises(ConfigError, match="has no anchors: CenterNet"):
        anchor_setup(load_config(shared / name))


def test_command_writes_values_that_merge_into_the_config(tmp_path, shared):
    spec = tiny_data.write_coco(tmp_path / "data")
    out = tmp_path / "out"
    arguments = [shared / ZOO, "--data", spec, "--output", out]
    done = CliRunner().invoke(data_app, ["anchors", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    assert "all objects" in done.stdout
    names = sorted(p.name for p in out.iterdir() if p.name != ".odapi")
    assert names == ["anchors.json", "anchors.png", "anchors.txt"]
    new = tmp_path / "new.config"
    arguments = [shared / ZOO, out / "anchors.txt", "--output", new]
    done = CliRunner().invoke(config_app, ["merge", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    lines = (out / "anchors.txt").read_text().splitlines()
    assert load_config(new) == load_config(shared / ZOO, lines)
    again = CliRunner().invoke(config_app, ["merge", *map(str, arguments)])
    assert "exists already" in str(again.exception)


def test_merge_skips_comments_and_names_the_line(tmp_path):
    file = tmp_path / "changes.txt"
    file.write_text("# Larger batches\n\n--set train_config.batch_size=8\n")
    assert merge("train_config {}", file).train_config.batch_size == 8
    file.write_text("train_config.batch_size=8\ntrain_config.batchsize=9\n")
    with pytest.raises(ConfigError, match=r"changes\.txt:2: .*no field 'batchsize'"):
        merge("train_config {}", file)
    file.write_text("# Nothing\n")
    with pytest.raises(ConfigError, match="has no override"):
        merge("train_config {}", file)
