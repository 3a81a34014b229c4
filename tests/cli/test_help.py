"""Help of every command: whole, within 80 columns, plain text."""

import re

import pytest
from typer.testing import CliRunner

from command_tree import COMMANDS, GROUPS
from odapi.cli import main as cli

PATHS = [*COMMANDS, *GROUPS]


def _help(*path):
    done = CliRunner().invoke(cli.app, [*path, "--help"])  # Its width is 80.
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_fits_80_columns(path):
    assert max(map(len, _help(*path).splitlines())) <= 80


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_help_is_ascii_text_without_frames_and_without_cut_words(path):
    usage, shown = _help(*path).split("\n\n", 1)
    assert usage.isascii() and shown.isascii()
    assert not re.search(r"\w\.\.\.$|[a-z]-$", shown, re.MULTILINE)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_every_word_of_the_texts(path):
    words = _help(*path).split()
    texts = [COMMANDS[path].help or "", *(p.help or "" for p in COMMANDS[path].params)]
    assert [w for text in texts for w in text.split() if w not in words] == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_argument_and_option_has_a_help_text(path):
    assert [p.name for p in COMMANDS[path].params if not p.help] == []


@pytest.mark.parametrize("path", [(), ("tools",)], ids=str)
def test_brackets_of_an_extra_are_shown(path):
    assert "pip install 'odapi[beam]'" in " ".join(_help(*path).split())


def test_the_layout_of_help():
    assert _help("zoo", "download") == (
        "Usage: odapi zoo download [OPTIONS] NAME\n"
        "\n"
        "  Download and unpack a model; an interrupted download is resumed.\n"
        "\n"
        "Arguments:\n"
        "  NAME  Name, as in odapi zoo list.  [required]\n"
        "\n"
        "Options:\n"
        "  --output PATH    Folder for archives and their content.  [default: zoo]\n"
        "  --base-url TEXT  URL of a mirror. Default: the server of the zoo.  "
        "[env var:\n"
        "                   ODAPI_ZOO_URL]\n"
        "  --json           Print one JSON document instead of tables.\n"
        "  -h, --help       Show this message and exit.\n"
    )
