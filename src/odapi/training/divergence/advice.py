"""Next steps after a step that diverged, by where it begins."""

from odapi.training.divergence.saved_step import SavedStep

_RATE = (
    "the learning rate of the step was {rate:.4g}: try a tenth of it, with a warm-up, "
    "or train_config.gradient_clipping_by_norm: 10"
)
# Outputs of layers in trainings that go well are below 10 000.
_EXPLODED = 1e6
_EXPLOSION = (
    "outputs of layers reach {largest:.4g}: the training had exploded before this "
    "step, until a sum or a product went beyond the range of numbers; "
) + _RATE
_LARGE_GRADIENT = (
    "gradients reach {gradient:.4g}, and their squares are infinite: they grow from "
    "layer to layer, as in a deep model that starts from random weights or whose batch "
    "norms see few values: start from pretrained weights, or use larger batches or "
    "images"
)
_ADVICE = {
    "input": "the data is not finite before the model sees it: look at these images "
    "with `odapi data inspect`, and at your augmentations",
    "weight": "the weights were not finite before the step: check the checkpoint that "
    "training started from, or resume from an earlier one of the run",
    "layer": "values grow until this layer cannot represent them, or it divides by "
    "zero; compare its inputs and weights with those of a good step. With a precision "
    "of 16 bits, try options.precision: FLOAT32. Otherwise, " + _RATE,
    "loss": "the outputs of the model are finite, but not this part of the loss: look "
    "at the boxes of these images; with finite data, this is a mistake of odapi, and "
    "the folder of the step is all that a report needs",
    "gradient": "the losses are finite, but not their gradients: usually a square "
    "root, a logarithm or a division at 0. With a precision of 16 bits, try "
    "options.precision: FLOAT32; otherwise this is a mistake of odapi, and the folder "
    "of the step is all that a report needs",
    "": "nothing is infinite or NaN: the loss was too large, or only the compiled step "
    "is not finite; " + _RATE,
}


def advice_for(
    kind: str, saved: SavedStep, largest: float = 0.0, gradient: float = 0.0
) -> str:
    """Returns the next steps for a kind of `Culprit`; "" if all tensors are finite.

    Args:
        kind: See `Culprit`.
        saved: The step.
        largest: Largest magnitude of a finite output of a layer.
        gradient: Largest magnitude of the gradients, if all are finite.
    """
    text = _ADVICE[kind]
    if kind in ("layer", "loss", "gradient") and largest >= _EXPLODED:
        text = _EXPLOSION
    elif kind == "gradient" and gradient:
        text = _LARGE_GRADIENT
    return text.format(rate=saved.learning_rate, largest=largest, gradient=gradient)
