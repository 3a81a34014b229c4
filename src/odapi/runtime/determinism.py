"""Seeds, and the same numbers on every run."""

import keras


def seed_everything(seed: int, deterministic: bool) -> None:
    """Sets the seeds of Python, NumPy and the backend for this process.

    Args:
        seed: For all of them.
        deterministic: Also makes the backend compute in the same order every time,
            at some cost in speed. It stays so until the process ends. On JAX only
            the CPU does so by itself; for a GPU set XLA_FLAGS as
            `--xla_gpu_deterministic_ops=true` before the start.
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
