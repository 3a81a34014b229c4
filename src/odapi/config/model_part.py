"""Loads configs of which only the block `model` is needed.

Configs that come with checkpoints may have mistakes elsewhere, in the readers of data
or in the training: one archive of the zoo is published with a stray letter.
"""

import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from odapi.config import parse, scan
from odapi.config.load import Config, config_file
from odapi.config.override import apply_overrides
from odapi.errors import ConfigError

_MODEL = "model"


class ModelConfig(NamedTuple):
    """A config, and lines about the blocks that could not be read."""

    config: Config
    notes: tuple[str, ...]


class _Block(NamedTuple):
    """A block at the top level: its name and its place in the text."""

    name: str
    start: int
    end: int


def load_model_config(
    path: str | os.PathLike[str], overrides: Sequence[str] = ()
) -> ModelConfig:
    """Returns a config whose blocks with mistakes, except `model`, are left out.

    Args:
        path: A file, or a folder with a `pipeline.config`.
        overrides: Changes such as "model.ssd.num_classes=3".

    Raises:
        ConfigError: The file cannot be read, `model` has a mistake or is missing, or
            an override does not fit.
    """
    file = config_file(path)
    text = parse.read_text(file)
    try:
        loaded = ModelConfig(parse.parse(text, Config(), str(file)), ())
    except ConfigError as error:
        loaded = _read_blocks(text, file, error)
    apply_overrides(loaded.config, overrides)
    return loaded


def _read_blocks(text: str, file: pathlib.Path, error: ConfigError) -> ModelConfig:
    blocks = list(_blocks(text))
    if _MODEL not in {block.name for block in blocks}:
        raise error
    config, notes = Config(), []
    for block in blocks:
        try:
            config.MergeFrom(parse.parse(_alone(text, block), Config(), str(file)))
        except ConfigError as problem:
            if block.name == _MODEL:
                raise
            what = problem.problem.splitlines()[0]
            notes.append(f"{block.name} is not used: {problem.place}: {what}")
    return ModelConfig(config, tuple(notes))


def _alone(text: str, block: _Block) -> str:
    """Returns the text of a block at its lines and columns, without the others."""
    before = text[: block.start]
    blank = "".join(c if c == "\n" else " " for c in before)
    return blank + text[block.start : block.end]


def _blocks(text: str) -> Iterator[_Block]:
    """Yields the blocks at the top level.

    If braces are missing or superfluous before `model`, it counts where it begins.
    """
    found = list(scan.tokens(text))
    name, start, depth, bracket = "", 0, 0, 0
    nothing = scan.Token("", "", 0, 0, 0)
    for before, token in zip([nothing, *found], found, strict=False):
        opens = token.kind == "symbol" and token.text in "{<"
        if token.text == "[":
            bracket = token.start
        if opens and (depth <= 0 or before.text == _MODEL):
            if depth > 0:
                yield _Block(name, start, before.start)
            name, start, depth = before.text, before.start, 0
            if name == "]":  # An extension: its name is in brackets.
                start, name = bracket, text[bracket : token.start].strip()
        if opens:
            depth += 1
        elif token.kind == "symbol" and token.text in "}>":
            depth -= 1
            if depth == 0:
                yield _Block(name, start, token.start + 1)
    if depth > 0:
        yield _Block(name, start, len(text))
