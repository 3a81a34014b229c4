"""Findings name the line of their field."""

import pytest

from odapi.config import check, schema
from odapi.config.lines import field_lines, line_of
from odapi.config.load import load_config

TEXT = """# A comment.
model {
  ssd {
    num_classes: 0
    anchor_generator {
      ssd_anchor_generator {
        aspect_ratios: [1.0,
          2.0]
        aspect_ratios: 3.0
      }
    }
    loss: <
      classification_loss { weighted_sigmoid { } }
    >
  }
}
train_config { optimizer { adam_optimizer { } } batch_size: 0
  data_augmentation_options { random_horizontal_flip { } }
  data_augmentation_options {
    random_adjust_hue { max_delta: 3 }
  } }
[odapi.options] {
  seed: 3
}
"""
ANCHORS = "model.ssd.anchor_generator.ssd_anchor_generator"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("model", 2),
        ("model.ssd.num_classes", 4),
        (f"{ANCHORS}.aspect_ratios", 7),
        (f"{ANCHORS}.aspect_ratios[1]", 8),
        (f"{ANCHORS}.aspect_ratios[2]", 9),
        (f"{ANCHORS}.num_layers", 6),
        ("model.ssd.loss.classification_loss.weighted_sigmoid", 13),
        ("model.ssd.loss.localization_loss", 12),
        ("model.ssd.matcher", 3),
        ("train_config.batch_size", 17),
        ("train_config.data_augmentation_options[0].random_horizontal_flip", 18),
        ("train_config.data_augmentation_options[1].random_adjust_hue.max_delta", 20),
        ("options.seed", 23),
        ("options.evaluation.best_metric", 22),
        ("eval_config.batch_size", None),
    ],
)
def test_lines_of_fields(path, line):
    assert line_of(field_lines(TEXT), path) == line


def test_findings_have_lines_but_for_overrides():
    overrides = ["train_config.batch_size=0"]
    found = check.find(load_config(TEXT, overrides), for_data=False)
    assert all(f.line is None for f in found)
    lines = {f.path: f.line for f in check.with_lines(found, TEXT, overrides)}
    assert lines["model.ssd.num_classes"] == 4
    assert lines["model.ssd.image_resizer"] == 3
    assert lines["train_config.batch_size"] is None


def test_every_field_of_real_configs_has_a_line(shared):
    for path in sorted((shared / "configs").glob("*/*.config")):
        text = path.read_text()
        lines = field_lines(text)
        for place, _, field in schema.walk(load_config(path)):
            assert (
                field.name.removeprefix("odapi.")
                in (text.splitlines()[lines[place] - 1])
            ), place
