"""Text of others in errors and tables: no markup, no control characters."""

import tiny_data
from odapi.cli.main import app
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
