"""A config with options of odapi is written so that others' parsers can read it."""

import pytest
from google.protobuf import text_format

from odapi.config.load import load_config, options, save_plain_config
from odapi.errors import ConfigError
from original_message import message_of_the_original

TEXT = """
model { ssd { num_classes: 3 } }
train_config { batch_size: 8 }
[odapi.options] {
  seed: 7 eval_data: "coco:a \\"b\\" # c.json" evaluation { every_n_steps: 5 }
}
"""


def test_parsers_of_the_original_read_it(tmp_path):
    path = tmp_path / "pipeline.config"
    save_plain_config(load_config(TEXT), path)
    message = message_of_the_original()
    with pytest.raises(text_format.ParseError, match="odapi"):
        text_format.Parse(TEXT, message_of_the_original())
    text_format.Parse(path.read_text(), message)
    assert (message.model.ssd.num_classes, message.train_config.batch_size) == (3, 8)
    assert path.read_text().splitlines()[-8:] == [
        "# Options of odapi, comments for other parsers; odapi reads them:",
        "# [odapi.options] {",
        "#   seed: 7",
        '#   eval_data: "coco:a \\"b\\" # c.json"',
        "#   evaluation {",
        "#     every_n_steps: 5",
        "#   }",
        "# }",
    ]


@pytest.mark.parametrize("given", [str, "folder", "text"])
def test_odapi_reads_the_options_again(tmp_path, given):
    path = tmp_path / "pipeline.config"
    save_plain_config(load_config(TEXT), path)
    source = {"folder": tmp_path, "text": path.read_text()}.get(given, path)
    assert load_config(source) == load_config(TEXT)


def test_without_options_nothing_is_added(tmp_path):
    config = load_config("model { ssd { num_classes: 3 } }")
    save_plain_config(config, tmp_path / "a.config")
    assert "#" not in (tmp_path / "a.config").read_text()
    assert load_config(tmp_path / "a.config") == config


def test_options_that_a_user_commented_out_stay_comments(tmp_path):
    (tmp_path / "a.config").write_text("# [odapi.options] {\n#   seed: 7\n# }\n")
    assert options(load_config(tmp_path / "a.config")).seed == 0


def test_errors_in_the_comments_have_their_line(tmp_path):
    path = tmp_path / "pipeline.config"
    save_plain_config(load_config(TEXT), path)
    text = path.read_text().replace("seed: 7", "sead: 7")
    path.write_text(text)
    line = text.splitlines().index("#   sead: 7") + 1
    with pytest.raises(ConfigError, match=rf"pipeline\.config:{line}:"):
        load_config(path)
