"""The reference page is that of the schema."""

from odapi.config import reference


def test_the_checked_in_page_is_current(root):
    page = (root / "docs/config_reference.md").read_text("utf-8")
    assert page == reference.text(), (
        "run `python -m odapi.config.reference docs/config_reference.md`"
    )


def test_comments_are_found_by_name():
    told = reference.comments()
    assert told["TrainConfig.num_steps"] == "Batches to train on."
    assert told["Ssd.MaskHead"].startswith("A head that would predict")
    assert told["Options.seed"].startswith("Seed of initial weights")


def test_the_page_tells_what_is_refused_and_what_is_allowed():
    page = reference.text()
    assert "| `random_rotation90` | [RandomRotation90](#randomrotation90)" in page
    line = next(x for x in page.splitlines() if x.startswith("| `experimental_model`"))
    assert "**Refused**" in line
    line = next(x for x in page.splitlines() if x.startswith("| `iou_threshold` "))
    assert "a number, 0 to 1" in line
