"""Updates by hand: clipping, factors of biases, averages."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy

from odapi.optim import ema, optimizers

SGD = keras.optimizers.SGD


def variable(values, name):
    layer = keras.layers.Layer(name="layer")
    made = layer.add_weight(shape=np.shape(values), name=name)
    made.assign(values)
    return made


def values(variables):
    return [convert_to_numpy(v).tolist() for v in variables]


@pytest.mark.backend
def test_gradients_are_clipped_by_their_global_norm():
    weights = [variable([0.0], "kernel"), variable([0.0], "other")]
    optimizer = optimizers.make(SGD, learning_rate=1.0, global_clipnorm=1.0)
    optimizer.build(weights)
    gradients = [keras.ops.array([3.0]), keras.ops.array([4.0])]
    optimizer.apply(gradients)
    np.testing.assert_allclose(values(weights), [[-0.6], [-0.8]], rtol=1e-6)


@pytest.mark.backend
def test_gradients_of_biases_are_multiplied_before_clipping():
    weights = [variable([0.0], "kernel"), variable([0.0], "bias")]
    optimizer = optimizers.make(
        SGD, bias_factor=2.0, learning_rate=1.0, global_clipnorm=1.0
    )
    optimizer.build(weights)
    optimizer.apply([keras.ops.array([3.0]), keras.ops.array([2.0])])
    np.testing.assert_allclose(values(weights), [[-0.6], [-0.8]], rtol=1e-6)


@pytest.mark.backend
@pytest.mark.parametrize(
    ("decay", "averages"),
    [
        # d = 2/11, 3/12, 4/13: 1 + 9/11 * -0.1, then 3/4 and 9/13 of the gaps.
        (0.9999, [0.91818182, 0.82954545, 0.73986014]),
        (0.1, [0.91, 0.811, 0.7111]),
        (0.0, [0.9, 0.8, 0.7]),
    ],
)
def test_averages_follow_the_weights(decay, averages):
    weight = variable([1.0], "kernel")
    optimizer = optimizers.make(SGD, average_decay=decay, learning_rate=0.1)
    optimizer.build([weight])
    [(of, average)] = ema.averages_of(optimizer)
    assert of is weight
    assert values([average]) == [[1.0]]
    for expected in averages:
        optimizer.apply([keras.ops.array([1.0])])
        np.testing.assert_allclose(values([average]), [[expected]], rtol=1e-6)
    np.testing.assert_allclose(values([weight]), [[0.7]], rtol=1e-6)


@pytest.mark.backend
def test_averages_stand_in_for_the_weights_for_a_while():
    weight = variable([1.0], "kernel")
    optimizer = optimizers.make(SGD, average_decay=0.5, learning_rate=0.1)
    optimizer.build([weight])
    [(_, average)] = ema.averages_of(optimizer)
    average.assign([5.0])
    with ema.averaged(optimizer):
        assert values([weight]) == [[5.0]]
    assert values([weight, average]) == [[1.0], [5.0]]
    with pytest.raises(KeyError), ema.averaged(optimizer):
        raise KeyError
    assert values([weight]) == [[1.0]]


def test_averages_and_factors_are_only_there_when_asked_for():
    assert type(optimizers.make(SGD)) is type(SGD())
    optimizer = optimizers.make(SGD, bias_factor=3.0)
    optimizer.build([variable([1.0], "kernel")])
    assert ema.averages_of(optimizer) == []


def test_averages_are_found_inside_of_loss_scaling():
    inner = optimizers.make(SGD, average_decay=0.5, learning_rate=0.1)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, initial_scale=8.0)
    weight = variable([1.0], "kernel")
    optimizer.build([weight])
    optimizer.apply([keras.ops.array([8.0])])
    [(_, average)] = ema.averages_of(optimizer)
    np.testing.assert_allclose(values([weight, average]), [[0.9], [0.9181818]], 1e-5)
