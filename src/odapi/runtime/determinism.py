"""Random seeds and deterministic operations."""

import keras


def seed_everything(seed: int, deterministic: bool) -> None:
    """Sets the seeds of Python, NumPy and the backend for this process.

    Args:
        seed: Seed of all of them.
        deterministic: Also use deterministic operations of the backend, which are
            somewhat slower, until the process ends. On JAX the CPU always does; for a
            GPU set XLA_FLAGS to `--xla_gpu_deterministic_ops=true` before the start.
    """
    keras.utils.set_random_seed(seed % 2**32)
    if not deterministic:
        return
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    elif keras.backend.backend() == "torch":
        import torch

        torch.use_deterministic_algorithms(True)
