"""Differences of configs, and configs with their defaults."""

import pytest

from odapi.config.diff import diff, with_defaults
from odapi.config.load import load_config

LEFT = """
# A comment.
train_config { batch_size: 8  num_steps: 100 }
model: { ssd { num_classes: 3 } };
"""


def _diff(left, right):
    return [
        (d.path, d.left, d.right) for d in diff(load_config(left), load_config(right))
    ]


def test_order_format_comments_and_written_defaults_do_not_count():
    right = (
        "model { ssd { num_classes: 3 freeze_batchnorm: false } }\n"
        "train_config { num_steps: 100 batch_size: 8 }\n"
    )
    assert _diff(LEFT, right) == []


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("train_config { batch_size: 8 }", "train_config { batch_size: 4 }",
         [("train_config.batch_size", "8", "4")]),
        ("train_config { batch_size: 8 }", "train_config { }",
         [("train_config.batch_size", "8", "32")]),
        ("train_config { freeze_variables: ['a', 'b'] }",
         "train_config { freeze_variables: ['b', 'a'] num_steps: 1 }",
         [("train_config.freeze_variables", '["a", "b"]', '["b", "a"]'),
          ("train_config.num_steps", "0", "1")]),
        ("model { ssd { image_resizer { identity_resizer { } } } }",
         "model { ssd { image_resizer { fixed_shape_resizer { width: 3 } } } }",
         [("model.ssd.image_resizer.identity_resizer", "{}", "-"),
          ("model.ssd.image_resizer.fixed_shape_resizer.width", "300", "3")]),
        ("eval_config { super_categories { key: 'a' value: 'b' } }",
         "eval_config { super_categories { key: 'a' value: 'c' } }",
         [("eval_config.super_categories[a]", '"b"', '"c"')]),
        ("[odapi.options] { precision: BFLOAT16 }",
         "[odapi.options] { precision: FLOAT16 }",
         [("options.precision", "BFLOAT16", "FLOAT16")]),
        ("eval_input_reader { name: 'a' } eval_input_reader { name: 'b' }",
         "eval_input_reader { name: 'a' }",
         [("eval_input_reader[1].name", '"b"', '""')]),
    ],
)  # fmt: skip
def test_differences_are_told_by_path(left, right, expected):
    assert _diff(left, right) == expected


def test_two_sizes_of_a_zoo_model_differ_in_their_size_only(shared):
    folder = shared / "configs/tf2"
    found = diff(
        load_config(folder / "ssd_mobilenet_v2_fpnlite_320x320_coco17_tpu-8.config"),
        load_config(folder / "ssd_mobilenet_v2_fpnlite_640x640_coco17_tpu-8.config"),
    )
    path = "model.ssd.image_resizer.fixed_shape_resizer"
    assert [(d.path, d.left, d.right) for d in found] == [
        (f"{path}.height", "320", "640"),
        (f"{path}.width", "320", "640"),
    ]


def test_a_config_with_its_defaults_means_the_same(shared):
    for path in sorted((shared / "configs").glob("*/*.config")):
        config = load_config(path)
        text = with_defaults(config)
        assert diff(config, load_config(text)) == []
        written = [line for line in text.splitlines() if "# default" not in line]
        assert load_config("\n".join(written)) == config


def test_defaults_are_marked():
    text = with_defaults(load_config("train_config { batch_size: 8 }\n"))
    assert "  batch_size: 8\n" in text
    assert "  num_steps: 0  # default\n" in text
