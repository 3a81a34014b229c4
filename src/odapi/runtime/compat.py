"""Every use of a private or undocumented part of Keras, TensorFlow and JAX.

A new release of these packages is checked against this file and its tests. Versions
that it was written for: Keras 3.15.1, TensorFlow 2.21.0, JAX 0.10.2. TensorFlow and JAX
are imported inside functions.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np


def flatten_layers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yields a layer and all layers within it, from the outside in.

    Uses `Layer._flatten_layers`: the public `layers` exists on `keras.Model` only, and
    does not descend into layers that are not models.
    """
    yield from layer._flatten_layers()


def child_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Returns the layers that a layer holds directly, in the order of assignment.

    Uses `Layer._flatten_layers`, for the same reason as `flatten_layers`.
    """
    return list(layer._flatten_layers(include_self=False, recursive=False))


def sync_variables(model: keras.Model) -> None:
    """Copies the state of a running `fit` into the variables of the model.

    Uses `jax_state_sync`, an undocumented method of the JAX trainer, which keeps the
    state of all variables apart from them during an epoch. Models on TensorFlow and
    torch have no such method, and their variables are always up to date.
    """
    sync = getattr(model, "jax_state_sync", None)
    if sync is not None:
        sync()


@contextlib.contextmanager
def variables_on_one_device(variables: Sequence[keras.Variable]) -> Iterator[None]:
    """Within this context, distributed JAX variables are on one device of the process.

    Uses `_value` and `_layout` of `keras.Variable`: an assignment would distribute the
    value again. Of the changes made within the context, those of integers, which are
    states of random layers, are kept.
    """
    import jax
    import numpy as np

    device = jax.local_devices()[0]
    kept = [(v, v._value, v._layout, np.array(v._value)) for v in variables]
    try:
        for variable, _, _, array in kept:
            variable._layout = None
            # A copy: compiled functions may overwrite their arguments.
            variable._value = jax.device_put(array, device)
        yield
        changed = [
            (v, new)
            for v, _, _, array in kept
            if array.dtype.kind in "iu"
            and not np.array_equal(array, new := np.array(v._value))
        ]
    finally:
        for variable, value, layout, _ in kept:
            variable._value, variable._layout = value, layout
    for variable, new in changed:
        variable.assign(new)


def skip_symbolic_build(model: keras.Model) -> None:
    """Makes `fit` of a built model read no batch to build it.

    Replaces `Model._maybe_symbolic_build`: on several devices of TensorFlow it starts
    the dataset twice, and batches of a generator that were read ahead are lost.
    """
    model._maybe_symbolic_build = lambda *_, **__: None


def has_torch_distribution() -> bool:
    """Returns whether Keras can train on several devices with PyTorch.

    Looks for the module `distribution_lib` of the backend, which Keras 3.15 lacks.
    """
    import importlib.util

    name = "keras.src.backend.torch.distribution_lib"
    return importlib.util.find_spec(name) is not None


class RunningValues:
    """Values of a few variables while `fit` runs, without copying all others.

    Uses `_jax_state`, in which the JAX trainer keeps the state of all variables during
    an epoch; `sync_variables` in every step would be slow.

    Args:
        model: A model with its optimizer.
        variables: Variables of either; those of the model in their order.
    """

    def __init__(self, model: keras.Model, variables: Sequence[keras.Variable]):
        self._model, self._variables = model, list(variables)
        self._places: list[tuple[str, int]] | None = None

    def read(self) -> list[np.ndarray]:
        """Returns copies of the current values."""
        state = getattr(self._model, "_jax_state", None)
        if not state or self._model._jax_state_synced:
            values = self._variables
        else:
            if self._places is None:
                self._places = self._find()
            values = [state[name][index] for name, index in self._places]
        return [np.array(keras.ops.convert_to_numpy(value)) for value in values]

    def _find(self) -> list[tuple[str, int]]:
        kinds = {
            "trainable_variables": self._model.trainable_variables,
            "non_trainable_variables": self._model.non_trainable_variables,
            "optimizer_variables": self._model.optimizer.variables,
        }
        places = {
            id(variable): (name, index)
            for name, variables in kinds.items()
            for index, variable in enumerate(variables)
        }
        return [places[id(variable)] for variable in self._variables]


def seed_keras(seed: int) -> None:
    """Sets the seed of `keras.random` and of initializers without a seed.

    Uses the state that `keras.utils.set_random_seed` sets.
    """
    from keras.src.backend.common import global_state
    from keras.src.random import seed_generator
    from keras.src.utils import rng_utils

    global_state.set_global_attribute(rng_utils.GLOBAL_RANDOM_SEED, seed)
    global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, None)


# By class: lists of variables in Keras 3, and the names of these slots in Keras 2.
_OPTIMIZER_SLOTS = {
    "SGD": {"momentums": "momentum"},
    "Adam": {"_momentums": "m", "_velocities": "v"},
    "RMSprop": {
        "_momentums": "momentum",
        "_velocities": "rms",
        "_average_gradients": "mg",
    },
}


def optimizer_slots(
    optimizer: keras.optimizers.Optimizer,
) -> dict[str, list[keras.Variable]]:
    """Returns the slot variables of a built optimizer by their names in Keras 2.

    Uses private lists of the optimizers, since `Optimizer.variables` does not tell
    slots of different kinds apart. Slots that the optimizer does not use are left out.
    """
    classes = (kind.__name__ for kind in type(optimizer).__mro__)
    kind = next(name for name in classes if name in _OPTIMIZER_SLOTS)
    found = {
        slot: getattr(optimizer, attribute, None)
        for attribute, slot in _OPTIMIZER_SLOTS[kind].items()
    }
    return {slot: list(variables) for slot, variables in found.items() if variables}


def variables_to_constants(function: Any) -> Any:
    """Returns a concrete function of TensorFlow with its variables as constants.

    Uses `convert_variables_to_constants_v2`, which TensorFlow Lite calls and the public
    API does not export.
    """
    from tensorflow.python.framework import convert_to_constants

    return convert_to_constants.convert_variables_to_constants_v2(
        function, lower_control_flow=False
    )


def function_from_graph(graph: Any, inputs: Sequence[str], outputs: Sequence[str]):
    """Returns a concrete function that runs a `GraphDef`, from tensors to tensors.

    Uses `wrap_function.function_from_graph_def`: the public functions take a Python
    function, not a graph that is already built.

    Args:
        graph: The `GraphDef`.
        inputs: Names of the input tensors, such as "images:0".
        outputs: Names of the output tensors.
    """
    from tensorflow.python.eager import wrap_function

    return wrap_function.function_from_graph_def(graph, list(inputs), list(outputs))


class KeyValuesError(RuntimeError):
    """The coordination service of JAX cannot be reached any more."""


class JaxKeyValues:
    """Values by key that the processes of a JAX program share.

    Uses the client of `jax.distributed`, which the public API has no access to. Call
    `jax.distributed.initialize` first.
    """

    def __init__(self) -> None:
        from jax._src import distributed

        self._client: Any = distributed.global_state.client

    def set(self, key: str, value: bytes, replace: bool = False) -> None:
        """Sets a value; a key that is set already needs `replace`."""
        self._answer(self._client.key_value_set_bytes, key, value, replace)

    def get(self, key: str) -> bytes | None:
        """Returns a value; None if the key is not set."""
        return self._answer(self._client.key_value_try_get_bytes, key)

    def wait(self, key: str, seconds: float) -> bytes | None:
        """Returns a value as soon as it is set; None if it is not in time."""
        get = self._client.blocking_key_value_get_bytes
        return self._answer(get, key, int(seconds * 1000))

    def delete(self, key: str) -> None:
        """Deletes a value."""
        self._answer(self._client.key_value_delete, key)

    def _answer(self, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except RuntimeError as error:  # Of jaxlib; the class has no public name.
            if str(error).startswith(("NOT_FOUND", "DEADLINE_EXCEEDED")):
                return None
            raise KeyValuesError(str(error)) from error


# Connections that were given up; destroyed, they would wait for other processes.
_ABANDONED: list[Any] = []


def abandon_jax_processes() -> None:
    """Makes the end of this program not wait for the other JAX processes.

    Takes client and service of `jax.distributed` from JAX, which shuts them down at the
    end: that waits for minutes for a process that is gone, and then aborts.
    """
    import ctypes

    from jax._src import distributed

    state = distributed.global_state
    _ABANDONED.extend((state.client, state.service))
    for connection in _ABANDONED:  # Never destroyed, not even at the very end.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
    state.client = state.service = None
