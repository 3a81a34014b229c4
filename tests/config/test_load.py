"""Files of all kinds become configs, or an error that says what they are."""

import subprocess
import sys

import pytest

from odapi.config.load import load_config, options, save_config
from odapi.errors import ConfigError

TEXT = """
model { ssd { num_classes: 3 } }
train_config { batch_size: 8 fine_tune_checkpoint: "a/b" }
"""


def _write(tmp_path, data, name="pipeline.config"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def test_all_real_configs_load_and_survive_saving(shared, tmp_path):
    paths = sorted((shared / "configs").glob("*/*.config"))
    assert paths
    for path in paths:
        config = load_config(path)
        save_config(config, tmp_path / "saved" / path.name)
        assert load_config(tmp_path / "saved" / path.name) == config


def test_a_folder_text_and_a_loaded_config_are_taken_too(tmp_path):
    path = _write(tmp_path, TEXT)
    config = load_config(path)
    assert load_config(str(path)) == load_config(tmp_path) == config
    assert load_config(TEXT) == config
    copy = load_config(config, ["train_config.batch_size=4"])
    assert (copy.train_config.batch_size, config.train_config.batch_size) == (4, 8)


def test_a_folder_with_one_config_of_another_name_is_enough(tmp_path):
    _write(tmp_path, TEXT, "ssd.config")
    assert load_config(tmp_path).train_config.batch_size == 8


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]
)
def test_encodings_of_windows_editors_are_understood(tmp_path, encoding):
    text = TEXT.replace("\n", "\r\n") + "# Größe\r\n"
    if encoding in ("utf-16-le", "utf-16-be"):
        text = "\ufeff" + text
    path = _write(tmp_path, text.encode(encoding))
    assert load_config(path) == load_config(TEXT)


def test_a_byte_order_mark_in_text_is_ignored():
    assert load_config("\ufeff" + TEXT) == load_config(TEXT)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"\x08\x96\x01\x00\x12", "is a binary file"),
        (b"\x1f\x8b\x08\x00", "is a gzip archive"),
        (b"PK\x03\x04", "is a zip archive"),
        (b"\n<!DOCTYPE html>\n<html>", "is a web page"),
        (b"<HTML lang='en'>", "press 'Raw'"),
        (b"<?xml version='1.0'?><annotation/>", "is a web page"),
        ("train_config {}\n# Gr\xf6\xdfe".encode("latin-1"), ":2: byte 0xf6 is not"),
        (b"item { id: 1 name: 'dog' }", "looks like a label map"),
    ],
)
def test_files_that_are_no_config_are_named_for_what_they_are(tmp_path, data, message):
    with pytest.raises(ConfigError, match=r"pipeline\.config") as error:
        load_config(_write(tmp_path, data))
    assert message in str(error.value)


def test_a_missing_file_names_its_neighbour(tmp_path):
    _write(tmp_path, TEXT, "pipeline.config")
    with pytest.raises(
        ConfigError, match=r"no such file(.|\n)*mean .*pipeline.config'"
    ):
        load_config(tmp_path / "pipelin.config")


def test_a_missing_folder_is_said_to_be_missing(tmp_path):
    with pytest.raises(ConfigError, match=r"the folder .* does not exist either"):
        load_config(tmp_path / "runs/first/pipeline.config")


def test_a_folder_without_a_config_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"the folder has no pipeline\.config"):
        load_config(tmp_path)
    _write(tmp_path, TEXT, "a.config")
    _write(tmp_path, TEXT, "b.config")
    with pytest.raises(ConfigError, match=r"it has a\.config, b\.config; name one"):
        load_config(tmp_path)


def test_options_have_defaults_where_the_config_has_none():
    config = load_config(TEXT)
    assert options(config).evaluation.every_n_steps == 1000
    assert not config.ListFields()[-1][0].is_extension
    config = load_config(TEXT + "[odapi.options] { seed: 7 }")
    assert options(config).seed == 7


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"C:\data\models\ckpt-0", r"C:\data\models\ckpt-0"),  # Escapes of nothing.
        (r"C:\\data\\new", r"C:\data\new"),
        ("C:/data/new", "C:/data/new"),
    ],
)
def test_windows_paths_that_mean_what_they_look_like_are_taken(written, read):
    config = load_config(f'train_config {{ fine_tune_checkpoint: "{written}" }}')
    assert config.train_config.fine_tune_checkpoint == read


def test_regular_expressions_keep_their_backslashes():
    config = load_config(r'train_config { freeze_variables: "conv\d+\.bias" }')
    assert config.train_config.freeze_variables == [r"conv\d+\.bias"]


def test_a_field_that_is_given_twice_counts_last_and_is_told():
    text = "train_config {\n batch_size: 3\n batch_size: 4\n}"
    with pytest.warns(UserWarning, match=r":3:14: batch_size is given twice"):
        config = load_config(text)
    assert config.train_config.batch_size == 4


def test_config_imports_neither_keras_nor_a_backend():
    code = (
        "import sys, odapi.config.check, odapi.config.load, odapi.config.diff\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'numpy', 'cv2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
