"""Text of others in errors and tables: no markup, no control characters."""

import tiny_data
from odapi.cli.main import app
from odapi.data.problems import Problems
from odapi.errors import DataError

ATTACK = "[/red]\x1b]0;owned\x07\x1b[2J"
SHOWN = r"[/red]\x1b]0;owned\x07\x1b[2J"


def test_an_error_shows_them():
    error = DataError(f"{ATTACK}.json", f"has no {ATTACK}", ATTACK)
    assert str(error) == f"{SHOWN}.json: has no {SHOWN}\n  hint: {SHOWN}"


def test_inspect_shows_a_class_name_as_it_is(tmp_path, capsys):
    def change(content):
        content["categories"][0]["name"] = f"{ATTACK}\n"
        content["images"].append({"id": 9, "file_name": f"{ATTACK}.jpg"})

    spec = tiny_data.write_coco(tmp_path, change)
    app(["data", "inspect", spec], standalone_mode=False)
    out = capsys.readouterr().out
    assert f"\n{SHOWN}  " in out
    assert f"{SHOWN}.jpg" in out
    assert "\x1b" not in out


def test_an_error_with_a_long_value_is_cut_in_its_middle():
    error = DataError("x" * 9000, "got " + "y" * 9000 + "!", "fix it")
    assert str(error) == (
        f"{'x' * 1500} ... {'x' * 1500}: got {'y' * 1496} ... {'y' * 1499}!"
        "\n  hint: fix it"
    )
    problems = Problems()
    problems.found("missing image", "z" * 9000)
    assert problems.as_dict()[0]["first"] == ["z" * 250 + " ... " + "z" * 250]
