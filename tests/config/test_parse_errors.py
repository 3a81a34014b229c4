"""A mistake in a config is shown with its line, a caret and the next step."""

import pytest

from odapi.config.load import load_config
from odapi.errors import ConfigError


def _error(text):
    with pytest.raises(ConfigError) as error:
        load_config(text)
    return str(error.value)


def test_an_error_shows_file_line_column_and_a_caret(tmp_path):
    path = tmp_path / "pipeline.config"
    path.write_text("model {\n  ssd {\n\tnum_clases: 3\n  }\n}\n")
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(error.value) == (
        f"{path}:3:2: Ssd has no field 'num_clases'\n"
        "    \tnum_clases: 3\n"
        "    \t^\n"
        "  hint: did you mean 'num_classes'?"
    )


@pytest.mark.parametrize(
    ("text", "place", "problem", "hint"),
    [
        # Misspelt names.
        ("trian_config {\n}", "1:1", "no field 'trian_config'", "'train_config'"),
        (
            "model { ssd { post_processing { score_converter: SIGMOD } } }",
            "1:50",
            "unknown value 'SIGMOD' of score_converter; known values are IDENTITY",
            "did you mean 'SIGMOID'?",
        ),
        ("[odapi.option] { seed: 1 }", "1:8", "no extension", "'odapi.options'"),
        ("[odapi.options] { sed: 1 }", "1:19", "Options has no field", "'seed'"),
        (
            "train_config { num_classes: 3 }",
            "1:16",
            "no field",
            "model.ssd.num_classes",
        ),
        # Braces.
        (
            "model { ssd { num_classes: 3 }\ntrain_config { }",
            "2:1",
            "DetectionModel has no field 'train_config'",
            "is a closing brace missing? 'model' of line 1 is still open",
        ),
        (
            "train_config {\n batch_size: 3\n",
            "2:14",
            "the text ends inside 'train_config', which line 1 opens",
            "closing brace",
        ),
        ("train_config { } }", "1:18", "closes nothing", "delete it"),
        ("train_config\nbatch_size: 3 {", "2:1", "takes a block", "train_config {"),
        # Values.
        ("train_config { batch_size: 3.5 }", "1:28", "takes a whole number", ""),
        ("train_config { batch_size: -1 }", "1:28", "0 or more, got -1", ""),
        ("train_config { batch_size = 1 }", "1:27", "", "there is no '='"),
        ("train_config { sync_replicas: yes }", "1:31", "takes true or false", ""),
        # The value is missing: the parser takes the next name for it.
        (
            "train_config {\n  num_steps:\n  gradient_clipping_by_norm: 10.0\n}",
            "2:3",
            "num_steps has no value; it takes a whole number, 0 or more\n"
            "      num_steps:\n      ^",
            "write num_steps: VALUE, or delete it",
        ),
        ("train_config { num_steps: }", "1:16", "num_steps has no value", "VALUE"),
        ("train_config {\n num_steps:", "2:2", "num_steps has no value", "VALUE"),
        ("train_config {\n num_steps\n batch_size: 8 }", "2:2", "no value", "VALUE"),
        ("train_config { num_steps: # 9\n batch_size: 8 }", "1:16", "no value", ""),
        ("train_config { num_steps: ;\n batch_size: 8 }", "1:16", "no value", ""),
        (
            "train_config { fine_tune_checkpoint:\n num_steps: 5 }",
            "1:16",
            "fine_tune_checkpoint has no value; it takes text in quotes",
            'write fine_tune_checkpoint: "..."',
        ),
        ("train_config { fine_tune_checkpoint: }", "1:16", "has no value", '"..."'),
        ("train_config { sync_replicas:\n num_steps: 5 }", "1:16", "no value", ""),
        (
            "train_config { fine_tune_checkpoint_version:\n num_steps: 5 }",
            "1:16",
            "fine_tune_checkpoint_version has no value; it takes one of",
            "",
        ),
        (
            "train_input_reader { label_map_path:\n tf_record_input_reader { } }",
            "1:22",
            "label_map_path has no value",
            "",
        ),
        (
            "train_config { optimizer:\n num_steps: 5 }",
            "1:16",
            "optimizer has no value",
            "write optimizer { ... }",
        ),
        ("train_config:\nmodel { }", "1:1", "no value", "write train_config { ... }"),
        ("train_config { gradient_clipping_by_norm: x }", "1:43", "takes a number", ""),
        (
            "train_config { fine_tune_checkpoint: ckpt }",
            "1:38",
            "takes text in quotes, got ckpt",
            'fine_tune_checkpoint: "ckpt"',
        ),
        ('train_config { fine_tune_checkpoint: "a\n}', "1:38", "no closing quote", ""),
        (
            "model { ssd { }\n center_net { } }",
            "2:2",
            "center_net excludes ssd",
            "keep one",
        ),
        # What editors put in.
        (
            "train_config { fine_tune_checkpoint: \u201ca\u201d }",
            "1:38",
            "curly quote \u201c",
            "replace it",
        ),
        ("train_config {\u00a0}", "1:15", "U+00A0", "delete it"),
        (
            'train_config { fine_tune_checkpoint: "C:\\data\\new" }',
            "1:46",
            "\\n in fine_tune_checkpoint is an escape, not a folder",
            '"C:/data/new"',
        ),
        (
            "train_input_reader { label_map_path: 'C:\\Users\\a.pbtxt' }",
            "1:41",
            "\\U in label_map_path",
            '"C:/Users/a.pbtxt"',
        ),
    ],
)
def test_mistakes_are_told_with_place_problem_and_hint(text, place, problem, hint):
    message = _error(text + "\n")
    assert message.startswith(f"config text:{place}: ")
    assert problem in message
    assert hint in message


def test_curly_quotes_in_comments_and_texts_are_fine():
    config = load_config("# \u201chi\u201d\ntrain_input_reader { name: '\u201c' }\n")
    assert config.train_input_reader.name == "\u201c"


def test_a_long_line_is_cut_around_the_place():
    message = _error(
        "train_config { " + "freeze_variables: 'a' " * 40 + "batch_sze: 4 }\n"
    )
    assert max(len(line) for line in message.splitlines()) < 110
    shown, caret = message.splitlines()[1:3]
    assert shown[caret.index("^") :].startswith("batch_sze")
