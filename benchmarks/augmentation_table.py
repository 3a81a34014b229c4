"""Table of all augmentations: their tests, and an image of each.

    python -m benchmarks.augmentation_table

Draws each augmentation on images of COCO mini with masks (`odapi data augment --all`)
and looks up which tests name its class. Writes docs/augmentation_gallery.md.
"""

import pathlib
import re
import shutil
import sys
import tempfile

from benchmarks.processes import ROOT, SHARED
from benchmarks.real_data import commands
from odapi.build.augmentation_examples import example_of
from odapi.build.train_augmentations import build_augmentation
from odapi.data.image.decode import decode_image
from odapi.draw.file import save_image
from odapi.draw.mosaic import mosaic

PAGE = ROOT / "docs" / "augmentation_gallery.md"
IMAGES = ROOT / "docs" / "images" / "augmentations"
TESTS = ROOT / "tests" / "data" / "augment"
BUILD_TESTS = ROOT / "tests" / "build"
DATA = SHARED / "data" / "coco_mini" / "annotations" / "instances_val2017.json"
_WIDTH = 900  # Pixels of a stored image.
_INTRODUCTION = (
    "Each augmentation of the config language and of `[odapi.options]`, with the tests",
    "of its numbers, its rows in the tests of properties (objects stay inside their",
    "boxes; masks, keypoints and boxes agree; `tests/data/augment/augment_rows.py`),",
    "and an image: the original, then three draws. Fields and defaults:",
    "[augmentation.md](augmentation.md). Made by",
    "`python -m benchmarks.augmentation_table`; `odapi data augment --gallery DIR`",
    "draws them on your data.",
)


def classes() -> dict[str, str]:
    """Returns the class of each augmentation, by its name in the config language."""
    return {
        name: type(build_augmentation(message, name)).__name__
        for name, message in example_of().items()
    }


def rows_of_the_harness() -> dict[str, list[str]]:
    """Returns the rows of the property tests by the class of the augmentation."""
    sys.path.insert(0, str(TESTS))
    from augment_rows import ROWS

    found: dict[str, list[str]] = {}
    for name, row in ROWS.items():
        found.setdefault(type(row.step).__name__, []).append(name)
    return found


def tests_of(name: str, kind: str) -> list[str]:
    """Returns the test files that name an augmentation or its class."""
    files = sorted([*TESTS.glob("test_*.py"), *BUILD_TESTS.glob("test_*.py")])
    named = re.compile(rf"\b({name}|{kind})\b")
    return [file.name for file in files if named.search(file.read_text("utf-8"))]


def draw() -> None:
    """Writes one image per augmentation."""
    shutil.rmtree(IMAGES, ignore_errors=True)
    IMAGES.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        gallery = pathlib.Path(folder) / "gallery"
        commands.odapi(
            *("data", "augment", f"coco:{DATA}", "--all", "--gallery", str(gallery)),
            *("--images", "1", "--draws", "3"),
        )
        for file in sorted(gallery.glob("*.jpg")):
            pixels = decode_image(file.read_bytes(), str(file))
            name = file.name.partition("_")[2]
            save_image(IMAGES / name, mosaic([pixels], cell=_WIDTH))


def main() -> None:
    """Writes the page."""
    draw()
    harness = rows_of_the_harness()
    lines = ["# All augmentations", "", *_INTRODUCTION, ""]
    for name, kind in classes().items():
        image = IMAGES / f"{name}.jpg"
        lines += [
            f"## {name}",
            "",
            f"- Tests: {', '.join(tests_of(name, kind)) or '**none**'}",
            f"- Properties: {', '.join(harness.get(kind, ())) or '**none**'}",
            "",
            f"![{name}]({image.relative_to(PAGE.parent)})"
            if image.exists()
            else "No image.",
            "",
        ]
    PAGE.write_text("\n".join(lines), "utf-8")
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()
