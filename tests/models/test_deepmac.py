"""DeepMAC on small models: all networks, losses and given boxes."""

import keras
import numpy as np
import pytest
from keras import ops

from learning import SEED, reached
from odapi.build.detector import build_detector
from odapi.errors import ConfigError
from small_models import SIZE, small_batch, small_config

pytestmark = pytest.mark.backend

_PATH = "model.center_net.deepmac_mask_estimation"
_SMALL = (
    "classification_loss.weighted_sigmoid={}",
    "dim=4",
    "pixel_embedding_dim=4",
    "mask_size=8",
    "num_init_channels=2",
    "network_type=resnet4",
)
ALL_LOSSES = (
    "predict_full_resolution_masks=true",
    "postprocess_crop_size=16",
    "box_consistency_loss_weight=1.0",
    "feature_consistency_loss_weight=1.0",
    "augmented_self_supervision_loss_weight=1.0",
    "augmented_self_supervision_max_translation=0.1",
    "augmented_self_supervision_flip_probability=0.5",
    "augmented_self_supervision_scale_max=1.2",
    "pointly_supervised_keypoint_loss_weight=1.0",
    "ignore_per_class_box_overlap=true",
)


_TAKES_MINUTES_ON_JAX = pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="compiling them takes minutes on JAX; their parts are tested there",
)


def deepmac(*fields, seed=1, options=()):
    settings = [f"{_PATH}.{field}" for field in (*_SMALL, *fields)]
    return build_detector(small_config("center", *settings, *options), seed=seed)


def batch(images=2):
    x, y = small_batch(images)
    masks = np.zeros((images, 3, SIZE, SIZE), np.uint8)
    for n, box in enumerate(y["boxes"][:, 0] * SIZE):
        top, left, bottom, right = box.astype(int)
        masks[n, 0, top:bottom, left : left + (right - left) // 2] = 1
    points = np.full((images, 3, 2, 2), np.nan, np.float32)
    center = (y["boxes"][:, 0, :2] + y["boxes"][:, 0, 2:]) / 2
    points[:, 0, 0], points[:, 0, 1] = center - 0.1, center + 0.1
    depths = np.zeros((images, 3, 2), np.float32)
    depths[:, 0] = [1, -1]
    return x, {**y, "masks": masks, "keypoints": points, "keypoint_depths": depths}


def losses(detector, training=True):
    x, y = batch()
    keep = (*detector.groundtruth_fields, "boxes", "classes", "valid", "weights")
    y = {k: v for k, v in y.items() if k in keep}
    outputs = detector(x, training=training)
    truth = _truth(y)
    found = detector.loss_parts(outputs, truth, x, training)
    return {k: float(ops.convert_to_numpy(v)) for k, v in found.items()}


def _truth(y):
    from odapi.structures import Groundtruth

    return Groundtruth(**{k: ops.convert_to_tensor(v) for k, v in y.items()})


@_TAKES_MINUTES_ON_JAX
@pytest.mark.parametrize(
    ("fields", "inputs"),
    [
        (("network_type=hourglass10",), 10),
        (("network_type=hourglass20_uniform_size",), 10),
        (("network_type=hourglass20_no_shortcut",), 10),
        (("network_type=resnet20",), 10),
        (("network_type=fully_connected",), 10),
        (("use_xy=false",), 8),
        (("use_instance_embedding=false",), 6),
    ],
)
def test_networks_see_pixels_places_and_the_object(fields, inputs):
    detector = deepmac(*fields)
    (head,) = detector.task_layers
    first = next(w for w in head.weights if w.name == "kernel")
    assert first.shape[-2] == inputs
    x, _ = small_batch(1)
    found = detector.detect(x)
    masks = ops.convert_to_numpy(found.masks)
    assert masks.shape == (1, 8, 8, 8)
    assert (masks > 0).all() and (masks < 1).all()


@_TAKES_MINUTES_ON_JAX
@pytest.mark.parametrize(
    "fields",
    [
        ("network_type=embedding_projection", "use_xy=false"),
        # 6 x 2 + 2, 2 + 1: kernels and biases of two convolutions.
        ("network_type=cond_inst2", "dim=17"),
    ],
)
def test_networks_without_weights(fields):
    detector = deepmac(*fields, "use_instance_embedding=false")
    assert not detector.task_layers[0].weights
    assert losses(detector)["Loss/deep_mask_estimation"] > 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (("network_type=hourglass7",), "network_type: unknown network 'hourglass7'"),
        (
            ("network_type=embedding_projection",),
            "use_instance_embedding: must be false",
        ),
        (
            ("network_type=embedding_projection", "use_instance_embedding=false"),
            "use_xy: false",
        ),
        (
            ("network_type=cond_inst2", "use_instance_embedding=false"),
            "dim: is 4, but cond_inst2 has 17 weights",
        ),
        (("mask_num_subsamples=0",), "must be 1 or more, or -1"),
        (("feature_consistency_loss_weight=1",), "predict_full_resolution_masks"),
        (
            ("predict_full_resolution_masks=true", "max_roi_jitter_ratio=0.1"),
            "max_roi_jitter_ratio: has no effect",
        ),
        (
            (
                "augmented_self_supervision_loss_weight=1",
                "augmented_self_supervision_loss=LOSS_UNSET",
            ),
            "must be LOSS_DICE, LOSS_MSE or LOSS_KL_DIV",
        ),
    ],
)
def test_incompatible_options_raise(fields, message):
    with pytest.raises(ConfigError, match=message):
        deepmac(*fields)


