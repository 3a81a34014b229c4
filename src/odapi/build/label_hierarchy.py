"""Builds the class hierarchy by which an input reader expands labels."""

from typing import Any

from odapi.config.load import options
from odapi.data.label_hierarchy import hierarchy_of, with_hierarchy
from odapi.data.sources.base import BaseSource
from odapi.data.sources.expanded import Expanded


def with_expanded_labels(source: BaseSource, reader: Any, config: Any) -> BaseSource:
    """Returns a source whose objects also count as the ancestors of their classes.

    Args:
        source: The data of the reader.
        reader: The InputReader; without `expand_labels_hierarchy`, the source stays as
            it is.
        config: A TrainEvalPipelineConfig.

    Raises:
        DataError: The label map has no hierarchy, or the hierarchy file cannot be used.
    """
    label_map, file = source.label_map, options(config).data_loading.label_hierarchy
    if not reader.expand_labels_hierarchy:
        return source
    if file:
        label_map = with_hierarchy(label_map, file)
    return Expanded(source, hierarchy_of(label_map))
