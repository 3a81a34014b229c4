"""Loading and saving of pipeline configs."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from odapi.config import parse
from odapi.config.override import apply_overrides
from odapi.config.protos import options_pb2, pipeline_pb2
from odapi.errors import ConfigError, DataError, OdapiError
from odapi.files import write_text

Config = pipeline_pb2.TrainEvalPipelineConfig
FILE_NAME = "pipeline.config"
# Before options that are comments; those that a user commented out lack it.
_COMMENTED = "# Options of odapi, comments for other parsers; odapi reads them:"


def load_config(
    config: str | os.PathLike | Config, overrides: Sequence[str] = ()
) -> Config:
    """Returns a pipeline config, with overrides applied.

    Fields are not checked here: `odapi.config.check.check` reports those that are
    not supported or contradict each other.

    Args:
        config: A file, a folder with a `pipeline.config` (a model directory, a
            checkpoint, an archive of the zoo), the text itself, or a config
            that is already loaded, which is copied.
        overrides: Changes such as "train_config.batch_size=8", in order.

    Raises:
        ConfigError: The file cannot be read or parsed, or an override does not
            fit. A parse error names file, line and column.
    """
    if isinstance(config, Config):
        loaded = Config()
        loaded.CopyFrom(config)
    elif _is_text(config):
        loaded = parse.parse(_uncommented(str(config)), Config(), "config text")
    else:
        path = config_file(config)
        loaded = parse.parse(_uncommented(parse.read_text(path)), Config(), str(path))
    apply_overrides(loaded, overrides)
    return loaded


def save_config(
    config: Config, path: str | os.PathLike, error: type[OdapiError] = DataError
) -> None:
    """Writes a config as canonical text, which loads back equal.

    Raises:
        OdapiError: Of the type `error`: the file cannot be written.
    """
    write_text(path, parse.to_text(config), error=error)


def save_plain_config(config: Config, path: str | os.PathLike) -> None:
    """Writes a config that parsers of the TF Object Detection API can read.

    Our own options, which their protos do not know, become comments; `load_config`
    reads them.
    """
    plain = load_config(config)
    extension: Any = options_pb2.options
    plain.ClearExtension(extension)
    text = parse.to_text(plain)
    if config.HasExtension(extension):
        own = Config()
        own.Extensions[options_pb2.options].CopyFrom(options(config))
        lines = parse.to_text(own).splitlines()
        text += "\n".join([_COMMENTED, *(f"# {line}" for line in lines)]) + "\n"
    write_text(path, text)


def _uncommented(text: str) -> str:
    """Returns the text of a config with the options of `save_plain_config`."""
    before, mark, block = text.partition(f"{_COMMENTED}\n")
    lines = [line.removeprefix("# ") for line in block.splitlines(keepends=True)]
    return before + mark + "".join(lines)


def options(config: Config) -> options_pb2.Options:
    """Returns our own options of a config; the defaults where it has none."""
    return config.Extensions[options_pb2.options]


def config_file(path: str | os.PathLike) -> pathlib.Path:
    """Returns the file of a config that is given as a file or its folder.

    Raises:
        ConfigError: The folder has no `pipeline.config`.
    """
    path = pathlib.Path(path).expanduser()
    if not path.is_dir():
        return path
    if (path / FILE_NAME).is_file():
        return path / FILE_NAME
    others = sorted(p.name for p in path.glob("*.config"))
    if len(others) == 1:
        return path / others[0]
    hint = f"it has {', '.join(others[:5])}; name one of them" if others else ""
    raise ConfigError(str(path), f"the folder has no {FILE_NAME}", hint=hint)


def _is_text(config: Any) -> bool:
    return isinstance(config, str) and ("{" in config or "\n" in config)
