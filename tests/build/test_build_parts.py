"""From messages to anchors, targets and losses."""

import pytest
from google.protobuf import text_format

from odapi.build.anchors import build_anchors
from odapi.build.losses import (
    build_anchor_loss,
    build_classification_loss,
    build_localization_loss,
)
from odapi.build.postprocess import build_postprocess
from odapi.build.targets import (
    build_assigner,
    build_coder,
    build_matcher,
    build_similarity,
)
from odapi.config.protos import (
    anchor_generator_pb2,
    box_coder_pb2,
    losses_pb2,
    matcher_pb2,
    pipeline_pb2,
    region_similarity_calculator_pb2,
    ssd_pb2,
)
from odapi.errors import ConfigError
from odapi.losses import boxes, classification
from odapi.losses.hard_examples import HardExampleMiner
from odapi.targets import anchors, coders, similarities
from odapi.targets.matchers import ArgmaxMatcher
from odapi.targets.samplers import BalancedSampler


def parse(text, message):
    return text_format.Parse(text, message)


ANCHORS = {
    "grid_anchor_generator { scales: [0.5, 1] aspect_ratios: 2 height_stride: 8 }": (
        anchors.GridAnchors(stride=(8, 16), scales=(0.5, 1.0), aspect_ratios=(2.0,))
    ),
    "ssd_anchor_generator { num_layers: 3 aspect_ratios: [1, 0.3333] }": (
        anchors.SsdAnchors.spaced(3, 0.2, 0.95, aspect_ratios=(1.0, 0.3333))
    ),
    "ssd_anchor_generator { num_layers: 2 scales: [0.1, 0.4] aspect_ratios: 1 "
    "reduce_boxes_in_lowest_layer: false interpolated_scale_aspect_ratio: 0 "
    "height_stride: [8, 16] width_stride: [4, 8] height_offset: [1, 2] "
    "width_offset: [3, 4] base_anchor_height: 2 }": anchors.SsdAnchors(
        (0.1, 0.4), (1.0,), 0.0, False, (2.0, 1.0), ((8, 4), (16, 8)), ((1, 3), (2, 4))
    ),
    "multiscale_anchor_generator { min_level: 2 max_level: 4 anchor_scale: 3 "
    "aspect_ratios: [1, 2] scales_per_octave: 3 }": anchors.PyramidAnchors(
        2, 4, 3.0, (1.0, 2.0), 3
    ),
    "flexible_grid_anchor_generator { anchor_grid { base_sizes: [32, 64] "
    "aspect_ratios: [1, 2] height_stride: 8 width_stride: 4 width_offset: 2 } }": (
        anchors.FlexibleGridAnchors(
            (anchors.FlexibleGrid((32.0, 64.0), (1.0, 2.0), (8, 4), (0, 2)),)
        )
    ),
}


@pytest.mark.parametrize("text", ANCHORS)
def test_anchors(text):
    config = parse(text, anchor_generator_pb2.AnchorGenerator())
    assert build_anchors(config) == ANCHORS[text]


CODERS = {
    "faster_rcnn_box_coder { y_scale: 2 width_scale: 3 }": coders.CenterSizeCoder(
        (2.0, 10.0, 5.0, 3.0)
    ),
    "keypoint_box_coder { num_keypoints: 5 }": coders.KeypointCoder(5),
    "mean_stddev_box_coder { stddev: 0.1 }": coders.MeanStddevCoder(0.1),
    "square_box_coder { length_scale: 4 }": coders.SquareCoder((10.0, 10.0, 4.0)),
}


@pytest.mark.parametrize("text", CODERS)
def test_coders(text):
    assert build_coder(parse(text, box_coder_pb2.BoxCoder())) == CODERS[text]


SIMILARITIES = {
    "iou_similarity {}": similarities.IouSimilarity(),
    "ioa_similarity {}": similarities.IoaSimilarity(),
    "neg_sq_dist_similarity {}": similarities.NegativeSquaredDistance(),
    "thresholded_iou_similarity { iou_threshold: 0.3 }": (
        similarities.ThresholdedIou(0.3)
    ),
}


@pytest.mark.parametrize("text", SIMILARITIES)
def test_similarities(text):
    message = region_similarity_calculator_pb2.RegionSimilarityCalculator()
    assert build_similarity(parse(text, message)) == SIMILARITIES[text]


