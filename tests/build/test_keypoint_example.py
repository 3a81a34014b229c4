"""The tutorial of docs/keypoints.md, run small: from a labelling file to an export."""

import importlib.util
import json

import numpy as np
import pytest

from odapi.config.label_map import load_label_map


def script(root):
    file = root / "examples" / "keypoints.py"
    spec = importlib.util.spec_from_file_location("example_keypoints", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_labelled_figures_have_their_sides_right(root, tmp_path):
    module = script(root)
    content = json.loads(module.label(tmp_path / "train", 3, 0).read_text())
    for annotation in content["annotations"]:
        points = np.reshape(annotation["keypoints"], (-1, 3))
        x, y, width, height = annotation["bbox"]
        assert (points[:, 0] > x).all() and (points[:, 0] < x + width).all()
        assert (points[:, 1] > y).all() and (points[:, 1] < y + height).all()
        head, left, right, *feet = points[:, :2]
        # Facing us, its left hand is to our right.
        assert left[0] > right[0] and head[1] < min(f[1] for f in feet)


@pytest.mark.slow
def test_the_tutorial_runs_to_the_end(root, tmp_path):
    metrics = script(root).main(
        ["--steps", "2", "--images", "4", "--output", str(tmp_path / "run")]
    )
    assert "Keypoints_Precision/mAP@.50IOU ByCategory/figure" in metrics
    run = tmp_path / "run"
    names = load_label_map(run / "model" / "keypoint_label_map.pbtxt")
    assert [k.name for k in names.by_id[1].keypoints][:2] == ["head", "left_hand"]
    assert (run / "exported" / "saved_model" / "saved_model.pb").is_file()
    assert (run / "exported" / "keypoint_label_map.pbtxt").is_file()
    assert list((run / "evaluation" / "side_by_side").glob("*.jpg"))
    losses = (run / "model" / "metrics.jsonl").read_text()
    assert "Loss/figure_keypoints/keypoint/heatmap" in losses