@_TAKES_MINUTES_ON_JAX
def test_every_loss_is_there_and_finite():
    found = losses(deepmac(*ALL_LOSSES))
    for name in (
        "estimation",
        "box_consistency",
        "feature_consistency",
        "augmented_self_supervision",
        "pointly_supervised",
    ):
        assert np.isfinite(found[f"Loss/deep_mask_{name}"])
        assert found[f"Loss/deep_mask_{name}"] > 0, name


@pytest.mark.parametrize(
    "fields",
    [
        ("box_consistency_loss_normalize=NORMALIZE_GROUNDTRUTH_COUNT",),
        ("box_consistency_loss_normalize=NORMALIZE_BALANCED",),
        ("box_consistency_tightness=true", "max_roi_jitter_ratio=0.2"),
        ("mask_num_subsamples=2", "jitter_mode=EXPAND_SYMMETRIC_XY"),
    ],
)
def test_choices_of_the_losses(fields):
    found = losses(deepmac("box_consistency_loss_weight=1.0", *fields))
    assert np.isfinite(list(found.values())).all()


def test_masks_of_other_classes_do_not_count():
    allowed = losses(deepmac("allowed_masked_classes_ids=[1]"))
    other = losses(deepmac("allowed_masked_classes_ids=[2]"))
    assert allowed["Loss/deep_mask_estimation"] > 0.1
    assert other["Loss/deep_mask_estimation"] == 0


def test_padding_changes_no_loss():
    detector = deepmac()
    x, y = batch()
    outputs = detector(x, training=True)
    values = []
    for rows in (1, 3):
        keep = ("boxes", "classes", "valid", "weights", "masks")
        truth = _truth({k: y[k][:, :rows] for k in keep})
        found = detector.loss_parts(outputs, truth, x, True)[_MASK]
        values.append(float(ops.convert_to_numpy(found)))
    assert values[0] == pytest.approx(values[1], rel=1e-5)


_MASK = "Loss/deep_mask_estimation"


@pytest.mark.slow
@pytest.mark.learning
def test_mask_is_learned():
    if keras.backend.backend() == "jax":
        pytest.skip("takes minutes to compile; trained on the other backends")
    fields = ("task_loss_weight=5.0", "num_init_channels=8", "mask_size=16")
    # The mean statistics, which inference uses, follow within few steps.
    options = ("options.batch_norm_decay=0.8",)
    detector = deepmac(*fields, seed=1 + SEED, options=options)
    x, y = batch(8)  # Batch statistics of a few images differ from inference.
    y = {k: v for k, v in y.items() if not k.startswith("keypoint")}
    detector.compile(optimizer=keras.optimizers.Adam(5e-3))
    logs = [detector.train_on_batch(x, y, return_dict=True) for _ in range(80)]
    ratio = float(logs[-1][_MASK]) / float(logs[0][_MASK])
    assert reached("DeepMAC: last mask loss / first", ratio, below=0.3)
    detector.optimizer.learning_rate = 0.0
    for _ in range(10):
        detector.train_on_batch(x, y)
    boxes = y["boxes"][:, :1]
    masks = ops.convert_to_numpy(detector.masks_from_boxes(x, boxes))
    assert masks.shape == (8, 1, 16, 16)
    gap = masks[:, 0, 2:-2, :6].mean() - masks[:, 0, 2:-2, 10:].mean()
    assert reached("DeepMAC: mask inside - outside", gap, above=0.3)


def test_masks_of_given_boxes_are_in_the_frame_of_the_image():
    detector = deepmac()
    x, y = batch()
    boxes = y["boxes"][:, :1]
    whole = ops.convert_to_numpy(detector.masks_from_boxes(x, boxes))
    # The same boxes, as shares of the part of the image that is no padding.
    x = {**x, "true_size": np.full((2, 2), SIZE // 2, np.int32)}
    half = ops.convert_to_numpy(detector.masks_from_boxes(x, 2 * boxes))
    np.testing.assert_allclose(whole, half, atol=1e-5)


def test_other_models_make_no_masks_of_boxes():
    detector = build_detector(small_config("center"))
    x, y = batch()
    with pytest.raises(ValueError, match="deepmac_mask_estimation does"):
        detector.masks_from_boxes(x, y["boxes"])
