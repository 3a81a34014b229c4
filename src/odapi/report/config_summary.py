"""Short names of the model and of the data of a config, for tables of runs."""

from typing import Any

from odapi.config.load import Config, options

_LONGEST_DATA = 48  # Characters of a data name.


def model_name(config: Config) -> str:
    """Returns the feature extractor and the image size of a model.

    >>> from odapi.config.load import load_config
    >>> model_name(load_config(
    ...     "model { ssd { feature_extractor { type: 'ssd_mobilenet_v2_keras' } "
    ...     "image_resizer { fixed_shape_resizer { height: 300 width: 320 } } } }"))
    'ssd_mobilenet_v2_keras 300x320'
    """
    kind = config.model.WhichOneof("model")
    if kind not in ("ssd", "faster_rcnn", "center_net"):
        return kind or ""
    model = getattr(config.model, kind)
    name = model.feature_extractor.type
    if not name.startswith(kind):
        name = f"{kind} {name}".rstrip()
    size = _size(model.image_resizer)
    return f"{name} {size}" if size else name


def data_name(config: Config) -> str:
    """Returns the training data of a config; long names begin with "..."."""
    return _data(options(config).train_data, config.train_input_reader)


def eval_data_name(config: Config) -> str:
    """Returns the evaluation data of a config; long names begin with "..."."""
    readers = config.eval_input_reader
    return _data(options(config).eval_data, readers[0] if readers else None)


def _data(name: str, reader: Any) -> str:
    if not name and reader is not None:
        name = ", ".join(reader.tf_record_input_reader.input_path)
    return name if len(name) <= _LONGEST_DATA else f"...{name[3 - _LONGEST_DATA :]}"


def _size(resizer: Any) -> str:
    kind = resizer.WhichOneof("image_resizer_oneof")
    if kind == "fixed_shape_resizer":
        size = resizer.fixed_shape_resizer
        return f"{size.height}x{size.width}"
    if kind == "keep_aspect_ratio_resizer":
        size = resizer.keep_aspect_ratio_resizer
        return f"{size.min_dimension}-{size.max_dimension}"
    return ""
