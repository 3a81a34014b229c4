"""Files of overrides: one PATH=VALUE per line, as `--set` takes them."""

import pathlib

from odapi.config import parse
from odapi.config.load import Config, load_config
from odapi.config.override import apply_overrides
from odapi.errors import ConfigError
from odapi.files import Pathlike


def merge(config: Pathlike | Config, file: Pathlike) -> Config:
    """Returns a config with the overrides of a file applied, in their order.

    Empty lines and lines that begin with # are skipped.

    Args:
        config: As for `load_config`.
        file: The overrides.

    Raises:
        ConfigError: A file cannot be read, or an override does not fit; names the line.
    """
    merged = load_config(config)
    text = parse.read_text(pathlib.Path(file))
    lines = [line.strip() for line in text.splitlines()]
    overrides = {n: s for n, s in enumerate(lines, 1) if s and not s.startswith("#")}
    if not overrides:
        raise ConfigError(
            str(file), "has no override", hint="write one PATH=VALUE per line"
        )
    for number, override in overrides.items():
        try:
            apply_overrides(merged, [override.removeprefix("--set ")])
        except ConfigError as error:
            place = f"{file}:{number}"
            raise ConfigError(
                place, f"{override}: {error.problem}", hint=error.hint
            ) from error
    return merged
