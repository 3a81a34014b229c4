"""A step with a gradient that is not finite changes nothing."""

import keras
import numpy as np
import pytest
from keras import ops

from odapi.optim import optimizers
from odapi.training.divergence.finite_updates import are_finite, skip_non_finite


@pytest.mark.backend
@pytest.mark.parametrize(
    ("values", "finite"),
    [
        ([[1.0, 2.0], [3.0]], True),
        ([[1.0, np.nan], [3.0]], False),
        ([[1.0, 2.0], [np.inf]], False),
        ([[-np.inf], [np.inf]], False),
        ([[1.8e19], [-3.0]], True),
        ([[-1.9e19], [3.0]], False),  # The square is above 3.4e38.
        ([None, [3.0]], True),
        ([None], True),
        ([], True),
    ],
)
def test_gradients_are_finite(values, finite):
    gradients = [None if v is None else ops.convert_to_tensor(v) for v in values]
    assert bool(are_finite(gradients)) is finite


@pytest.mark.backend
@pytest.mark.parametrize("kind", ["SGD", "Adam", "RMSprop"])
def test_only_finite_gradients_change_variables(kind):
    variable = keras.Variable([1.0, 2.0])
    arguments = {} if kind == "Adam" else {"momentum": 0.9}
    optimizer = optimizers.make(
        getattr(keras.optimizers, kind), 0.9, learning_rate=0.1, **arguments
    )
    optimizer.build([variable])
    assert skip_non_finite(optimizer)

    def step(gradient):
        gradients = [ops.convert_to_tensor(gradient)]
        if keras.backend.backend() != "jax":
            optimizer.apply(gradients, [variable])
            return
        state = [v.value for v in optimizer.variables]
        new, others = optimizer.stateless_apply(state, gradients, [variable.value])
        for owned, value in zip(
            [variable, *optimizer.variables], [*new, *others], strict=True
        ):
            owned.assign(value)

    def state():
        return [
            np.array(ops.convert_to_numpy(v)) for v in [variable, *optimizer.variables]
        ]

    step([1.0, 1.0])
    before = state()
    assert before[0][0] < 1.0
    step([1.0, np.nan])
    for value, kept in zip(state(), before, strict=True):
        np.testing.assert_array_equal(value, kept)
    step([1.0, 1.0])
    assert int(ops.convert_to_numpy(optimizer.iterations)) == 2
    assert state()[0][0] < before[0][0]
