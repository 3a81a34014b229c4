"""Random seeds and deterministic operations."""

import random
import sys

import keras
import numpy as np

from odapi.runtime.compat import seed_keras


def seed_everything(seed: int, deterministic: bool) -> None:
    """Sets the seeds of Python, NumPy and the backend for this process.

    Args:
        seed: Seed of all of them.
        deterministic: Also use deterministic operations of the backend, which are
            somewhat slower, until the process ends. On JAX the CPU always does; for a
            GPU set XLA_FLAGS to `--xla_gpu_deterministic_ops=true` before the start.
    """
    seed = seed % 2**32
    random.seed(seed)
    np.random.seed(seed)
    seed_keras(seed)
    # Not `keras.utils.set_random_seed`: it imports TensorFlow on every backend.
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    if not deterministic:
        return
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True)
