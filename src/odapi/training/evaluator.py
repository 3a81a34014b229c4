"""Evaluation during a training: in the same process, with the current weights."""

import dataclasses

from odapi.build.metrics import build_metrics, keypoint_edges
from odapi.config.load import Config, options
from odapi.data.loader.pipeline import Pipeline
from odapi.errors import DataError
from odapi.evaluation.evaluation_loop import evaluate_loop, evaluate_share
from odapi.evaluation.evaluation_trackers import log_metrics
from odapi.evaluation.processes import Processes
from odapi.evaluation.result_report import notes
from odapi.inference.model import evaluation_model
from odapi.labels import LabelMap
from odapi.models.detector import Detector
from odapi.trackers.tracker import DetailedTracker
from odapi.training.messages import print_lines

_FIRST_STEPS = 100  # Their detections tell nothing about the data.


_ALONE = Processes()


class Evaluator:
    """Evaluates a detector; a tracker gets the metrics and drawn detections.

    Losses are left out, with a message, if the data lacks fields that they read.

    Args:
        config: The pipeline config.
        dataset: One ordered pass over the evaluation data.
        detector: The detector that will be evaluated.
        label_map: The classes of the model.
        tracker: Gets metrics, losses and images.
        processes: The processes that share the evaluation; all get the metrics.

    Attributes:
        explains: Whether to look for a cause of low metrics.

    Raises:
        ConfigError: The metrics cannot be built.
    """

    def __init__(
        self,
        config: Config,
        dataset: Pipeline,
        detector: Detector,
        label_map: LabelMap,
        tracker: DetailedTracker,
        processes: Processes = _ALONE,
    ):
        self._processes, self.explains = processes, True
        self._dataset, self._tracker = dataset, tracker
        self._config = config.eval_config
        self._max_images = options(config).evaluation.max_images
        self._metrics = build_metrics(config, label_map)
        self._with_losses = True
        try:
            dataset.check_has(detector.groundtruth_fields)
        except DataError as error:
            self._with_losses = False
            print_lines(f"Evaluation measures no losses: {error}")

    def __call__(self, detector: Detector, step: int) -> dict[str, float]:
        """Returns the metrics and losses of a detector, by the original's names."""
        # Held, so that all evaluations of a training share the compiled functions.
        self._compiled = evaluation_model(detector, self._with_losses)
        strategy = self._processes.strategy
        metrics: dict[str, float] = {}
        if strategy.is_chief:
            metrics = self._evaluate(detector, step)
        else:
            evaluate_share(detector, self._dataset, self._processes, self._with_losses)
        return strategy.on_chief(lambda: metrics)

    def _evaluate(self, detector: Detector, step: int) -> dict[str, float]:
        """Evaluates, and records the result."""
        result = evaluate_loop(
            detector,
            self._dataset,
            self._metrics,
            with_losses=self._with_losses,
            num_examples=self._config.num_visualizations,
            max_images=self._max_images,
            is_trained=step >= _FIRST_STEPS,
            explains=self.explains,
            processes=self._processes,
        )
        edges = keypoint_edges(self._config)
        result = dataclasses.replace(result, keypoint_edges=edges)
        print_lines(*notes(result))
        log_metrics(self._tracker, step, result, self._config)
        return {name: float(value) for name, value in result.metrics.items()}
