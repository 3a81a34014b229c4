"""Context R-CNN: that what it attends to is read, and by whom."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error, warning
from odapi.config.load import options
from odapi.config.readers import eval_reader

_MODEL = "model.faster_rcnn.context_config"


def find(config: Any) -> Iterator[Finding]:
    """Yields contradictions within the attention, and with what is read."""
    rcnn = config.model.faster_rcnn
    attends = rcnn.HasField("context_config")
    if attends:
        yield from _check_attention(rcnn.context_config)
    readers = [("train_input_reader", config.train_input_reader)]
    readers += [
        (f"eval_input_reader[{n}]", eval_reader(config, n))
        for n in range(len(config.eval_input_reader))
    ]
    for path, reader in readers:
        if attends and not reader.load_context_features:
            yield error(
                f"{path}.load_context_features",
                f"is false, but {_MODEL} attends to context features",
                f"--set {path}.load_context_features=true",
            )
        if reader.load_context_features and not attends and config.model.ListFields():
            yield error(
                f"{path}.load_context_features",
                "is true, but the model attends to none",
                f"set {_MODEL}, or take it out",
            )
        if reader.load_context_image_ids and not reader.load_context_features:
            yield error(
                f"{path}.load_context_image_ids",
                "needs load_context_features",
                f"--set {path}.load_context_features=true",
            )
    yield from _check_frames(config)


def _check_attention(context: Any) -> Iterator[Finding]:
    if not (context.use_long_term_attention or context.use_self_attention):
        yield error(
            f"{_MODEL}.use_long_term_attention",
            "is false, and use_self_attention is, too: nobody attends to anything",
            "take context_config out, or set one of them",
        )
    idle = {
        "self_attention_in_sequence": not (
            context.use_self_attention and context.use_long_term_attention
        ),
        "num_attention_heads": not context.use_long_term_attention,
        "num_attention_layers": not context.use_long_term_attention,
    }
    for name, nothing in idle.items():
        default = context.DESCRIPTOR.fields_by_name[name].default_value
        if nothing and getattr(context, name) != default:
            needs = "use_long_term_attention"
            if name == "self_attention_in_sequence":
                needs += " and use_self_attention"
            yield warning(f"{_MODEL}.{name}", f"has no effect without {needs}")


def _check_frames(config: Any) -> Iterator[Finding]:
    reader = config.train_input_reader
    examples = type(reader).DESCRIPTOR.fields_by_name["input_type"].default_value
    spec = options(config).train_data
    if reader.frame_index >= 0 and reader.input_type == examples and not spec:
        yield error(
            "train_input_reader.frame_index",
            "is set, but only sequence examples have frames",
            "set input_type: TF_SEQUENCE_EXAMPLE, or take it out",
        )
