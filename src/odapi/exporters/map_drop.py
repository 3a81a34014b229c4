"""The mAP of exported files, against that of the detector."""

import pathlib
from typing import TYPE_CHECKING, Any

from odapi.config.load import load_config
from odapi.errors import ExportError
from odapi.exporters.exporter import Exporter
from odapi.exporters.sample_images import spread_images

if TYPE_CHECKING:
    import numpy as np

    from odapi.checkpoints.load_detector import LoadedDetector

MAP = "DetectionBoxes_Precision/mAP"
MAX_DROP, MAX_DROP_INT8 = 0.01, 0.02


def allowed_drop(precision: str, max_drop: float | None) -> float:
    """Returns the largest loss of mAP that is allowed in a precision.

    Args:
        precision: Of an exported file.
        max_drop: Choice of the user; None: 0.01, and 0.02 with 8-bit weights.
    """
    if max_drop is not None:
        return max_drop
    return MAX_DROP if precision.startswith("float") else MAX_DROP_INT8


class MapDrop:
    """Measures exported files on a dataset.

    Args:
        loaded: The detector.
        data: The dataset.
        max_drop: Largest loss of mAP; None: see `allowed_drop`.

    Raises:
        DataError: The dataset cannot be read.
    """

    def __init__(self, loaded: "LoadedDetector", data: str, max_drop: float | None):
        from odapi.build.dataset import build_eval_source

        config = load_config(loaded.config, [f"options.eval_data={data}"])
        del config.eval_config.metrics_set[:]
        config.eval_config.metrics_set.append("coco_detection_metrics")
        self._loaded = loaded._replace(config=config)
        self._max_drop = max_drop
        self._source: Any = build_eval_source(config, label_map=loaded.label_map)
        self._of_detector: float | None = None

    def images(self, number: int) -> "list[np.ndarray]":
        """Returns images of the dataset, uint8 `[h, w, c]`."""
        return spread_images(self._source, number)

    def measure(
        self, exporter: Exporter, path: pathlib.Path, precision: str
    ) -> dict[str, float]:
        """Returns `map_detector` and `map_exported`.

        Raises:
            ExportError: The loss of mAP is larger than allowed.
        """
        from odapi.evaluation.evaluate import evaluate, evaluate_program

        if self._of_detector is None:
            self._of_detector = float(evaluate(self._loaded).metrics[MAP])
        predictor = exporter.load(path, self._loaded.label_map)
        result = evaluate_program(predictor, self._loaded.config)
        exported = float(result.metrics[MAP])
        drop, allowed = (
            self._of_detector - exported,
            allowed_drop(precision, self._max_drop),
        )
        if drop > allowed:
            raise ExportError(
                f"{exporter.title} {precision}",
                f"has mAP {exported:.3f}, the detector {self._of_detector:.3f}: a loss "
                f"of {drop:.3f}, and {allowed:g} is allowed; nothing was written",
                hint="--max-drop allows more; a higher precision loses less",
            )
        return {"map_detector": self._of_detector, "map_exported": exported}
