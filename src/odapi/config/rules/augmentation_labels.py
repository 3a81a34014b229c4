"""Augmentations that name classes or read scores, against the model and the data."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning
from odapi.config.load import options


def find(config: Any) -> Iterator[Finding]:
    """Yields classes that the model does not have, and scores that are not loaded."""
    model = config.model.WhichOneof("model")
    num_classes = getattr(getattr(config.model, model or "", None), "num_classes", 0)
    for path, step in _steps(config):
        name = step.WhichOneof("preprocessing_step")
        if name == "remap_labels" and num_classes:
            yield from _remapped(f"{path}.{name}", step.remap_labels, num_classes)
        elif name == "drop_label_probabilistically" and num_classes:
            label = step.drop_label_probabilistically.label
            yield from _unknown(f"{path}.{name}.label", label, num_classes)
        elif name == "convert_class_logits_to_softmax":
            if not config.train_input_reader.load_multiclass_scores:
                yield warning(
                    f"{path}.{name}",
                    "has no effect: the reader loads no scores",
                    "--set train_input_reader.load_multiclass_scores=true",
                )


def _remapped(path: str, step: Any, num_classes: int) -> Iterator[Finding]:
    for index, label in enumerate(step.original_labels):
        yield from _unknown(f"{path}.original_labels[{index}]", label, num_classes)
    if step.new_label > num_classes:
        yield error(
            f"{path}.new_label",
            f"is {step.new_label}; the model has the classes 1 to {num_classes}",
            "raise model num_classes, or give one of these ids",
        )


def _unknown(path: str, label: int, num_classes: int) -> Iterator[Finding]:
    if label > num_classes:
        yield warning(
            path,
            f"has no effect: is {label}; the model has the classes 1 to {num_classes}",
        )


def _steps(config: Any) -> Iterator[tuple[str, Any]]:
    """Yields all preprocessing steps with their paths."""
    for index, step in enumerate(config.train_config.data_augmentation_options):
        yield f"train_config.data_augmentation_options[{index}]", step
    for index, augmentation in enumerate(options(config).augmentations):
        if augmentation.HasField("step"):
            yield f"options.augmentations[{index}].step", augmentation.step
