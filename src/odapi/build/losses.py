"""Builds losses from the `Loss` message and the fields of `Ssd` that belong to it."""

from collections.abc import Callable
from typing import Any

from odapi.build.oneof import build_oneof, call, checked
from odapi.config.view import view
from odapi.losses import boxes, classification
from odapi.losses.anchor_loss import AnchorLoss
from odapi.losses.hard_examples import HardExampleMiner
from odapi.targets.coders import BoxCoder
from odapi.targets.samplers import BalancedSampler


def build_anchor_loss(
    config: Any, coder: BoxCoder, path: str = "model.ssd"
) -> AnchorLoss:
    """Returns the loss of an `Ssd` message.

    Raises:
        ConfigError: A part is missing, is not supported, or has values that are not
            allowed.
    """
    checked(config.loss, f"{path}.loss")
    config = view(config)
    loss = config.loss
    return AnchorLoss(
        classification=build_classification_loss(
            loss.classification_loss, f"{path}.loss.classification_loss"
        ),
        localization=build_localization_loss(
            loss.localization_loss, f"{path}.loss.localization_loss"
        ),
        coder=coder,
        classification_weight=loss.classification_weight,
        localization_weight=loss.localization_weight,
        normalize_by_matches=config.normalize_loss_by_num_matches,
        normalize_by_code_size=config.normalize_loc_loss_by_codesize,
        miner=_part(loss, "hard_example_miner", _miner, f"{path}.loss"),
        sampler=_part(loss, "random_example_sampler", _sampler, f"{path}.loss"),
        has_background=config.add_background_class or config.explicit_background_class,
    )


def build_classification_loss(
    config: Any, path: str
) -> classification.ClassificationLoss:
    """Returns the loss of a `ClassificationLoss` message.

    Raises:
        ConfigError: None is set, or one with values that are not allowed.
    """
    return build_oneof(config, "classification_loss", _CLASSIFICATION, path)


def build_localization_loss(config: Any, path: str) -> boxes.BoxLoss:
    """Returns the loss of a `LocalizationLoss` message.

    Raises:
        ConfigError: None is set, or one with values that are not allowed.
    """
    return build_oneof(config, "localization_loss", _LOCALIZATION, path)


def build_hard_example_miner(
    config: Any, path: str, classification_weight: float, localization_weight: float
) -> HardExampleMiner:
    """Returns the miner of a `HardExampleMiner` message.

    Args:
        config: The message.
        path: Path of the message, for errors.
        classification_weight, localization_weight: Factors of the losses that it
            ranks by.

    Raises:
        ConfigError: A value is not allowed.
    """
    return call(
        _hard_example_miner, config, path, classification_weight, localization_weight
    )


def _hard_example_miner(
    config: Any, path: str, classification_weight: float, localization_weight: float
) -> HardExampleMiner:
    kind = config.enum_name("loss_type")
    most = config.max_negatives_per_positive
    return HardExampleMiner(
        size=config.num_hard_examples if config.num_hard_examples > 0 else None,
        iou_threshold=config.iou_threshold,
        kind=kind,
        classification_weight=classification_weight,
        localization_weight=localization_weight,
        max_negatives_per_positive=most if most > 0 else None,
        min_negatives=config.min_negatives_per_image,
    )


def _part(loss: Any, field: str, builder: Any, path: str) -> Any:
    if not loss.HasField(field):
        return None
    return call(builder, getattr(loss, field), f"{path}.{field}", loss)


def _miner(config: Any, path: str, loss: Any) -> HardExampleMiner:
    weights = loss.classification_weight, loss.localization_weight
    return build_hard_example_miner(config, path, *weights)


def _sampler(config: Any, path: str, loss: Any) -> BalancedSampler:
    return BalancedSampler(config.positive_sample_fraction)


def _focal(config: Any, path: str) -> classification.SigmoidFocalLoss:
    alpha = config.alpha if config.HasField("alpha") else None
    return classification.SigmoidFocalLoss(config.gamma, alpha)


def _softmax_against_logits(
    config: Any, path: str
) -> classification.SoftmaxAgainstLogitsLoss:
    return classification.SoftmaxAgainstLogitsLoss(config.logit_scale)


def _bootstrapped(config: Any, path: str) -> classification.BootstrappedSigmoidLoss:
    return classification.BootstrappedSigmoidLoss(config.alpha, config.hard_bootstrap)


def _penalty_reduced(config: Any, path: str) -> classification.PenaltyReducedFocalLoss:
    return classification.PenaltyReducedFocalLoss(config.alpha, config.beta)


def _dice(config: Any, path: str) -> classification.DiceLoss:
    return classification.DiceLoss(
        squared=config.squared_normalization,
        probabilities=config.is_prediction_probability,
    )


_CLASSIFICATION: dict[str, Callable] = {
    "weighted_sigmoid": lambda *_: classification.SigmoidLoss(),
    "weighted_sigmoid_focal": _focal,
    "weighted_softmax": lambda config, _: classification.SoftmaxLoss(
        config.logit_scale
    ),
    "weighted_logits_softmax": _softmax_against_logits,
    "bootstrapped_sigmoid": _bootstrapped,
    "penalty_reduced_logistic_focal_loss": _penalty_reduced,
    "weighted_dice_classification_loss": _dice,
}
_LOCALIZATION: dict[str, Callable] = {
    "weighted_l2": lambda *_: boxes.L2Loss(),
    "weighted_smooth_l1": lambda config, _: boxes.SmoothL1Loss(config.delta),
    "weighted_iou": lambda *_: boxes.IouLoss(),
    "weighted_giou": lambda *_: boxes.GiouLoss(),
    "l1_localization_loss": lambda *_: boxes.L1Loss(),
}
