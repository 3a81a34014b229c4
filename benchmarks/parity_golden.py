"""A folder of stored outputs of the original, and the models they are of.

The folder has `outputs/NAME.npz`, and `golden_io.py` and `golden_weights.py`, which
say how values are read and how weights and inputs are made, for some models
`manifest/CONFIG.json`, the shapes of all variables, and where models find keypoints
`aux/keypoint_label_map.pbtxt`, which names them. The configs are found by name:
below the folder, or in `configs` beside it.
"""

import importlib.util
import json
import pathlib
from types import ModuleType
from typing import Any

import numpy as np

from odapi.config import schema
from odapi.config.load import load_config
from odapi.errors import ConfigError

# Keys of overrides that are words to the reader.
_REMARKS = ("note",)


class GoldenFolder:
    """Stored outputs of the original.

    Args:
        path: The folder.
    """

    def __init__(self, path: pathlib.Path):
        self.path = pathlib.Path(path).resolve()
        if not (self.path / "outputs").is_dir():
            raise ConfigError(str(path), "has no folder `outputs`")
        self._io = _load(self.path / "golden_io.py")
        self.make = _load(self.path / "golden_weights.py")

    def names(self) -> list[str]:
        """Returns the names of the stored models."""
        return sorted(p.stem for p in (self.path / "outputs").glob("*.npz"))

    def open(self, name: str) -> Any:
        """Returns the stored outputs: `arrays`, `meta`, `compare(key, value)`."""
        file = self.path / "outputs" / f"{name}.npz"
        if not file.is_file():
            raise ConfigError(str(file), f"is missing; there are {self.names()}")
        return self._io.Golden(str(file))

    def config(self, meta: dict, training: bool) -> Any:
        """Returns the config of the model, with what was changed in it.

        Raises:
            ConfigError: There is no config of that name, or a change cannot be made.
        """
        config = load_config(self._config_file(meta["config"]))
        _forget_newer_fields(config)
        changes = meta.get("train_overrides" if training else "overrides") or {}
        for key, value in changes.items():
            if key == "image_resizer":
                _resize(config, value)
            elif key not in _REMARKS:
                _set_everywhere(config, key, value)
        if config.model.center_net.keypoint_estimation_task:
            config.model.center_net.keypoint_label_map_path = self._keypoints()
        return config

    def _keypoints(self) -> str:
        """Returns the label map that names keypoints, here or in a folder beside."""
        for root in (self.path, self.path.parent):
            found = sorted(root.rglob("keypoint_label_map.pbtxt"))
            if found:
                return str(found[0])
        raise ConfigError(
            str(self.path), "has no keypoint_label_map.pbtxt, which its models need"
        )

    def inputs(self, batch: int, meta: dict) -> np.ndarray:
        """Returns the raw images `[batch, h, w, 3]` uint8."""
        _, height, width, _ = meta["raw_shape"]
        images = self.make.images(batch, height, width)
        if list(images.shape) == list(meta["raw_shape"]):
            total = int(images.astype(np.int64).sum())
            if total != meta.get("raw_sum", total):
                raise ConfigError(meta["name"], "the images are not the original's")
        return images

    def shapes(self, meta: dict) -> dict[str, tuple[int, ...]]:
        """Returns the shape of each variable of the original's model, by its key."""
        file = self.path / "manifest" / f"{meta['config']}.json"
        return {
            key.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE"): tuple(shape)
            for key, shape, _ in json.loads(file.read_text())["variables"]
        }

    def _config_file(self, name: str) -> pathlib.Path:
        for root in (self.path, self.path.parent / "configs"):
            found = sorted(root.rglob(f"{name}.config"))
            if found:
                return found[0]
        raise ConfigError(
            name, f"no {name}.config below {self.path} or in configs beside it"
        )


def _load(file: pathlib.Path) -> ModuleType:
    if not file.is_file():
        raise ConfigError(str(file), "is missing")
    spec = importlib.util.spec_from_file_location(f"_golden_{file.stem}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _forget_newer_fields(config: Any) -> None:
    """Takes out what the source of 2021, which made the stored outputs, did not know.

    Its configs had no such fields; gradients and moving statistics of DeepMAC show that
    the masks were learnt from both stages.
    """
    if config.model.center_net.HasField("deepmac_mask_estimation"):
        config.model.center_net.deepmac_mask_estimation.ClearField(
            "use_only_last_stage"
        )


def _resize(config: Any, size: Any) -> None:
    height, width = (size, size) if isinstance(size, int) else size
    model = getattr(config.model, config.model.WhichOneof("model"))
    resizer = model.image_resizer
    kind = resizer.WhichOneof("image_resizer_oneof")
    if kind == "fixed_shape_resizer":
        resizer.fixed_shape_resizer.height = height
        resizer.fixed_shape_resizer.width = width
    elif kind == "keep_aspect_ratio_resizer":
        resizer.keep_aspect_ratio_resizer.min_dimension = height
        resizer.keep_aspect_ratio_resizer.max_dimension = width
        resizer.keep_aspect_ratio_resizer.pad_to_max_dimension = True
    else:
        raise ConfigError("image_resizer", f"{kind} has no size to change")


def _set_everywhere(config: Any, name: str, value: Any) -> None:
    """Sets a field wherever its message is present."""
    owners = [
        owner
        for _, owner, field in schema.walk(config)
        if schema.is_message(field) and not field.is_repeated
        for owner in [getattr(owner, field.name)]
        if name in owner.DESCRIPTOR.fields_by_name
    ]
    if not owners:
        raise ConfigError(name, "no message of the config has this field")
    for owner in owners:
        setattr(owner, name, value)
