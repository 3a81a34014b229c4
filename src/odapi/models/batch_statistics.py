"""Moments of batch norms, measured anew with the weights that a detector has.

Moving statistics with a slow decay are still those of the first steps when a short
training ends. The mean of the moments of some batches, under the final weights, takes
their place (Wu & Johnson 2021, https://arxiv.org/abs/2105.07576, "precise BatchNorm").
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from odapi.models.detector import Detector
from odapi.models.inputs import as_groundtruth
from odapi.runtime.compat import flatten_layers
from odapi.structures import Batch, Tensor, model_inputs, present

_MAX_COMPILED = 4  # Shapes of batches; compiling takes seconds.
_EAGER = "eager"


class BatchStatistics:
    """Measures the means and variances that batch norms see in training.

    Compiles once for each shape of a batch; later ones are not compiled, except on
    JAX.

    Args:
        detector: A built detector. Its batch norms are those that normalize by the
            batch in training; frozen ones are left out.
    """

    def __init__(self, detector: Detector):
        self.detector = detector
        self.norms = batch_norms(detector)
        self._names = {id(v): name for name, v in detector.named_variables().items()}
        self._steps: dict[Any, _Step] = {}

    def measure(self, batches: Iterable[Batch], pads: bool = True) -> dict[str, Any]:
        """Returns mean over the batches of the moments of each, by variable.

        The detector is left as it was, its random state included.

        Args:
            batches: Training batches with their groundtruth.
            pads: Whether their images can have padding.

        Returns:
            Arrays `[c]` float32 by the names of `named_variables()`. Norms that no
            batch reached, such as those of a mask head without objects, are left out.
        """
        sums: dict[int, list[Any]] = {}
        with self._replacing() as reset:
            for batch in batches:
                reset()
                before = self._moments()
                self._run(batch, pads)
                for i, (old, new) in enumerate(
                    zip(before, self._moments(), strict=True)
                ):
                    if all(map(np.array_equal, old, new)):
                        continue  # Not called.
                    entry = sums.setdefault(i, [0, 0.0, 0.0])
                    entry[0] += 1
                    entry[1] = entry[1] + new[0].astype("float64")
                    entry[2] = entry[2] + new[1].astype("float64")
        found = {}
        for i, (number, mean, variance) in sums.items():
            for variable, total in zip(
                _moving(self.norms[i]), (mean, variance), strict=True
            ):
                found[self._names[id(variable)]] = (total / number).astype("float32")
        return found

    @contextlib.contextmanager
    def _replacing(self) -> Iterator[Any]:
        """Within the context, each batch replaces the moving statistics.

        Yields a function that sets these to values that no batch has.
        """
        kept = [(v, _copy(v)) for v in self.detector.non_trainable_variables]
        values = {id(v): value for v, value in kept}
        momenta = [layer.momentum for layer in self.norms]

        def reset() -> None:
            for layer in self.norms:
                for variable in _moving(layer):
                    # Nearly the value itself: a part of the model may still use it.
                    value = values[id(variable)]
                    variable.assign(value + (np.abs(value) + 1.0) * np.float32(1e-6))

        try:
            for layer in self.norms:
                layer.momentum = 0.0
            yield reset
        finally:
            for layer, momentum in zip(self.norms, momenta, strict=True):
                layer.momentum = momentum
            for variable, value in kept:
                variable.assign(value)

    def _moments(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [
            (_copy(layer.moving_mean), _copy(layer.moving_variance))
            for layer in self.norms
        ]

    def _run(self, batch: Batch, pads: bool) -> None:
        read = ("boxes", "classes", "valid", "weights")
        truth = {
            name: np.asarray(value)
            for name, value in present(batch.groundtruth).items()
            if name in (*read, *self.detector.groundtruth_fields)
        }
        inputs = {k: np.asarray(v) for k, v in model_inputs(batch, pads).items()}
        data = {"inputs": inputs, "groundtruth": truth}
        shape = tuple(value.shape for value in keras.tree.flatten(data))
        eager = len(self._steps) >= _MAX_COMPILED and shape not in self._steps
        key = _EAGER if eager and keras.backend.backend() != "jax" else shape
        if key not in self._steps:
            self._steps[key] = _Step(self.detector, eager=key == _EAGER)
        self._steps[key].predict_on_batch(data)


class _Step(keras.Model):
    """A training step without an update of weights; shares the detector's variables."""

    def __init__(self, detector: Detector, eager: bool):
        super().__init__(name="batch_statistics_step")
        self.detector = detector
        # As in evaluation: XLA is slow on CPUs.
        self.jit_compile = keras.backend.backend() == "jax"
        self.run_eagerly = eager
        self.built = True

    def call(self, data: Mapping[str, Any]) -> Tensor:
        """Runs the model and its losses; some layers are called by these only."""
        outputs = self.detector(data["inputs"], training=True)
        truth = as_groundtruth(data["groundtruth"], self.detector.groundtruth_fields)
        parts = self.detector.loss_parts(outputs, truth, data["inputs"], True)
        return sum(ops.cast(value, "float32") for value in parts.values())


@contextlib.contextmanager
def replaced(detector: Detector, statistics: Mapping[str, Any]) -> Iterator[None]:
    """Replaces moving statistics of a detector within the context."""
    variables = detector.named_variables()
    kept = {name: _copy(variables[name]) for name in statistics}
    try:
        for name, value in statistics.items():
            variables[name].assign(value)
        yield
    finally:
        for name, value in kept.items():
            variables[name].assign(value)


def moving_statistics(detector: Detector) -> dict[str, np.ndarray]:
    """Returns the moving statistics of all batch norms that training changes."""
    names = {id(v): name for name, v in detector.named_variables().items()}
    norms = batch_norms(detector)
    return {names[id(v)]: _copy(v) for layer in norms for v in _moving(layer)}


def batch_norms(detector: Detector) -> list[keras.layers.Layer]:
    """Returns the batch norms that normalize by the batch in training."""
    return [layer for layer in flatten_layers(detector) if _is_batch_norm(layer)]


def _is_batch_norm(layer: keras.layers.Layer) -> bool:
    return (
        isinstance(layer, keras.layers.BatchNormalization)
        and layer.trainable
        and not getattr(layer, "frozen", False)
    )


def _moving(layer: Any) -> tuple[keras.Variable, keras.Variable]:
    return layer.moving_mean, layer.moving_variance


def _copy(variable: keras.Variable) -> np.ndarray:
    return np.array(ops.convert_to_numpy(variable))
