"""Augmentations: lengths of lists, and steps at the end without them."""

from collections.abc import Callable, Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning
from odapi.config.load import options
from odapi.wording import counted

# Augmentations that combine the image with others, which have values of 0..255.
_COMBINATIONS = ("random_mosaic", "random_mixup", "random_copy_paste")
_OTHER_VALUES = ("normalize_image", "subtract_channel_mean")


def about_permutation(field: str) -> Callable[[str, Any], Iterator[Finding]]:
    """Returns the rule that `field` is a permutation of the keypoints."""

    def rule(path: str, step: Any) -> Iterator[Finding]:
        order = list(getattr(step, field))
        if sorted(order) != list(range(len(order))):
            yield error(
                f"{path}.{field}",
                f"must contain each of 0 to {len(order) - 1} once, got {order}",
            )

    return rule


def about_pad_color(path: str, step: Any) -> Iterator[Finding]:
    """Yields a color of a `RandomAbsolutePadImage` that is not red, green and blue."""
    if len(step.pad_color) not in (0, 3):
        yield error(
            f"{path}.pad_color",
            f"has {counted(len(step.pad_color), 'value')}; give red, green and blue, "
            f"or none",
        )


def about_blur(path: str, step: Any) -> Iterator[Finding]:
    """Yields an even size of the kernel of a `RandomBlur`."""
    size = step.max_kernel_size
    if size % 2 == 0:
        yield error(
            f"{path}.max_kernel_size", f"is {size}; allowed are odd numbers from 3 on"
        )


def about_normalize(path: str, step: Any) -> Iterator[Finding]:
    """Yields an empty range of a `NormalizeImage`, and that its effect is doubtful."""
    low, high = step.original_minval, step.original_maxval
    if not low < high:
        yield error(
            path,
            f"original_minval {low:.7g} is not below original_maxval {high:.7g}",
            "for images of 0 to 255, set original_minval: 0 original_maxval: 255",
        )
    yield _training_only(path)


def about_channel_mean(path: str, step: Any) -> Iterator[Finding]:
    """Yields a wrong number of means of a `SubtractChannelMean`, and its effect."""
    if len(step.means) not in (0, 3):
        yield error(
            f"{path}.means",
            f"has {counted(len(step.means), 'value')}; give red, green and blue, or "
            "none",
        )
    yield _training_only(path)


def _training_only(path: str) -> Finding:
    return warning(
        path,
        "changes the training images before the model normalizes them; evaluation and "
        "prediction see unchanged images, as in the original",
        "remove it unless you want that: every model normalizes its images itself",
    )


def about_pad_value(path: str, resizer: Any) -> Iterator[Finding]:
    """Yields a color of a `KeepAspectRatioResizer` without one value per channel."""
    channels = 1 if resizer.convert_to_grayscale else 3
    given = len(resizer.per_channel_pad_value)
    if given not in (0, channels):
        yield error(
            f"{path}.per_channel_pad_value",
            f"has {counted(given, 'value')} for {channels} channels",
        )


def find_close_after(config: Any) -> Iterator[Finding]:
    """Yields augmentations that would end before the first step, or at no known one."""
    steps = config.train_config.num_steps
    for index, augmentation in enumerate(options(config).augmentations):
        path = f"options.augmentations[{index}].close_after"
        if augmentation.close_after and not steps:
            yield error(
                path,
                "counts from the end of the training, and train_config.num_steps is "
                "not set",
                "--set train_config.num_steps=...",
            )
        elif augmentation.close_after >= max(steps, 1):
            yield error(
                path,
                f"is {augmentation.close_after} of {counted(steps, 'step')}: the "
                "augmentation would never be applied",
                "set it below train_config.num_steps, or remove the augmentation",
            )


def find_combinations(config: Any) -> Iterator[Finding]:
    """Yields combinations of images after a step that leaves the values 0..255."""
    changed = ""
    for index, one in enumerate(options(config).augmentations):
        kind = one.WhichOneof("augmentation") or ""
        step = one.step.WhichOneof("preprocessing_step")
        if kind == "step" and step in _OTHER_VALUES:
            changed = step
        elif kind in _COMBINATIONS and changed:
            yield error(
                f"options.augmentations[{index}].{kind}",
                f"comes after {changed}, which is not applied to the other images",
                f"place it before {changed}",
            )
