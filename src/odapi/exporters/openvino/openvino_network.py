"""OpenVINO IR in OpenVINO's runtime."""

import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from odapi.errors import CheckpointError
from odapi.exporters.model_info import KEY
from odapi.exporters.network import Arrays, InputSpec
from odapi.runtime.cpu import num_cpus


class OpenVinoNetwork:
    """A `Network` that OpenVINO runs on the CPU.

    It computes in the precision of the file: by default OpenVINO would use bfloat16
    where a processor has it, which changes scores in the third digit.

    Args:
        path: The .xml file.
        threads: Of one call; 0: one per core.
        precision: Of activations, such as "bf16".

    Raises:
        CheckpointError: The file is damaged.
    """

    def __init__(self, path: pathlib.Path, threads: int = 0, precision: str = "f32"):
        self.name = str(path)
        start = time.perf_counter()
        model = read_ir(path)
        self.metadata: str = metadata_of(model)
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
        }
        settings["INFERENCE_NUM_THREADS"] = threads or num_cpus()
        compiled = _core().compile_model(model, "CPU", settings)
        self._request = compiled.create_infer_request()
        self._outputs = [output.get_any_name() for output in compiled.outputs]
        self.load_seconds = time.perf_counter() - start
        self.inputs: dict[str, InputSpec] = {
            node.get_any_name(): InputSpec(
                node.get_element_type().to_dtype().name, _shape(node.partial_shape)
            )
            for node in compiled.inputs
        }

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Returns the outputs; see `Network`."""
        try:
            found = self._request.infer(dict(inputs))
        except RuntimeError as error:
            problem = f"OpenVINO cannot run it: {str(error).strip().splitlines()[-1]}"
            raise CheckpointError(self.name, problem) from error
        return {
            name: np.array(value)
            for name, value in zip(self._outputs, found.values(), strict=True)
        }


def read_ir(path: pathlib.Path) -> Any:
    """Returns the model of an .xml file and the .bin file beside it.

    Raises:
        CheckpointError: The files are damaged.
    """
    try:
        return _core().read_model(path)
    except RuntimeError as error:
        problem = f"cannot be read by OpenVINO: {str(error).strip().splitlines()[-1]}"
        hint = f"the weights must lie beside it, as {path.with_suffix('.bin').name}"
        raise CheckpointError(str(path), problem, hint) from error


def metadata_of(model: Any) -> str:
    """Returns what odapi wrote into the metadata of a model; "" if nothing."""
    return model.get_rt_info([KEY]).astype(str) if model.has_rt_info([KEY]) else ""


def _core() -> Any:
    import openvino

    core = openvino.Core()
    # The file may be replaced while the model lives.
    core.set_property({"ENABLE_MMAP": False})
    return core


def _shape(shape: Any) -> tuple[int | None, ...]:
    return tuple(size.get_length() if size.is_static else None for size in shape)