MATCHERS = {
    "": ArgmaxMatcher(0.5, 0.5),
    "matched_threshold: 0.6 unmatched_threshold: 0.4": ArgmaxMatcher(0.6, 0.4),
    "force_match_for_each_row: true": ArgmaxMatcher(0.5, 0.5, force=True),
    "ignore_thresholds: true": ArgmaxMatcher(None),
    "unmatched_threshold: 0.3 negatives_lower_than_unmatched: false": (
        ArgmaxMatcher(0.5, 0.3, negatives_below=False)
    ),
}


@pytest.mark.parametrize("text", MATCHERS)
def test_matchers(text):
    config = parse(f"argmax_matcher {{ {text} }}", matcher_pb2.Matcher())
    assert build_matcher(config) == MATCHERS[text]


CLASSIFICATION = {
    "weighted_sigmoid {}": classification.SigmoidLoss(),
    "weighted_sigmoid_focal {}": classification.SigmoidFocalLoss(2.0, None),
    "weighted_sigmoid_focal { gamma: 1.5 alpha: 0.25 }": (
        classification.SigmoidFocalLoss(1.5, 0.25)
    ),
    "weighted_softmax { logit_scale: 2 }": classification.SoftmaxLoss(2.0),
    "weighted_logits_softmax {}": classification.SoftmaxAgainstLogitsLoss(),
    "bootstrapped_sigmoid { alpha: 0.5 hard_bootstrap: true }": (
        classification.BootstrappedSigmoidLoss(0.5, True)
    ),
    "penalty_reduced_logistic_focal_loss { alpha: 2 beta: 4 }": (
        classification.PenaltyReducedFocalLoss(2.0, 4.0)
    ),
    "weighted_dice_classification_loss { squared_normalization: true }": (
        classification.DiceLoss(squared=True)
    ),
}


@pytest.mark.parametrize("text", CLASSIFICATION)
def test_classification_losses(text):
    config = parse(text, losses_pb2.ClassificationLoss())
    assert build_classification_loss(config, "loss") == CLASSIFICATION[text]


LOCALIZATION = {
    "weighted_l2 {}": boxes.L2Loss(),
    "weighted_smooth_l1 { delta: 0.5 }": boxes.SmoothL1Loss(0.5),
    "weighted_iou {}": boxes.IouLoss(),
    "weighted_giou {}": boxes.GiouLoss(),
    "l1_localization_loss {}": boxes.L1Loss(),
}


@pytest.mark.parametrize("text", LOCALIZATION)
def test_localization_losses(text):
    config = parse(text, losses_pb2.LocalizationLoss())
    assert build_localization_loss(config, "loss") == LOCALIZATION[text]


SSD = """
  box_coder { faster_rcnn_box_coder {} }
  matcher { argmax_matcher {} }
  similarity_calculator { iou_similarity {} }
  loss {
    classification_loss { weighted_sigmoid {} }
    localization_loss { weighted_smooth_l1 {} }
    classification_weight: 2 localization_weight: 0.5
  }
"""


def loss_of(text):
    ssd = parse(SSD, ssd_pb2.Ssd())
    ssd.MergeFrom(parse(text, ssd_pb2.Ssd()))
    return build_anchor_loss(ssd, build_coder(ssd.box_coder))


def test_anchor_loss():
    loss = loss_of("normalize_loc_loss_by_codesize: true")
    assert (loss.classification_weight, loss.localization_weight) == (2.0, 0.5)
    assert loss.normalize_by_matches
    assert loss.normalize_by_code_size
    assert loss.has_background
    assert loss.miner is None
    assert loss.sampler is None
    other = loss_of("normalize_loss_by_num_matches: false add_background_class: false")
    assert not other.normalize_by_matches
    assert not other.has_background


def test_mining_and_sampling():
    loss = loss_of(
        "loss { hard_example_miner { num_hard_examples: 0 loss_type: CLASSIFICATION "
        "max_negatives_per_positive: 3 min_negatives_per_image: 2 } "
        "random_example_sampler { positive_sample_fraction: 0.1 } }"
    )
    assert loss.miner == HardExampleMiner(None, 0.7, "classification", 2.0, 0.5, 3, 2)
    assert loss.sampler == BalancedSampler(0.1)
    default = loss_of("loss { hard_example_miner {} }").miner
    assert default == HardExampleMiner(64, 0.7, "both", 2.0, 0.5, None, 0)


