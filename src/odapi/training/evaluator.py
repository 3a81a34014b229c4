"""Evaluation during training: in the same process, with the weights of the moment."""

import dataclasses
from typing import Any

from odapi.build.dataset import build_eval_dataset
from odapi.build.metrics import build_metrics, keypoint_edges
from odapi.config.load import Config, options
from odapi.errors import DataError
from odapi.evaluation.evaluation_loop import evaluate_loop
from odapi.evaluation.result_report import draw_example, notes
from odapi.inference.model import evaluation_model
from odapi.labels import LabelMap
from odapi.trackers.fail_safe import FailSafeTracker
from odapi.training import report


class Evaluator:
    """Evaluates a detector and hands numbers and pictures to a tracker.

    Args:
        config: The pipeline config.
        dataset: One ordered pass over the evaluation data.
        label_map: Of the training data: the classes of the model.
        tracker: Gets metrics, losses and pictures.
    """

    def __init__(
        self,
        config: Config,
        dataset: Any,
        label_map: LabelMap,
        tracker: FailSafeTracker,
    ):
        self.dataset = dataset
        self._config, self._tracker = config.eval_config, tracker
        self._max_images = options(config).evaluation.max_images
        self._metrics = build_metrics(config.eval_config, label_map)
        self._with_losses = True

    def prepare(self, detector: Any) -> None:
        """Leaves out the losses, and says so, where the data lack what they read."""
        try:
            self.dataset.check_has(detector.groundtruth_fields)
        except DataError as error:
            self._with_losses = False
            report.tell(f"evaluation measures no losses: {error}")

    def __call__(self, detector: Any, step: int) -> dict[str, float]:
        """Returns the metrics and losses of a detector, by the original's names."""
        # Held, so that all evaluations of a training share the compiled functions.
        self._compiled = evaluation_model(detector, self._with_losses)
        result = evaluate_loop(
            detector,
            self.dataset,
            self._metrics,
            with_losses=self._with_losses,
            num_examples=self._config.num_visualizations,
            max_images=self._max_images,
        )
        edges = keypoint_edges(self._config)
        result = dataclasses.replace(result, keypoint_edges=edges)
        report.tell(*notes(result))
        self._tracker.scalars(step, result.metrics)
        for index, example in enumerate(result.examples):
            drawn = draw_example(
                result,
                example,
                self._config.min_score_threshold,
                self._config.max_num_boxes_to_visualize,
            )
            self._tracker.images(step, f"eval_side_by_side_{index}_0", [drawn])
        return result.metrics


def build_evaluator(
    config: Config, label_map: LabelMap, tracker: FailSafeTracker
) -> Evaluator | None:
    """Returns what evaluates during training; None if there are no data for it.

    Raises:
        ConfigError: The reader or the metrics cannot be built.
        DataError: The data cannot be used.
    """
    if not options(config).eval_data and not config.eval_input_reader:
        return None
    dataset = build_eval_dataset(config, label_map=label_map)
    return Evaluator(config, dataset, label_map, tracker)
