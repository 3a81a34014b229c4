"""ONNX files in ONNX Runtime."""

import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from odapi.errors import CheckpointError
from odapi.exporters.model_info import KEY
from odapi.exporters.network import Arrays, InputSpec
from odapi.runtime.cpu import num_cpus

_DTYPES = {
    "tensor(uint8)": "uint8",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}


class OnnxNetwork:
    """A `Network` that ONNX Runtime runs on the CPU.

    Args:
        path: The file.
        threads: Of one call; 0: one per core that the process may use.

    Raises:
        CheckpointError: The file is damaged, or has operators that are unknown.
    """

    def __init__(self, path: pathlib.Path, threads: int = 0):
        import onnxruntime

        self.name = str(path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # Errors.
        # Its own default counts the cores of the machine, also those that the process
        # may not use.
        options.intra_op_num_threads = threads or num_cpus()
        start = time.perf_counter()
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # Its errors have no common type of their own.
            problem = f"cannot be read by ONNX Runtime: {_first_line(error)}"
            raise CheckpointError(
                self.name, problem, "copy or export it again"
            ) from error
        self.load_seconds = time.perf_counter() - start
        self.inputs: dict[str, InputSpec] = {
            node.name: InputSpec(_DTYPES.get(node.type, node.type), _shape(node.shape))
            for node in self._session.get_inputs()
        }
        self._outputs = [node.name for node in self._session.get_outputs()]
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.metadata: str = metadata.get(KEY, "")

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Returns the outputs; see `Network`."""
        try:
            found = self._session.run(self._outputs, dict(inputs))
        except Exception as error:
            problem = f"ONNX Runtime cannot run it: {_first_line(error)}"
            raise CheckpointError(self.name, problem) from error
        return dict(zip(self._outputs, found, strict=True))


def _shape(sizes: list[Any]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in sizes)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
