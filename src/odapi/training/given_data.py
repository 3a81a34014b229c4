"""Datasets that `odapi.train` takes as arguments: paths, or sequences of samples."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from odapi.build.keypoint_names import keypoint_label_map, with_keypoints
from odapi.build.sampling import merges_classes, with_fraction, with_merged_classes
from odapi.config.label_map import load_label_map
from odapi.config.load import Config
from odapi.config.readers import num_channels
from odapi.config.rules.files import is_placeholder
from odapi.data.sources.base import BaseSource
from odapi.data.sources.relabel import relabel
from odapi.data.sources.sequence import SampleSequence, SequenceSource
from odapi.errors import DataError
from odapi.labels import LabelMap, label_map_of

_FORM = (
    "pass a path such as 'coco:train.json', or an object with len(samples) and "
    "samples[i] -> {'image', 'boxes', 'classes'}"
)


# A path, or samples; None takes what the config names.
Data = str | os.PathLike[str] | SampleSequence | None


@dataclasses.dataclass(frozen=True)
class GivenData:
    """The arguments `train_data`, `eval_data` and `classes` of `odapi.train`.

    Raises:
        DataError: One of them has another form.
    """

    train_data: Data = None
    eval_data: Data = None
    classes: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for name in ("train_data", "eval_data"):
            _check(name, getattr(self, name))
        if isinstance(self.classes, str):
            raise DataError("classes", f"is the text {self.classes!r}, not a list")
        if self.classes is not None and not self._samples():
            raise DataError(
                "classes",
                "names the classes of samples, but no samples are given",
                hint="classes of a dataset on disk come from its files or its label "
                "map",
            )

    @property
    def has_eval_samples(self) -> bool:
        """True if `eval_data` is a sequence of samples."""
        return "eval_data" in self._samples()

    def overrides(self) -> dict[str, str | None]:
        """Returns the config fields that are set by paths."""
        data = {"train_data": self.train_data, "eval_data": self.eval_data}
        return {
            f"options.{name}": os.fspath(value)
            for name, value in data.items()
            if isinstance(value, str | os.PathLike)
        }

    def replaced_fields(self) -> tuple[str, ...]:
        """Returns prefixes of the config fields that samples take the place of."""
        fields = {
            "train_data": ("train_input_reader", "options.train_data"),
            "eval_data": ("eval_input_reader", "options.eval_data"),
        }
        return tuple(f for name in self._samples() for f in fields[name])

    def train_source(
        self,
        config: Config,
        known: LabelMap | None = None,
        run_classes: LabelMap | None = None,
    ) -> BaseSource | None:
        """Returns the source of the training samples; None for a dataset on disk.

        Args:
            config: The config; `train_input_reader.label_map_path` names the classes
                if `classes` does not.
            known: Classes of the model that is trained further, used if neither does.
            run_classes: Classes of the run that is resumed, which the samples get.

        Raises:
            DataError: The names of the classes are not known, or the first sample has
                the wrong form.
            UnknownClassError: `run_classes` lacks a class of the samples.
        """
        samples = self._samples().get("train_data")
        if samples is None:
            return None
        source = self._opened(samples, "train_data", config, known)
        if run_classes and not merges_classes(config):
            source = relabel(source, run_classes)
        return with_fraction(with_merged_classes(source, config, run_classes), config)

    def _opened(
        self, samples: Any, name: str, config: Config, known: LabelMap | None
    ) -> BaseSource:
        """Returns the source of samples, with their own classes."""
        if isinstance(samples, BaseSource):
            samples.num_channels = num_channels(config)
            return samples
        label_map = getattr(samples, "label_map", None)
        if self.classes is not None:
            label_map = label_map_of(list(self.classes), "classes")
        if not isinstance(label_map, LabelMap):
            label_map = _configured(config) or known
        if label_map is None:
            raise DataError(
                name,
                "samples need the names of their classes",
                hint='pass classes=["cat", "dog"], or set '
                "train_input_reader.label_map_path",
            )
        return _source(samples, name, label_map, config)

    def eval_source(self, config: Config, label_map: LabelMap) -> BaseSource | None:
        """Returns the source of the evaluation samples; None for a dataset on disk.

        Args:
            config: The config.
            label_map: The classes of the training data, which the samples get.

        Raises:
            UnknownClassError: `label_map` lacks a class of the samples.
        """
        samples = self._samples().get("eval_data")
        if samples is None:
            return None
        if merges_classes(config):
            source = self._opened(samples, "eval_data", config, label_map)
            return with_merged_classes(source, config, label_map)
        if isinstance(samples, BaseSource):
            samples.num_channels = num_channels(config)
            return relabel(samples, label_map)
        own = getattr(samples, "label_map", None)
        if self.classes is not None:
            own = label_map_of(list(self.classes), "classes")
        classes = own if isinstance(own, LabelMap) else label_map
        return relabel(_source(samples, "eval_data", classes, config), label_map)

    def _samples(self) -> dict[str, Any]:
        data = {"train_data": self.train_data, "eval_data": self.eval_data}
        return {
            name: value
            for name, value in data.items()
            if value is not None and not isinstance(value, str | os.PathLike)
        }


def _check(name: str, data: Any) -> None:
    if data is None or isinstance(data, str | os.PathLike):
        return
    kind = type(data).__name__
    if any(cls.__name__ in _BATCHES for cls in type(data).__mro__):
        raise DataError(
            name,
            f"is a {kind} of ready batches, but training makes its own batches",
            hint=f"{_FORM}; for ready batches, use fit of the Keras model",
        )
    if not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise DataError(
            name,
            f"is a {kind}, whose samples cannot be read by index",
            hint=f"{_FORM}; for a generator of ready batches, use fit of the Keras "
            "model",
        )


# Names of classes whose items are batches: Keras, TensorFlow, PyTorch.
_BATCHES = {"PyDataset", "DatasetV2", "DataLoader"}


def _configured(config: Config) -> LabelMap | None:
    path = config.train_input_reader.label_map_path
    return load_label_map(path) if path and not is_placeholder(path) else None


def _source(
    samples: SampleSequence, name: str, label_map: LabelMap, config: Config
) -> SequenceSource:
    keypoints = keypoint_label_map(config)
    if keypoints is not None:
        label_map = with_keypoints(label_map, keypoints)
    source = SequenceSource(samples, label_map, name)
    source.num_channels = num_channels(config)
    return source
