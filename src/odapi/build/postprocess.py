"""Builds post-processing from the `PostProcessing` message."""

from typing import Any

from odapi.build.oneof import build_oneof, call, checked
from odapi.geometry.nms.batched import NonMaxSuppression
from odapi.models import calibration
from odapi.models.postprocess import PostProcess
from odapi.models.scores import ScoreConverter


def build_postprocess(
    config: Any,
    has_background: bool,
    candidates: int = 0,
    path: str = "model.ssd.post_processing",
) -> PostProcess:
    """Returns the post-processing of predictions.

    Multiclass, combined, partitioned and "hard" non-maximum suppression (NMS) give
    the same boxes and are implemented once.

    Args:
        config: A `PostProcessing` message.
        has_background: True if the first class of the predictions is the background.
        candidates: `options.nms_candidates`.
        path: Path of the message, for errors.

    Raises:
        ConfigError: A value is not allowed, or two exclude each other.
    """
    config = checked(config, path)
    nms = config.batch_non_max_suppression
    return PostProcess(
        nms=call(_nms, nms, f"{path}.batch_non_max_suppression", candidates),
        scores=build_scores(config, has_background, path),
        has_background=has_background,
        change_coordinate_frame=nms.change_coordinate_frame,
    )


def build_scores(config: Any, has_background: bool, path: str) -> ScoreConverter:
    """Returns the score converter of a `PostProcessing` message.

    Raises:
        ConfigError: A value is not allowed.
    """
    config = checked(config, path)
    kind = config.enum_name("score_converter")
    correct = None
    if config.HasField("calibration_config"):
        correct = build_oneof(
            config.calibration_config,
            "calibrator",
            _CALIBRATIONS,
            f"{path}.calibration_config",
            has_background,
        )

    def build(config: Any, path: str) -> ScoreConverter:
        return ScoreConverter(kind, config.logit_scale, correct)

    return call(build, config, path)


def _nms(config: Any, path: str, candidates: int) -> NonMaxSuppression:
    return NonMaxSuppression(
        iou_threshold=config.iou_threshold,
        score_threshold=config.score_threshold,
        max_per_class=config.max_detections_per_class,
        max_total=config.max_total_detections,
        soft_sigma=config.soft_nms_sigma,
        class_agnostic=config.use_class_agnostic_nms,
        classes_per_detection=config.max_classes_per_detection,
        candidates=candidates,
    )


def _function(
    config: Any, path: str, has_background: bool
) -> calibration.PiecewiseLinear:
    return _piecewise(config.x_y_pairs, path)


def _class_functions(
    config: Any, path: str, has_background: bool
) -> calibration.ClassFunctions:
    """Returns functions by class; the keys of the original are channels of scores."""
    first = 0 if has_background else 1
    functions = []
    for class_id, pairs in sorted(config.class_id_xy_pairs_map.items()):
        place = f"{path}.class_id_xy_pairs_map[{class_id}]"
        functions.append((class_id - first, call(_piecewise, pairs, place)))
    return calibration.ClassFunctions(tuple(functions))


def _piecewise(config: Any, path: str) -> calibration.PiecewiseLinear:
    points = config.x_y_pair
    return calibration.PiecewiseLinear(
        tuple(p.x for p in points), tuple(p.y for p in points)
    )


def _temperature(
    config: Any, path: str, has_background: bool
) -> calibration.TemperatureScaling:
    return calibration.TemperatureScaling(config.scaler)


_CALIBRATIONS = {
    "function_approximation": _function,
    "class_id_function_approximations": _class_functions,
    "temperature_scaling_calibration": _temperature,
}
