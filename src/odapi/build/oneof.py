"""Calls builders: reads a message, checks it, and gives every error a config path."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.message import Message

from odapi.config.rules.registry import require_message
from odapi.config.view import view
from odapi.errors import ConfigError, OdapiError, unknown_choice


def build_oneof(
    config: Any, oneof: str, builders: Mapping[str, Callable], path: str, *args: Any
) -> Any:
    """Calls the builder of the field that is set in `oneof`.

    Args:
        config: The message that has the oneof.
        oneof: Its name.
        builders: Functions `(message, path, *args)` by field name.
        path: Path of `config` in the pipeline config, for errors.
        args: Further arguments of the builder.

    Raises:
        ConfigError: No field is set, the field has no builder, or a value is not
            allowed.
    """
    config = checked(config, path)
    field = config.WhichOneof(oneof)
    if field is None:
        raise ConfigError(path, f"is empty; set one of {', '.join(sorted(builders))}")
    if field not in builders:
        raise unknown_choice(path, field, builders)
    return call(builders[field], getattr(config, field), f"{path}.{field}", *args)


def call(builder: Callable, config: Any, path: str, *args: Any) -> Any:
    """Calls a builder; a plain ValueError becomes a ConfigError at `path`."""
    try:
        return builder(checked(config, path), path, *args)
    except OdapiError:
        raise
    except ValueError as error:
        raise ConfigError(path, str(error)) from error


def checked(config: Any, path: str) -> Any:
    """Returns a view of a message that keeps all rules about itself.

    A view is returned unchanged: its message was checked when the view was made.

    Raises:
        ConfigError: The message breaks a rule of `odapi.config.rules`.
    """
    if isinstance(config, Message):
        require_message(config, path)
    return view(config)
