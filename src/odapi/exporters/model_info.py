"""Facts that an exported file carries beside the network, to be complete.

The config is that of the model: the resizer, the thresholds and the drawing options are
read from it.
"""

import dataclasses
import hashlib
import json
from typing import Any

from odapi.config.label_map import label_map_text, parse_label_map
from odapi.config.load import Config, load_config
from odapi.config.parse import to_text
from odapi.errors import CheckpointError
from odapi.labels import LabelMap

KEY = "odapi"  # Name of the entry in the metadata of a file.
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """Facts about an exported model.

    Args:
        config: The pipeline config as text, options of odapi included.
        classes: The label map as the text of a pbtxt file.
        precision: Of the weights and activations, such as "float32".
        step: Number of training steps, if known.
        tflite_nms: NMS of a TFLite file; see `odapi.exporters.tflite.nms_choice`.
        verification: Results of the comparison with the detector; empty before it.
    """

    config: str
    classes: str
    precision: str = "float32"
    step: int | None = None
    tflite_nms: str = "graph"
    verification: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def config_hash(self) -> str:
        """SHA-256 of the config, in hexadecimal digits."""
        return hashlib.sha256(self.config.encode()).hexdigest()

    @property
    def pipeline(self) -> Config:
        """The pipeline config."""
        return load_config(self.config)

    @property
    def label_map(self) -> LabelMap:
        """The classes."""
        return parse_label_map(self.classes)

    def to_json(self) -> str:
        """Returns the facts as JSON."""
        values = dataclasses.asdict(self) | {"config_sha256": self.config_hash}
        return json.dumps({"version": _VERSION} | values)


def model_info(
    config: Config,
    label_map: LabelMap,
    precision: str = "float32",
    step: int | None = None,
    tflite_nms: str = "graph",
) -> ModelInfo:
    """Returns the facts about a model that is to be exported; see `ModelInfo`."""
    classes = label_map_text(label_map)
    return ModelInfo(to_text(config), classes, precision, step, tflite_nms)


def read_info(text: str | None, place: str) -> ModelInfo:
    """Returns the facts that a file carries.

    Args:
        text: What `ModelInfo.to_json` returned; None or "": the file has none.
        place: For messages.

    Raises:
        CheckpointError: There are none, or those of a newer version.
    """
    hint = "export it with `odapi export`"
    if not text:
        problem = "has no metadata of odapi: its classes and image size are unknown"
        raise CheckpointError(place, problem, hint)
    try:
        values = json.loads(text)
        version = int(values.pop("version"))
        fields = {field.name for field in dataclasses.fields(ModelInfo)}
        info = ModelInfo(**{k: v for k, v in values.items() if k in fields})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f"its metadata of odapi cannot be read: {error}"
        raise CheckpointError(place, problem, hint) from error
    if version > _VERSION:
        problem = f"has metadata of version {version}, this odapi reads {_VERSION}"
        raise CheckpointError(place, problem, hint="upgrade odapi")
    return info
