"""Tables and lines for people: names as they are, whole lines in a pipe."""

import io
import re

import pytest
from rich import box
from rich.table import Table

from odapi import console as module
from odapi.console import console, prepare_streams, table_lines, waiting, write_line
from odapi.wording import visible

NAMES = ["box [small]", "stop [/back]", "[red]x", ":car:", "\\[escaped]"]


def _table(names=NAMES, **options):
    table = Table(title=names[0], **options)
    table.add_column("class")
    table.add_column("objects", justify="right")
    for number, name in enumerate(names):
        table.add_row(name, f"{10**number}")
    return table


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def _print(monkeypatch, stream, *objects):
    monkeypatch.setattr(module.sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    shown = console(stderr=False)
    for content in objects:
        shown.print(content)
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())  # Without styles.


@pytest.mark.parametrize("stream", [io.StringIO, _Terminal])
def test_names_are_printed_as_they_are(monkeypatch, stream):
    printed = _print(monkeypatch, stream(), _table(), *NAMES)
    for name in NAMES:
        assert printed.count(name) == (3 if name == NAMES[0] else 2)


def test_a_table_in_a_pipe_has_no_frame_and_whole_lines(monkeypatch):
    names = ["a" * 60, "b"]
    assert _print(monkeypatch, io.StringIO(), _table(names)).splitlines() == [
        "a" * 60,
        "class" + " " * 37 + "objects",
        "a" * 60 + "        1",
        "b" + " " * 46 + "10",
    ]


def test_a_table_on_a_terminal_folds_long_names(monkeypatch):
    printed = _print(monkeypatch, _Terminal(), _table(["c" * 60], box=box.SIMPLE_HEAD))
    assert printed.count("c") == 2 * 60 + 2  # Title and cell; "class", "objects".
    assert max(map(len, printed.splitlines())) <= 40


@pytest.mark.parametrize(
    ("lengths", "at"),
    [([5, 60], 42), ([60, 50, 45], 62), ([120, 90, 80], 102)],  # The second column's.
)
def test_columns_align_up_to_40_characters_or_up_to_100_if_most_are_longer(lengths, at):
    table = Table()
    for name in ("field", "value"):
        table.add_column(name)
    for length in lengths:
        table.add_row("x" * length, "y")
    assert table_lines(table)[0].index("value") == at


def test_wide_characters_align():
    lines = table_lines(_table(["t", "車", "ab"]))
    assert lines[3:] == ["車          10", "ab         100"]


def test_control_characters_are_escaped(monkeypatch):
    names = ["\x1b[2Jcat", "a\nb", "x\u202ey"]
    printed = _print(monkeypatch, io.StringIO(), _table(names), *names)
    assert "\x1b" not in printed and "\u202e" not in printed
    assert printed.count(r"\x1b[2Jcat") == 3 and printed.count(r"x\u202ey") == 2
    assert visible("tab\there\nline") == "tab\there\nline"


def _stream(encoding):
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", b"\\u96f6 \\xe9 \\udcff\n"),
        ("cp1252", b"\\u96f6 \xe9 \\udcff\n"),
        ("utf-8", b"\xe9\x9b\xb6 \xc3\xa9 \\udcff\n"),
    ],
)
def test_what_a_stream_cannot_encode_is_escaped(monkeypatch, encoding, expected):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(module.sys, name, _stream(encoding))
    prepare_streams()
    text = "零 é \udcff"
    write_line(text)
    write_line(text, stderr=True)
    for stream in (module.sys.stdout, module.sys.stderr):
        assert stream.buffer.getvalue() == expected
    console(stderr=False).print(text)
    module.sys.stdout.flush()
    assert module.sys.stdout.buffer.getvalue() == expected * 2


def test_bars_are_ascii_where_the_stream_is(monkeypatch):
    monkeypatch.setattr(module.sys, "stdout", _stream("ascii"))
    prepare_streams()
    console(stderr=False).print(_table(["██▌"]))
    module.sys.stdout.flush()
    assert b"###" in module.sys.stdout.buffer.getvalue()


def test_waiting_is_one_line_in_a_log(capsys):
    with waiting("Building [the] model"):
        pass
    assert capsys.readouterr().err == "Building [the] model ...\n"
