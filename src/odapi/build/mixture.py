"""Weights by which training mixes the files of a reader."""

import bisect
import itertools
from typing import Any

from odapi.config.view import view
from odapi.data.sources.base import BaseSource
from odapi.data.sources.fraction import Fraction
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.errors import ConfigError
from odapi.wording import counted

_PATH = "train_input_reader.sample_from_datasets_weights"


def build_mixture(
    reader: Any, source: BaseSource
) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Returns number of samples and weight per input_path; both empty without weights.

    Args:
        reader: The training `InputReader`.
        source: Its samples.

    Raises:
        ConfigError: Two input paths share files.
    """
    weights = view(reader).sample_from_datasets_weights
    if not weights:
        return (), ()
    paths = list(reader.tf_record_input_reader.input_path)
    whole = [
        len(open_tfrecord(one, source.label_map, load_masks=False)) for one in paths
    ]
    step = max(reader.sample_1_of_n_examples, 1)
    ends = [-(-end // step) for end in itertools.accumulate(whole)]
    chosen = source.indices if isinstance(source, Fraction) else None
    if isinstance(source, Fraction):
        source = source.source
    if ends[-1] != len(source):
        raise ConfigError(
            _PATH,
            "needs input paths that do not share files",
            hint=f"they hold {counted(sum(whole), 'record')} separately, but "
            f"{len(source)} "
            "together",
        )
    if chosen is not None:
        ends = [bisect.bisect_left(chosen, end) for end in ends]
    parts = tuple(end - start for start, end in itertools.pairwise([0, *ends]))
    rows = zip(paths, parts, weights, strict=True)
    if empty := [path for path, count, weight in rows if weight > count == 0]:
        raise ConfigError(
            "options.sampling.fraction",
            f"leaves no image of {empty[0]!r}, which {_PATH} mixes in",
            hint="use a larger fraction",
        )
    return parts, weights
