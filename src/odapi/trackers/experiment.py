"""The experiment that a run is for its trackers, and the ids by which it is resumed."""

import dataclasses
import importlib.util
import os
import pathlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from odapi.errors import MissingPackageError
from odapi.files import read_json_object, write_json

FILE = "trackers.json"
_LOCK = threading.Lock()  # Each tracker writes its part of the file from its thread.

TRAINING, EVALUATION = "training", "evaluation"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """One run, as experiment trackers see it.

    Args:
        name: Display name.
        kind: "training" or "evaluation"; also becomes a tag.
        tags: Further tags.
        folder: Folder of the run, for ids and for files that are sent later; None:
            the places that the packages choose.
        is_resumed: Whether the run continues an earlier call, and so its experiment.
        note: Gets lines for the user, such as where files are.
    """

    name: str
    kind: str = TRAINING
    tags: tuple[str, ...] = ()
    folder: pathlib.Path | None = None
    is_resumed: bool = False
    note: Callable[[str], None] = lambda line: None

    @property
    def all_tags(self) -> list[str]:
        """The kind and the tags, each once."""
        return list(dict.fromkeys([self.kind, *self.tags]))

    @property
    def files(self) -> pathlib.Path | None:
        """Folder for files that are sent later; None: the package chooses one."""
        return None if self.folder is None else self.folder / "trackers"

    def known(self, tracker: str) -> dict[str, Any]:
        """Returns what was remembered for a tracker; {} for a new experiment."""
        if self.folder is None or not self.is_resumed:
            return {}
        found = read_json_object(self.folder / FILE).get(tracker)
        return found if isinstance(found, dict) else {}

    def remember(self, tracker: str, ids: Mapping[str, Any]) -> None:
        """Writes the ids of the experiment into `trackers.json` of the run.

        Raises:
            DataError: The file cannot be written.
        """
        if self.folder is None:
            return
        with _LOCK:
            path = self.folder / FILE
            write_json(path, read_json_object(path) | {tracker: dict(ids)})


def check_package(feature: str, module: str, package: str, extra: str) -> None:
    """Checks that a package can be imported, without importing it.

    Raises:
        MissingPackageError: It is not installed.
    """
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise MissingPackageError(feature, package, extra)


def set_default(variable: str, value: str) -> None:
    """Sets an environment variable of a package, unless the user has set it."""
    os.environ.setdefault(variable, value)
