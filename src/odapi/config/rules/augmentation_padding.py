"""Augmentations that pad images: sizes and colors that need several values."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error
from odapi.config.rules.augmentations import about_pad_color
from odapi.wording import counted


def about_pad_image(path: str, step: Any) -> Iterator[Finding]:
    """Yields a size of a `RandomPadImage` of which one side is missing, and its color.

    A size that is not set follows from the image.
    """
    for bound in ("min", "max"):
        height, width = f"{bound}_image_height", f"{bound}_image_width"
        given = [name for name in (height, width) if step.HasField(name)]
        if len(given) == 1:
            other = width if given == [height] else height
            yield error(f"{path}.{given[0]}", f"needs {other}", "set both or none")
    yield from about_pad_color(path, step)


def about_crop_pad(path: str, step: Any) -> Iterator[Finding]:
    """Yields ratios of a `RandomCropPadImage` without two values, and its color."""
    yield from about_padded_size(path, step)
    yield from about_pad_color(path, step)


def about_padded_size(path: str, step: Any) -> Iterator[Finding]:
    """Yields ratios of height and width that have neither two values nor none."""
    yield from _wrong_ratios(path, step, (0, 2))


def about_crop_pad_operation(path: str, operation: Any) -> Iterator[Finding]:
    """Yields ratios of height and width that do not have two values."""
    yield from _wrong_ratios(path, operation, (2,))


def _wrong_ratios(path: str, step: Any, allowed: tuple[int, ...]) -> Iterator[Finding]:
    for name in ("min_padded_size_ratio", "max_padded_size_ratio"):
        given = len(getattr(step, name))
        if given not in allowed:
            yield error(
                f"{path}.{name}",
                f"has {counted(given, 'value')}; give two, of height and width"
                + (", or none" if 0 in allowed else ""),
            )
