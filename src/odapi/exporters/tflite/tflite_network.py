"""TFLite files in LiteRT's interpreter."""

import pathlib
import time
from collections.abc import Mapping

import numpy as np

from odapi.errors import CheckpointError
from odapi.exporters.model_info import read_info
from odapi.exporters.network import Arrays, InputSpec
from odapi.exporters.tflite.nms_choice import GRAPH, REGULAR
from odapi.runtime.cpu import num_cpus

_CLASSES, _BOXES = "detection_classes", "detection_boxes"


class TfliteNetwork:
    """A `Network` that LiteRT runs on the CPU.

    Args:
        path: The file.
        threads: Of one call; 0: one per core, and one with regular NMS.

    Raises:
        CheckpointError: The file is damaged, or has operators that are unknown.
    """

    def __init__(self, path: pathlib.Path, threads: int = 0):
        from ai_edge_litert.interpreter import Interpreter

        from odapi.exporters.tflite.metadata import read_metadata

        self.name = str(path)
        start = time.perf_counter()
        content = path.read_bytes()
        try:
            self.metadata = read_metadata(content)
            nms = _nms_of(self.metadata, self.name)
            self._interpreter = Interpreter(
                model_content=content,
                # Regular NMS loses classes with two threads, in LiteRT 2.3: on blood
                # cells the most certain one, and mAP was 0.327 instead of 0.565.
                num_threads=threads or (1 if nms == REGULAR else num_cpus()),
            )
            self._run = self._interpreter.get_signature_runner()
        except Exception as error:  # Damaged files raise errors of any type.
            problem = f"cannot be read by LiteRT: {error}"
            raise CheckpointError(
                self.name, problem, "copy or export it again"
            ) from error
        self.load_seconds = time.perf_counter() - start
        # Its classes count from 0, as in the original's files, and it does not clip.
        self._has_operator = nms != GRAPH
        self.inputs: dict[str, InputSpec] = {
            name: InputSpec(np.dtype(row["dtype"]).name, tuple(row["shape"].tolist()))
            for name, row in self._run.get_input_details().items()
        }

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Returns the outputs; see `Network`."""
        try:
            found = self._run(**inputs)
        except (RuntimeError, ValueError) as error:
            problem = f"LiteRT cannot run it: {error}"
            raise CheckpointError(self.name, problem) from error
        outputs = dict(found)
        if self._has_operator:
            outputs[_CLASSES] = outputs[_CLASSES] + 1
            outputs[_BOXES] = np.clip(outputs[_BOXES], 0.0, 1.0)
        return outputs


def _nms_of(metadata: str, name: str) -> str:
    return read_info(metadata, name).tflite_nms if metadata else GRAPH
