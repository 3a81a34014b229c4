"""Every use of a private or undocumented part of Keras and TensorFlow.

A new release of either package is checked against this file and its tests. Versions
that it was written for: Keras 3.15.1, TensorFlow 2.21.0. TensorFlow is imported inside
functions.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import keras


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
