"""Config of the keypoints of a dataset, estimated from its annotations."""

from collections.abc import Sequence

import numpy as np

from odapi.config.parse import to_text
from odapi.config.protos import pipeline_pb2
from odapi.data.keypoint_flips import flip_permutation
from odapi.data.sources.base import BaseSource
from odapi.draw.skeleton import edges_of
from odapi.errors import DataError
from odapi.labels import Category
from odapi.metrics.coco.keypoint_sigmas import coco_sigmas, estimate_sigmas

# Ratio of the Gaussian widths of the zoo's models to COCO's sigmas.
_STD = 10.0
_DIGITS = 3


def keypoint_config(source: BaseSource) -> pipeline_pb2.TrainEvalPipelineConfig:
    """Returns the keypoint parts of a config, to be merged into a whole config.

    They are a task with its loss for each class with keypoints, the widths of peaks
    and the sigmas of the metric, the permutation of horizontal flips, and the edges for
    drawings. Sigmas are COCO's for COCO's 17 keypoints; others are estimated from the
    annotations.

    Args:
        source: The dataset; its label map names the keypoints.

    Raises:
        DataError: No class has keypoints, or none is labelled.
    """
    classes = [c for c in source.label_map if c.keypoints]
    if not classes or not source.num_keypoints:
        raise DataError(
            source.name,
            "no class has named keypoints",
            hint="a COCO file names them in its categories, others in a label map: "
            "keypoints { id: 0 label: 'nose' }",
        )
    config = pipeline_pb2.TrainEvalPipelineConfig()
    points = _points(source)
    for category in classes:
        _add_class(config, category, *points[category.index])
    order = flip_permutation(source.label_map)
    step = config.train_config.data_augmentation_options.add()
    step.random_horizontal_flip.keypoint_flip_permutation.extend(order)
    for start, end in edges_of(source.label_map):
        config.eval_config.keypoint_edge.add(start=start, end=end)
    config.train_input_reader.num_keypoints = source.num_keypoints
    config.eval_input_reader.add().num_keypoints = source.num_keypoints
    return config


def keypoint_config_text(source: BaseSource) -> str:
    """Returns the text of `keypoint_config`, with the origin of the sigmas.

    A comment names the classes without pairs that a horizontal flip exchanges.

    Raises:
        DataError: No class has keypoints.
    """
    text = to_text(keypoint_config(source))
    lines = []
    order = flip_permutation(source.label_map)
    for category in source.label_map:
        if not category.keypoints:
            continue
        origin = "estimated from the annotations, so metrics differ between datasets"
        if coco_sigmas([k.name for k in category.keypoints]):
            origin = "those of COCO"
        lines.append(f"# Sigmas and standard deviations of {category.label}: {origin}.")
        is_known = category.flip or any(order[k.id] != k.id for k in category.keypoints)
        if len(category.keypoints) > 1 and not is_known:
            lines.append(
                f"# A horizontal flip exchanges no keypoints of {category.label}: none "
                "is named left or right; if some are, set keypoint_flip_permutation."
            )
    return "\n".join([*lines, text])


def _points(source: BaseSource) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Returns keypoints `[n, k, 2]` in pixels and areas `[n]`, by class."""
    source = source.with_keys({"keypoints", "area"})
    points: dict[int, list[np.ndarray]] = {}
    areas: dict[int, list[float]] = {}
    for index in range(len(source)):
        try:
            sample = source.annotations(index)
        except DataError:
            continue  # Counted among the problems of the source.
        size = np.array(sample["size"], np.float64)
        rows = zip(sample["classes"], sample["keypoints"], sample["area"], strict=True)
        for label, row, area in rows:
            points.setdefault(int(label), []).append(row * size)
            areas.setdefault(int(label), []).append(float(area))
    shape = (-1, source.num_keypoints, 2)
    return {
        c.index: (
            np.array(points.get(c.index, [])).reshape(shape),
            np.array(areas.get(c.index, [])),
        )
        for c in source.label_map
    }


def _add_class(
    config: pipeline_pb2.TrainEvalPipelineConfig,
    category: Category,
    points: np.ndarray,
    areas: np.ndarray,
) -> None:
    ids = [k.id for k in category.keypoints]
    names = [k.name for k in category.keypoints]
    sigmas = coco_sigmas(names) or _rounded(estimate_sigmas(points[:, ids], areas))
    task = config.model.center_net.keypoint_estimation_task.add(
        task_name=f"{category.label}_keypoints".replace(" ", "_"),
        keypoint_class_name=category.name,
        keypoint_regression_loss_weight=0.1,
        offset_peak_radius=3,
        per_keypoint_offset=True,
    )
    task.loss.localization_loss.l1_localization_loss.SetInParent()
    focal = task.loss.classification_loss.penalty_reduced_logistic_focal_loss
    focal.alpha, focal.beta = 2.0, 4.0
    metric = config.eval_config.parameterized_metric.add().coco_keypoint_metrics
    metric.class_label = category.label
    for name, sigma in zip(names, sigmas, strict=True):
        task.keypoint_label_to_std[name] = round(_STD * sigma, _DIGITS)
        metric.keypoint_label_to_sigmas[name] = sigma


def _rounded(values: np.ndarray) -> Sequence[float]:
    return [round(float(v), _DIGITS) for v in values]
