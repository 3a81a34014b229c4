"""8-bit weights and activations of OpenVINO models, by NNCF.

The network is quantized; boxes, scores and NMS remain in float32.
"""

from typing import Any

import numpy as np

from odapi.exporters.calibration import calibration_input, quiet_quantizer
from odapi.exporters.source import ExportSource

_HEAVY = ("Convolution", "GroupConvolution", "MatMul", "ConvolutionBackpropData")
# Arithmetic of boxes between two stages; in a network it is quantized if it lies
# between convolutions of one stage.
_ARITHMETIC = ("Add", "Subtract", "Multiply", "Divide")


def quantize(model: Any, source: ExportSource, dtype: str) -> Any:
    """Returns an OpenVINO model with its network in 8 bits.

    Args:
        model: In float32.
        source: The detector, with calibration images.
        dtype: Of the images, "uint8" or "float32".
    """
    import nncf

    names = [node.get_any_name() for node in model.inputs]

    def inputs(image: np.ndarray) -> dict[str, np.ndarray]:
        given = calibration_input(source, image, dtype)
        return {name: given[name] for name in names}

    images = source.calibration_images()
    with quiet_quantizer():
        return nncf.quantize(
            model,
            nncf.Dataset(images, inputs),
            subset_size=len(images),
            ignored_scope=nncf.IgnoredScope(names=_not_network(model), validate=False),
        )


def _not_network(model: Any) -> list[str]:
    """Returns the names of the nodes that are not quantized.

    These are the nodes that no convolution or product needs, and, where NMS comes
    between two stages, the arithmetic.
    """
    needed: set[str] = set()
    nodes = list(model.get_ordered_ops())
    waiting = [node for node in nodes if node.get_type_name() in _HEAVY]
    while waiting:
        node = waiting.pop()
        if node.get_friendly_name() not in needed:
            needed.add(node.get_friendly_name())
            waiting += [value.get_node() for value in node.input_values()]
    two_stages = any(
        node.get_type_name() == "NonMaxSuppression"
        and node.get_friendly_name() in needed
        for node in nodes
    )
    return [
        node.get_friendly_name()
        for node in nodes
        if node.get_friendly_name() not in needed
        or (two_stages and node.get_type_name() in _ARITHMETIC)
    ]
