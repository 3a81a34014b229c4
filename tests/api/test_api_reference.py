"""The API reference is that of the docstrings, and is complete."""

import odapi
from odapi.api import reference


def test_the_checked_in_page_is_current(root):
    page = (root / "docs/api_reference.md").read_text("utf-8")
    assert page == reference.text(), (
        "run `python -m odapi.api.reference docs/api_reference.md`"
    )


def test_every_public_name_is_on_the_page():
    listed = [name for names in reference.SECTIONS.values() for name in names]
    public = set(odapi.__all__) - {"__version__", "models"}
    public |= {f"models.{name}" for name in dir(odapi.models)}
    assert sorted(listed) == sorted(public)


def test_docstrings_become_lists():
    doc = (
        "Adds.\n\nArgs:\n    a: One\n        number.\n    b: Two.\n\nReturns:\n    Sum."
    )
    assert list(reference._markdown(doc)) == [
        "Adds.", "", "**Args**", "", "- `a`: One number.", "- `b`: Two.", "",
        "**Returns**", "", "Sum.", "", "",
    ]  # fmt: skip
