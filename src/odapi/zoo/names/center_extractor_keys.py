"""Checkpoint keys of the feature extractors of the original's CenterNet.

The keys of ResNet-50 v1 with skips, ResNet-50 and -101 v2 and Hourglass-104 were
verified on published checkpoints. No checkpoints of the other extractors are published;
their keys follow from the code of the original:

- resnet_v1_18_fpn, _34_fpn and _101_fpn, hourglass_10, _20, _32 and _52: as the
  verified models of the same kind;
- mobilenet_v2_fpn: as the ResNets with skips;
- mobilenet_v2: one model, with the backbone as its first layer.
"""

from collections.abc import Iterable, Iterator

import keras

from odapi.backbones.hourglass import EncoderDecoder, Hourglass, Residual
from odapi.layers.stack import Stack
from odapi.models.center.center_extractor import CenterExtractor
from odapi.necks.center_decoder import TransposedDecoder, UpsamplingDecoder
from odapi.zoo.names.backbone_keys import backbone_keys, layer_keys

ROOT = "model/_feature_extractor"
HOURGLASS = f"{ROOT}/_network"

Keys = dict[str, str]


def center_extractor_keys(extractor: CenterExtractor) -> Keys:
    """Returns the original's key of each weight, by our name within the extractor.

    Args:
        extractor: Built extractor.

    Raises:
        TypeError: A part of it does not exist in the original.
    """
    backbone = extractor.backbone
    if isinstance(backbone, Hourglass):
        return _under(backbone.name, hourglass_keys(backbone, HOURGLASS))
    base, decoder = _roots(extractor)
    keys = _under(backbone.name, backbone_keys(backbone, base))
    # The backbone is layer 0 of the model that the decoder belongs to.
    for number, (path, layer) in enumerate(_decoder_layers(extractor.neck), 1):
        root = f"{decoder}/layer_with_weights-{number}"
        keys |= _under(extractor.neck.name, layer_keys(layer, path, root))
    return keys


def hourglass_keys(network: Hourglass, root: str) -> Keys:
    """Returns the keys of a stacked hourglass network, by our names within it.

    Args:
        network: Built network.
        root: Key of the network in the checkpoint.
    """
    first = "downsample_input" if network.plan.shrink else "conv_input"
    keys = _block(network.stem, f"{root}/{first}/conv_block")
    keys |= _residual(network.widen, f"{root}/{first}/residual_block")
    for n, stack in enumerate(network.stacks):
        stage = _stage(stack, f"{root}/hourglass_network/{n}")
        keys |= _under(stack.name, stage)
    lists = {
        "output_conv": network.ends,
        "intermediate_conv1": network.from_input,
        "intermediate_conv2": network.from_end,
    }
    for name, blocks in lists.items():
        for n, block in enumerate(blocks):
            keys |= _block(block, f"{root}/{name}/{n}")
    for n, block in enumerate(network.mix):
        keys |= _residual(block, f"{root}/intermediate_residual/{n}")
    return keys


def _stage(stage: EncoderDecoder, root: str) -> Keys:
    lists = {
        "encoder_block1": stage.shortcut,
        "encoder_block2": stage.down,
        "inner_block": stage.inner,
        "decoder_block": stage.up,
    }
    keys: Keys = {}
    for name, blocks in lists.items():
        for n, block in enumerate(blocks):
            at = f"{root}/{name}/{n}"
            if isinstance(block, EncoderDecoder):
                keys |= _under(block.name, _stage(block, at))
            else:
                keys |= _residual(block, at)
    return keys


def _residual(block: Residual, root: str) -> Keys:
    keys = _block(block.first, f"{root}/conv_block") | _block(block.second, root)
    if block.shortcut is not None:
        keys |= _block(block.shortcut, f"{root}/skip")
    return _under(block.name, keys)


def _block(stack: Stack, root: str) -> Keys:
    conv, norm, *_ = stack.steps
    keys = layer_keys(conv, conv.name, f"{root}/conv")
    return _under(stack.name, keys | layer_keys(norm, norm.name, f"{root}/norm"))


def _roots(extractor: CenterExtractor) -> tuple[str, str]:
    """Returns the keys of the backbone and of the model with the decoder."""
    mobilenet = any(
        layer.name == "expanded_conv_depthwise" for layer in extractor.backbone.layers
    )
    if mobilenet and isinstance(extractor.neck, TransposedDecoder):
        return f"{ROOT}/_network/layer_with_weights-0", f"{ROOT}/_network"
    return f"{ROOT}/_base_model", f"{ROOT}/_feature_extractor_model"


def _decoder_layers(
    neck: keras.layers.Layer,
) -> Iterable[tuple[str, keras.layers.Layer]]:
    """Yields names and layers with weights, in the original's order."""
    if isinstance(neck, TransposedDecoder):
        for block in neck.blocks:
            yield from _in(block)
    elif isinstance(neck, UpsamplingDecoder):
        yield neck.top.name, neck.top
        for projection, smoothing in zip(neck.projections, neck.smoothing, strict=True):
            yield projection.name, projection
            yield from _in(smoothing)
    else:
        raise TypeError(
            f"there are no checkpoint keys of the original for {type(neck).__name__}"
        )


def _in(stack: Stack) -> Iterator[tuple[str, keras.layers.Layer]]:
    for layer in stack.steps:
        if layer.weights:
            yield f"{stack.name}/{layer.name}", layer


def _under(name: str, keys: Keys) -> Keys:
    return {f"{name}/{ours}": key for ours, key in keys.items()}
