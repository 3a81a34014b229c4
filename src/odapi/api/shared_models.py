"""Models that are loaded once per process, however often their path is given."""

import dataclasses
import pathlib
import threading
import weakref
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

from odapi.checkpoints import folder as folders

if TYPE_CHECKING:
    from odapi.checkpoints.load_detector import LoadedDetector
    from odapi.inference.predictor import Predictor


@dataclasses.dataclass(eq=False)
class Model:
    """A loaded model with its compiled functions.

    Args:
        predictor: Finds objects in images.
        loaded: The detector with its config; None for an exported program.
        owners: The objects that use the model.
    """

    predictor: "Predictor"
    loaded: "LoadedDetector | None" = None
    owners: weakref.WeakSet[Any] = dataclasses.field(default_factory=weakref.WeakSet)


class SharedModels:
    """Keeps loaded models for as long as anyone uses them, and the latest one.

    A model is loaded anew after its files changed.
    """

    def __init__(self) -> None:
        self._models: weakref.WeakValueDictionary[Hashable, Model] = (
            weakref.WeakValueDictionary()
        )
        self._latest: Model | None = None
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._models)

    def get(self, key: Hashable, load: Callable[[], Model]) -> Model:
        """Returns the model of a key, loaded at the first call."""
        with self._lock:
            model = self._models.get(key)
            if model is None:
                model = self._models[key] = load()
            self._latest = model
            return model

    def release(self, model: Model) -> None:
        """Forgets a model, so that the next `get` of its key loads it anew."""
        with self._lock:
            for key, value in list(self._models.items()):
                if value is model:
                    del self._models[key]
            if self._latest is model:
                self._latest = None

    def clear(self) -> None:
        """Forgets all models."""
        with self._lock:
            self._models.clear()
            self._latest = None


SHARED_MODELS = SharedModels()


def key_of(
    folder: pathlib.Path, overrides: Sequence[str] = (), kind: str = ""
) -> Hashable:
    """Returns a key that changes when the files of a model change."""
    names = (folders.WEIGHTS, folders.CONFIG, folders.LABEL_MAP, "saved_model.pb")
    stamps = []
    for file in (folder, *(folder / name for name in names)):
        if file.is_file():
            status = file.stat()
            stamps.append((file.name, status.st_mtime_ns, status.st_size))
    return kind, str(folder.resolve()), tuple(overrides), tuple(stamps)
