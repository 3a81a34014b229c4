"""Builds the attention of Context R-CNN and the shape of its memory banks."""

from typing import Any

from odapi.build.hyperparams import BuildContext
from odapi.build.oneof import call, checked
from odapi.config.protos import faster_rcnn_pb2
from odapi.data.context_features import CONTEXT, BankShape
from odapi.data.sources.base import BaseSource
from odapi.errors import ConfigError, DataError
from odapi.layers.context_attention import Attention, ContextAttention
from odapi.wording import counted


def context_of(rcnn: Any, path: str, context: BuildContext) -> dict[str, Any]:
    """Returns the arguments of a Context R-CNN; {} without `context_config`.

    Args:
        rcnn: A `FasterRcnn` message.
        path: Path of the message, for errors.
        context: Settings of the whole model.

    Raises:
        ConfigError: Both kinds of attention are off.
    """
    rcnn = checked(rcnn, path)
    if not rcnn.HasField("context_config"):
        return {}
    message, path = rcnn.context_config, f"{path}.context_config"
    return {
        "attention": ContextAttention(
            build_attention(message, path),
            seed=context.seed,
            name="context_attention",
            dtype=context.dtype,
        ),
        "bank": (message.max_num_context_features, message.context_feature_length),
        "before_features": message.attention_position == faster_rcnn_pb2.POST_RPN,
    }


def build_attention(message: Any, path: str) -> Attention:
    """Returns the attention of a `Context` message.

    Raises:
        ConfigError: A value is not allowed.
    """
    return call(_attention, message, path)


def _attention(message: Any, path: str) -> Attention:
    return Attention(
        bottleneck=message.attention_bottleneck_dimension,
        temperature=message.attention_temperature,
        long_term=message.use_long_term_attention,
        among_boxes=message.use_self_attention,
        in_sequence=message.self_attention_in_sequence,
        heads=message.num_attention_heads,
        layers=message.num_attention_layers,
    )


def bank_shape(config: Any) -> BankShape | None:
    """Returns the shape of the memory banks that a model reads, or None."""
    rcnn = config.model.faster_rcnn
    if not rcnn.HasField("context_config"):
        return None
    context = rcnn.context_config
    return BankShape(context.max_num_context_features, context.context_feature_length)


def check_context(shape: BankShape | None, source: BaseSource, path: str) -> None:
    """Checks that a dataset has memory banks of the length that a model reads.

    Args:
        shape: Shape of the banks; None if the model reads none.
        source: The dataset.
        path: Path of its reader, for errors.

    Raises:
        DataError: The dataset has no memory banks.
        ConfigError: They have another length.
    """
    if shape is None:
        return
    if CONTEXT not in source.keys:
        raise DataError(
            source.name,
            "has no context features, but the model attends to them",
            hint=f"`odapi tools add-context` adds them; {path}.load_context_features "
            "must be true",
        )
    for index in range(len(source)):
        bank = source.raw(index).context.get(CONTEXT)
        if bank is None:
            continue
        if bank.shape[1] != shape.length:
            place = "model.faster_rcnn.context_config.context_feature_length"
            raise ConfigError(
                place,
                f"is {shape.length}, but context features of {source.name} have "
                f"{counted(bank.shape[1], 'number')}",
                hint=f"--set {place}={bank.shape[1]}",
            )
        return
