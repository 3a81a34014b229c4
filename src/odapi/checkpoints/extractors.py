"""Names the extractors of a checkpoint and of a model, for errors about misfits."""

import pathlib
from collections.abc import Iterable
from typing import Any

from odapi.checkpoints import folder as folders
from odapi.config.model_part import load_model_config
from odapi.errors import OdapiError

# Parts of the original's keys that only one family has, the most specific first.
_FAMILIES = {
    "_first_stage_box_predictor": "a Faster R-CNN",
    "_prediction_head_dict": "a CenterNet",
    "_bifpn_stage": "an EfficientDet",
    "_fpn_features_generator": "an SSD with a feature pyramid",
    "_box_predictor": "an SSD",
}


def extractor_of(config: Any) -> str:
    """Returns the type of the feature extractor in a config, or ""."""
    kind = config.model.WhichOneof("model")
    model = getattr(config.model, kind) if kind else None
    return getattr(getattr(model, "feature_extractor", None), "type", "")


def extractor_beside(folder: pathlib.Path) -> str:
    """Returns the extractor of the config in a folder or in its parent, or ""."""
    for place in (folder, folder.parent):
        try:
            if (place / folders.CONFIG).is_file():
                return extractor_of(load_model_config(place).config)
        except OdapiError:
            return ""
    return ""


def other_family(there: Iterable[str], here: Iterable[str]) -> str:
    """Returns the family of a checkpoint of the original, or "" if it is ours.

    Args:
        there: Keys of the checkpoint.
        here: Keys that the weights of the model would have.
    """
    family = _family(there)
    return "" if family == _family(here) else family


def _family(keys: Iterable[str]) -> str:
    keys = list(keys)
    for part, family in _FAMILIES.items():
        if any(part in key for key in keys):
            return family
    return ""


def other_model(there: str, here: str) -> str:
    """Returns the problem of a checkpoint of another model; "" if it is not known.

    Args:
        there: Extractor or family of the checkpoint, or "".
        here: Extractor of the model.
    """
    if not there or not here or there == here:
        return ""
    return f"is a checkpoint of {there}, the config builds {here}"
