"""One table for a oneof: the field that is set picks its builder."""

from collections.abc import Callable, Mapping
from typing import Any

from odapi.config.view import view
from odapi.errors import ConfigError, OdapiError, unknown_choice


def build_oneof(
    config: Any, oneof: str, builders: Mapping[str, Callable], path: str, *args: Any
) -> Any:
    """Calls the builder of the field that is set in `oneof`.

    Args:
        config: The message that has the oneof.
        oneof: Its name.
        builders: Functions `(message, path, *args)` by the name of the field.
        path: Path of `config` in the pipeline config, for messages.
        args: Passed on.

    Raises:
        ConfigError: No field is set, or one that has no builder, or the value
            of one is not allowed.
    """
    config = view(config)
    field = config.WhichOneof(oneof)
    if field is None:
        raise ConfigError(path, f"is empty; set one of {', '.join(sorted(builders))}")
    if field not in builders:
        raise unknown_choice(path, field, builders)
    return call(builders[field], getattr(config, field), f"{path}.{field}", *args)


def call(builder: Callable, config: Any, path: str, *args: Any) -> Any:
    """Calls a builder; a plain ValueError becomes a ConfigError at `path`."""
    try:
        return builder(view(config), path, *args)
    except OdapiError:
        raise
    except ValueError as error:
        raise ConfigError(path, str(error)) from error
