"""Builds what `options.sampling` asks for: images, repeat factors, class weights."""

from typing import Any

from odapi.config.load import options
from odapi.config.view import decimal
from odapi.data.class_weights import ClassWeights
from odapi.data.image_classes import image_classes, repeat_factors
from odapi.data.sources.base import BaseSource
from odapi.data.sources.fraction import Fraction, take_fraction
from odapi.data.sources.single_class import merge_classes
from odapi.errors import ConfigError, did_you_mean
from odapi.labels import LabelMap
from odapi.wording import counted

_WEIGHTS = "options.sampling.class_weights"


def merges_classes(config: Any) -> bool:
    """Returns whether all classes are merged into one."""
    return options(config).sampling.single_class


def with_merged_classes(
    source: BaseSource, config: Any, label_map: LabelMap | None = None
) -> BaseSource:
    """Returns the source with its classes merged, if the config asks for it.

    Args:
        source: Training or evaluation data, with their own classes.
        config: A TrainEvalPipelineConfig.
        label_map: The only class, that of the trained model; None makes it.

    Raises:
        DataError: `label_map` has several classes.
    """
    return merge_classes(source, label_map) if merges_classes(config) else source


def with_fraction(source: BaseSource, config: Any) -> BaseSource:
    """Returns the fraction of the training data that the config asks for."""
    fraction = decimal(options(config).sampling.fraction)
    return take_fraction(source, fraction, options(config).seed)


def build_repeats(config: Any, source: BaseSource) -> tuple[float, ...]:
    """Returns the repeat factor of each training image; empty if all are 1."""
    threshold = decimal(options(config).sampling.repeat_factor_threshold)
    if not threshold:
        return ()
    factors = repeat_factors(image_classes(source), threshold)
    return factors if max(factors) > 1 else ()


def build_class_weights(config: Any, label_map: LabelMap) -> tuple[ClassWeights, ...]:
    """Returns the step that applies the weights of classes, if there are any.

    Args:
        config: A TrainEvalPipelineConfig.
        label_map: The classes of the training data.

    Raises:
        ConfigError: A name is not in the label map.
    """
    factors = [1.0] * label_map.num_classes
    rows = options(config).sampling.class_weights
    for index, row in enumerate(rows):
        category = label_map.by_name.get(row.name)
        if category is None:
            names = [c.name for c in label_map]
            raise ConfigError(
                f"{_WEIGHTS}[{index}].name",
                f"class {row.name!r} is not in {label_map.source}; it has "
                f"{', '.join(names[:20])}",
                hint=did_you_mean(row.name, names),
            )
        factors[category.index] = decimal(row.weight)
    return (ClassWeights(tuple(factors)),) if rows else ()


def sampling_lines(config: Any, source: Any, repeats: tuple[float, ...]) -> list[str]:
    """Returns the lines about the training images that a user reads.

    Args:
        config: A TrainEvalPipelineConfig.
        source: The training data.
        repeats: The repeat factor of each of its images; empty if all are 1.
    """
    lines = []
    if isinstance(source, Fraction):
        fraction = decimal(options(config).sampling.fraction)
        lines.append(
            f"Training on {len(source)} of {counted(len(source.source), 'image')} "
            f"(options.sampling.fraction {fraction:g})"
        )
    if repeats:
        more = sum(factor > 1 for factor in repeats)
        lines.append(
            f"Repeat-factor sampling: {counted(more, 'image')} of {len(repeats)} "
            f"repeated, up to {max(repeats):.3g} times per epoch of "
            f"{sum(repeats):.0f} samples"
        )
    return lines
