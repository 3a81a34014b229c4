"""Evaluation of the model that an `ObjectDetector` holds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from odapi.arguments import check_count
from odapi.errors import ConfigError
from odapi.inference.tiling import Tiling

_TILES = 8  # Per call of the model.

if TYPE_CHECKING:
    from odapi.api.held_model import HeldModel
    from odapi.api.model_path import ModelPath
    from odapi.config.load import Config
    from odapi.evaluation.result import EvaluationResult
    from odapi.inference.predictor import Predictor


def evaluate_held(
    held: "HeldModel",
    data: str | None,
    batch_size: int | None,
    with_losses: bool,
    tile: int | Tiling | None = None,
    trackers: Sequence[Any] = (),
    **options: Any,
) -> "EvaluationResult":
    """Evaluates weights, or an exported program that has none.

    Args:
        held: The model.
        data: Dataset; None: that of the config.
        batch_size: Images per batch; None: that of the config.
        with_losses: Also compute the losses.
        tile: Side of the tiles of larger images, or a `Tiling`.
        trackers: Names of trackers, and trackers.
        options: See `odapi.evaluation.evaluate.evaluate`.

    Raises:
        ConfigError: The config cannot be evaluated, a program has no losses, or a name
            of a tracker is unknown.
        DataError: The dataset cannot be read, or has no image.
    """
    from odapi.build.tracker_settings import is_about_trackers, only_asked_for
    from odapi.config.load import load_config
    from odapi.evaluation import evaluate as evaluation

    if batch_size is not None:
        check_count("batch_size", batch_size)
    check_count("max_images", options.get("max_images", 0), least=0)
    tiling = Tiling.of(tile)
    if tiling is not None and with_losses:
        raise ConfigError(
            "losses",
            "cannot be computed for tiles, whose detections are merged",
            hint="evaluate without tiles",
        )
    changes = [f"options.eval_data={data}"] if data else []
    if held.place is not None and held.model.loaded is None and held.place.is_program:
        if with_losses:
            raise ConfigError(
                "losses",
                "cannot be computed for an exported program",
                hint="evaluate the weights that it was exported from",
            )
        changes += [o for o in held.overrides if is_about_trackers(o)]
        config = load_config(_config_of(held.place, held.model.predictor), changes)
        options["trackers"] = only_asked_for(config, trackers, held.overrides)
        options["model"] = str(held.place.path)
        predictor = _tiled(held.model.predictor, tiling, batch_size)
        return evaluation.evaluate_program(predictor, config, **options)
    loaded = held.with_weights("evaluate")
    if batch_size:
        changes.append(f"eval_config.batch_size={batch_size}")
    loaded = loaded._replace(config=load_config(loaded.config, changes))
    options["trackers"] = only_asked_for(loaded.config, trackers, held.overrides)
    if tiling is not None:
        from odapi.inference.detector_predictor import predictor_of

        predictor = _tiled(predictor_of(loaded), tiling, batch_size)
        return evaluation.evaluate_program(
            predictor,
            loaded.config,
            step=loaded.step,
            model=str(loaded.folder),
            **options,
        )
    return evaluation.evaluate(loaded, with_losses=with_losses, **options)


def _tiled(
    predictor: "Predictor", tiling: Tiling | None, batch_size: int | None
) -> "Predictor":
    """Returns the predictor, on tiles if they are wanted."""
    from odapi.inference.tiling import TiledPredictor

    if tiling is None:
        return predictor
    return TiledPredictor(predictor, tiling, batch_size or _TILES)


def _config_of(place: "ModelPath", predictor: "Predictor") -> "Config":
    """Returns the pipeline config of an exported program, or an empty one."""
    from odapi.config.load import FILE_NAME, Config, load_config
    from odapi.exporters.network_predictor import NetworkPredictor

    if isinstance(predictor, NetworkPredictor):  # The file carries it.
        return predictor.info.pipeline
    if place.weights is not None:
        return load_config(place.weights)
    file = place.exported.parent / FILE_NAME if place.exported else None
    try:
        return load_config(file) if file is not None and file.is_file() else Config()
    except ConfigError:  # It only adds metrics and data.
        return Config()