def test_assigner():
    ssd = parse(
        SSD + "negative_class_weight: 0.5 encode_background_as_zeros: true "
        "use_confidences_as_targets: true implicit_example_weight: 0.25",
        ssd_pb2.Ssd(),
    )
    assigner = build_assigner(ssd, coders.MeanStddevCoder())
    assert assigner.coder == coders.MeanStddevCoder()
    assert assigner.add_background
    assert assigner.background_as_zeros
    assert assigner.confidences_as_targets
    assert (assigner.negative_class_weight, assigner.implicit_weight) == (0.5, 0.25)


# What is wrong -> part of the message. The path is that of the field.
WRONG = {
    "no anchors": (
        lambda: build_anchors(anchor_generator_pb2.AnchorGenerator()),
        "model.ssd.anchor_generator: is empty\n"
        "  hint: set one of grid_anchor_generator",
    ),
    "levels": (
        lambda: build_anchors(
            parse(
                "multiscale_anchor_generator { min_level: 7 max_level: 3 "
                "aspect_ratios: 1 }",
                anchor_generator_pb2.AnchorGenerator(),
            )
        ),
        "multiscale_anchor_generator: min_level 7 is above max_level 3",
    ),
    "scales": (
        lambda: build_anchors(
            parse(
                "ssd_anchor_generator { scales: 0.1 aspect_ratios: 1 }",
                anchor_generator_pb2.AnchorGenerator(),
            )
        ),
        "scales: has 1 value for 6 layers",
    ),
    "strides": (
        lambda: build_anchors(
            parse(
                "ssd_anchor_generator { height_stride: 8 aspect_ratios: 1 }",
                anchor_generator_pb2.AnchorGenerator(),
            )
        ),
        "height_stride: has 1 value, width_stride has 0",
    ),
    "coder": (
        lambda: build_coder(
            parse("mean_stddev_box_coder { stddev: 0 }", box_coder_pb2.BoxCoder())
        ),
        "mean_stddev_box_coder.stddev: is 0; allowed is above 0",
    ),
    "bipartite": (
        lambda: build_matcher(parse("bipartite_matcher {}", matcher_pb2.Matcher())),
        "bipartite_matcher: is not supported",
    ),
    "thresholds": (
        lambda: build_matcher(
            parse("argmax_matcher { matched_threshold: 0.3 }", matcher_pb2.Matcher())
        ),
        "argmax_matcher: unmatched_threshold 0.5 is above",
    ),
    "bootstrap": (
        lambda: build_classification_loss(
            parse("bootstrapped_sigmoid {}", losses_pb2.ClassificationLoss()), "loss"
        ),
        "loss.bootstrapped_sigmoid.alpha: is missing",
    ),
    "sampling": (
        lambda: loss_of(
            "loss { random_example_sampler { positive_sample_fraction: 0 } }"
        ),
        "model.ssd.loss.random_example_sampler.positive_sample_fraction: is 0; allowed "
        "is above 0 to 1",
    ),
    "expected losses": (
        lambda: loss_of("loss { expected_loss_weights: EXPECTED_SAMPLING }"),
        "model.ssd.loss.expected_loss_weights: is not supported",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_built_is_said_with_its_path(name):
    build, message = WRONG[name]
    with pytest.raises(ConfigError) as error:
        build()
    assert message in str(error.value)


def test_real_configs(shared):
    paths = sorted((shared / "configs" / "tf2").glob("ssd_*.config"))
    assert paths
    for path in paths:
        config = parse(path.read_text(), pipeline_pb2.TrainEvalPipelineConfig())
        ssd = config.model.ssd
        coder = build_coder(ssd.box_coder)
        assert sum(build_anchors(ssd.anchor_generator).per_location) > 0
        assert build_assigner(ssd, coder).matcher.force
        assert isinstance(
            build_anchor_loss(ssd, coder).classification,
            classification.SigmoidFocalLoss,
        )
        assert build_postprocess(ssd.post_processing, True).nms.max_total == 100
