"""Builds the prediction heads of CenterNet."""

from typing import Any

from odapi.build.oneof import call
from odapi.heads.center_heads import Head


def head_layers(
    config: Any, path: str, name: str, channels: int = 1, bias: float | None = None
) -> Head:
    """Returns a head with the layers of the config, or the default layers.

    Args:
        config: A `PredictionHeadParams` message, or None.
        path: Path of the message, for errors.
        name, channels, bias: As of `Head`.

    Raises:
        ConfigError: The numbers of filters and kernel sizes differ.
    """

    def build(config: Any, path: str) -> Head:
        if config is None or not (config.num_filters or config.kernel_sizes):
            return Head(name, channels, bias=bias)
        filters, kernels = tuple(config.num_filters), tuple(config.kernel_sizes)
        return Head(name, channels, filters, kernels, bias)

    return call(build, config, path)
