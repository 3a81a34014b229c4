"""Context R-CNN: the context features that it attends to must be loaded."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning
from odapi.config.load import options
from odapi.config.readers import all_readers

_MODEL = "model.faster_rcnn.context_config"


def about_context(path: str, context: Any) -> Iterator[Finding]:
    """Yields fields of a `Context` message that contradict each other."""
    if not (context.use_long_term_attention or context.use_self_attention):
        yield error(
            f"{path}.use_long_term_attention",
            "is false, and so is use_self_attention: there is no attention",
            "remove context_config, or set one of them",
        )
    unused = {
        "self_attention_in_sequence": not (
            context.use_self_attention and context.use_long_term_attention
        ),
        "num_attention_heads": not context.use_long_term_attention,
        "num_attention_layers": not context.use_long_term_attention,
    }
    for name, is_unused in unused.items():
        default = context.DESCRIPTOR.fields_by_name[name].default_value
        if is_unused and getattr(context, name) != default:
            needs = "use_long_term_attention"
            if name == "self_attention_in_sequence":
                needs += " and use_self_attention"
            yield warning(f"{path}.{name}", f"has no effect without {needs}")


def find_stages(config: Any) -> Iterator[Finding]:
    """Yields attention in a model without a second stage."""
    rcnn = config.model.faster_rcnn
    if rcnn.HasField("context_config") and rcnn.number_of_stages < 2:
        yield error(
            _MODEL,
            "needs number_of_stages 2: proposals attend to nothing",
        )


def find(config: Any) -> Iterator[Finding]:
    """Yields readers that do not load the context features of the model."""
    attends = config.model.faster_rcnn.HasField("context_config")
    for path, reader in all_readers(config):
        if attends and not reader.load_context_features:
            yield error(
                f"{path}.load_context_features",
                f"is false, but {_MODEL} attends to context features",
                f"--set {path}.load_context_features=true",
            )
        if reader.load_context_features and not attends and config.model.ListFields():
            yield error(
                f"{path}.load_context_features",
                "is true, but the model has no context_config to attend to them",
                f"set {_MODEL}, or remove it",
            )
        if reader.load_context_image_ids and not reader.load_context_features:
            yield error(
                f"{path}.load_context_image_ids",
                "needs load_context_features",
                f"--set {path}.load_context_features=true",
            )


def find_frames(config: Any) -> Iterator[Finding]:
    """Yields a frame index of data that have no frames."""
    reader = config.train_input_reader
    examples = type(reader).DESCRIPTOR.fields_by_name["input_type"].default_value
    spec = options(config).train_data
    if reader.frame_index >= 0 and reader.input_type == examples and not spec:
        yield error(
            "train_input_reader.frame_index",
            "is set, but only sequence examples have frames",
            "set input_type: TF_SEQUENCE_EXAMPLE, or remove it",
        )
