"""Weights that tell anchors and classes apart, as trained ones do."""

import numpy as np


def spread_weights(detector, seed=0):
    """Replaces the weights of a detector by random ones of a healthy scale."""
    rng = np.random.default_rng(seed)
    for name, variable in sorted(detector.named_variables().items()):
        shape = tuple(variable.shape)
        if name.endswith("moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, shape))
        elif len(shape) == 4:
            fan = shape[0] * shape[1] * (1 if "depthwise" in name else shape[2])
            variable.assign(rng.normal(0, 1.2 / fan**0.5, shape))
