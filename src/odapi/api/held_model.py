"""A model together with the files that it came from."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from odapi.api.load_model import load_model, shared_model
from odapi.api.model_path import ModelPath, locate
from odapi.api.shared_models import SHARED_MODELS, Model
from odapi.errors import CheckpointError
from odapi.labels import LabelMap

if TYPE_CHECKING:
    from odapi.checkpoints.load_detector import LoadedDetector
    from odapi.models.detector import Detector


class HeldModel:
    """A model of one `ObjectDetector`, shared with other objects until it is changed.

    Args:
        model: The model.
        place: Where it was loaded from; None: built in memory.
        overrides: That it was loaded with.
        label_map: Names of the classes that it was loaded with.
    """

    def __init__(
        self,
        model: Model,
        place: ModelPath | None,
        overrides: Sequence[str] = (),
        label_map: LabelMap | None = None,
    ):
        model.owners.add(self)
        self.model, self.place, self.overrides = model, place, tuple(overrides)
        self._label_map = label_map
        self._changed = place is None  # Whether the weights may differ from the files.

    @property
    def checkpoint(self) -> pathlib.Path | None:
        """The checkpoint folder with exactly these weights; None if there is none."""
        if self.place is None or self._changed:
            return None
        return self.place.weights

    def with_weights(self, verb: str) -> "LoadedDetector":
        """Returns the detector; of an exported program, the one in its folder.

        Raises:
            CheckpointError: The model is an exported program without weights.
        """
        loaded = self.model.loaded
        if loaded is None and self.place is not None and self.place.weights:
            place = locate(self.place.weights)
            loaded = shared_model(place, label_map=self._label_map).loaded
        if loaded is None:
            raise self.refused(f"has no weights, so it cannot {verb}")
        return loaded

    def own(self) -> "Detector":
        """Returns the Keras model, which no other object shares from then on.

        Raises:
            CheckpointError: The model is an exported program.
        """
        if self.model.loaded is None:
            raise self.refused("is not a Keras model")
        if self.place is not None and not self._changed:
            if len(self.model.owners) > 1:
                self.model.owners.discard(self)
                self.model = load_model(self.place, self.overrides, self._label_map)
                self.model.owners.add(self)
            else:
                SHARED_MODELS.release(self.model)
        self._changed = True
        if self.model.loaded is None:
            raise self.refused("is not a Keras model")
        return self.model.loaded.detector

    def refused(self, problem: str) -> CheckpointError:
        """Returns the error for what an exported program cannot do."""
        weights = self.place.weights if self.place else None
        source = repr(str(weights)) if weights else "the run it was exported from"
        problem = f"{problem}: it is an exported program"
        hint = f"load its weights: ObjectDetector.load({source})"
        return CheckpointError(self.origin, problem, hint)

    @property
    def origin(self) -> str:
        """Where the model is from, in words."""
        if self.place is None:
            return "in memory"
        kind = f" ({self.place.title})" if self.place.title else ""
        return f"{self.place.path}{kind}"


def as_held(model: object) -> HeldModel:
    """Returns what an `ObjectDetector` is made of.

    Raises:
        CheckpointError: It is something else, such as a path.
    """
    if isinstance(model, HeldModel):
        return model
    raise CheckpointError(
        f"ObjectDetector({model!r})"[:200],
        "the constructor takes no path, config or model",
        hint="ObjectDetector.load(PATH), from_config, from_keras and from_zoo make one",
    )
