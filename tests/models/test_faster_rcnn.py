"""Faster R-CNN with a backbone of one convolution: both stages, by hand."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import ops

from odapi.geometry.nms.batched import NonMaxSuppression
from odapi.heads.roi_boxes import RoiBoxes, RoiBoxOptions
from odapi.heads.rpn_head import ProposalHead
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.pixels import MINUS_MEAN_RGB
from odapi.losses.rcnn import BoxClassifierLoss, ProposalLoss
from odapi.models.postprocess import PostProcess
from odapi.models.scores import ScoreConverter
from odapi.models.single_stage.feature_extractor import FeatureExtractor
from odapi.models.two_stage.faster_rcnn import FasterRCNN
from odapi.models.two_stage.proposal_sampler import ProposalSampler
from odapi.models.two_stage.proposals import Proposer
from odapi.models.two_stage.rcnn_outputs import BOXES, CLASSES
from odapi.models.two_stage.roi_pooler import RoiPooler
from odapi.models.two_stage.two_stage_parts import RcnnParts
from odapi.structures import Groundtruth
from odapi.targets.anchor_targets import AnchorAssigner
from odapi.targets.anchors import GridAnchors
from odapi.targets.coders import CenterSizeCoder
from odapi.targets.matchers import ArgmaxMatcher
from odapi.targets.samplers import BalancedSampler
from odapi.targets.similarities import IouSimilarity

pytestmark = pytest.mark.backend

_CODER = CenterSizeCoder()
_PARTS = RcnnParts(
    pixels=MINUS_MEAN_RGB,
    anchors=GridAnchors((16, 16), (8, 8), (4, 4), (1.0, 2.0), (1.0,)),
    proposer=Proposer(_CODER, size=6),
    rpn_assigner=AnchorAssigner(
        _CODER, IouSimilarity(), ArgmaxMatcher(0.7, 0.3, force=True)
    ),
    rpn_loss=ProposalLoss(BalancedSampler(0.5, 64)),
    coder=_CODER,
    pooler=RoiPooler(4, 2, 2),
    sampler=ProposalSampler(
        AnchorAssigner(_CODER, IouSimilarity(), ArgmaxMatcher(0.5)),
        2,
        BalancedSampler(0.5, 4),
    ),
    box_loss=BoxClassifierLoss(),
    postprocess=PostProcess(
        NonMaxSuppression(max_total=5), ScoreConverter("softmax"), True, True
    ),
)
_LOSSES = [
    "Loss/RPNLoss/localization_loss",
    "Loss/RPNLoss/objectness_loss",
    "Loss/BoxClassifierLoss/localization_loss",
    "Loss/BoxClassifierLoss/classification_loss",
]


def detector(stages=2, shared=False, **parts):
    hyperparams = Hyperparams(seed=1)
    backbone = keras.layers.Conv2D(
        8, 8, 8, name="backbone", kernel_initializer=keras.initializers.GlorotUniform(1)
    )
    boxes = RoiBoxes(
        RoiBoxOptions(2, share_boxes=shared), hyperparams, name="roi_boxes"
    )
    made = FasterRCNN(
        FeatureExtractor(backbone, None, name="feature_extractor"),
        keras.layers.Identity(name="roi_features") if stages > 1 else None,
        ProposalHead((2,), hyperparams, depth=4, name="rpn"),
        boxes if stages > 1 else None,
        dataclasses.replace(_PARTS, **parts),
        num_classes=2,
        image_size=(32, 48),
        max_detections=5,
        name="detector",
    )
    made.build((None, 32, 48, 3))
    return made


def inputs_of(true_size=None):
    images = np.random.default_rng(0).integers(0, 255, (2, 32, 48, 3)).astype("uint8")
    inputs = {"images": ops.convert_to_tensor(images)}
    if true_size is not None:
        inputs["true_size"] = ops.convert_to_tensor(np.array(true_size, "int32"))
    return inputs


def truth_of(objects=1):
    boxes = np.zeros((2, 2, 4), "float32")
    boxes[:, 0] = [0.2, 0.2, 0.8, 0.6]
    valid = np.zeros((2, 2), bool)
    valid[:, :objects] = True
    values = boxes, np.ones((2, 2), "int32"), valid, valid.astype("float32")
    return Groundtruth(*(ops.convert_to_tensor(v) for v in values))


@pytest.fixture(scope="module")
def two_stages():
    return detector()


def test_the_first_stage_alone_runs_in_training(two_stages):
    outputs = two_stages(inputs_of(), training=True)
    assert BOXES not in outputs
    assert outputs["proposal_boxes"].shape == (2, 6, 4)
    assert outputs["rpn_box_encodings"].shape == (2, 4 * 6 * 2, 4)
    assert outputs["feature_maps/0"].shape == (2, 4, 6, 8)


def test_both_stages_run_in_inference(two_stages):
    outputs = two_stages(inputs_of())
    assert outputs[BOXES].shape == (2, 6, 2, 4)
    assert outputs[CLASSES].shape == (2, 6, 3)
    found = two_stages.detect(inputs_of(), outputs, raw=True)
    assert found.boxes.shape == (2, 5, 4)
    assert found.raw_boxes.shape == (2, 6, 4)
    assert found.raw_scores.shape == (2, 6, 3)
    assert ops.convert_to_numpy(found.anchor_indices).max() < 6
    boxes = ops.convert_to_numpy(found.boxes)
    assert ((boxes >= 0) & (boxes <= 1)).all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("objects", [0, 1, 2])
def test_losses_are_numbers_also_without_objects(two_stages, training, objects):
    outputs = two_stages(inputs_of(), training=training)
    parts = two_stages.loss_parts(outputs, truth_of(objects), inputs_of(), training)
    assert list(parts) == _LOSSES
    values = {k: float(ops.convert_to_numpy(v)) for k, v in parts.items()}
    assert all(np.isfinite(list(values.values())))
    if not objects:
        assert values[_LOSSES[0]] == values[_LOSSES[2]] == 0


def test_nothing_is_proposed_or_found_in_the_padding(two_stages):
    inputs = inputs_of([[16, 48], [32, 24]])
    boxes = ops.convert_to_numpy(two_stages(inputs)["proposal_boxes"])
    assert boxes[0, :, 2].max() <= 0.5
    assert boxes[1, :, 3].max() <= 0.5
    found = ops.convert_to_numpy(two_stages.detect(inputs).boxes)
    assert found[0, :, 2].max() > 0.5  # A share of the image without padding.
    assert found.max() <= 1.0


def test_padding_is_normalized_as_in_the_original(two_stages):
    pixels = two_stages.preprocess(
        {"images": ops.zeros((1, 2, 2, 3)), "true_size": ops.ones((1, 2), "int32")}
    )
    np.testing.assert_allclose(
        ops.convert_to_numpy(pixels)[0, 1, 1], [-123.68, -116.779, -103.939], rtol=1e-6
    )


def test_anchors_over_the_edge_are_left_out_of_training_alone(two_stages):
    # Of centers 4 pixels from the edge, anchors of 16 and 32 pixels all reach over it:
    # inside are those of 16 pixels in the middle.
    inputs = inputs_of()
    outputs = dict(two_stages(inputs, training=True))
    valid_anchors = ops.convert_to_numpy(
        two_stages.valid_anchors((32, 48), training=True)
    )
    assert valid_anchors.sum() == 2 * 4
    assert two_stages.valid_anchors((32, 48), training=False) is None
    anchors = ops.convert_to_numpy(two_stages.propose(outputs, inputs, True).anchors)
    assert valid_anchors[anchors].all()
    assert detector(clip_anchors=True).valid_anchors((32, 48), training=True) is None


def test_one_box_for_all_classes():
    shared = detector(shared=True)
    outputs = shared(inputs_of())
    assert outputs[BOXES].shape == (2, 6, 1, 4)
    assert shared.detect(inputs_of(), outputs, raw=True).raw_boxes.shape == (2, 6, 4)


def test_one_stage_finds_proposals():
    single = detector(stages=1)
    outputs = single(inputs_of())
    assert BOXES not in outputs
    found = single.detect(inputs_of(), outputs, raw=True)
    assert found.boxes.shape == (2, 6, 4)
    assert found.multiclass_scores.shape == (2, 6, 2)
    assert found.raw_boxes.shape == (2, 48, 4)
    parts = single.loss_parts(outputs, truth_of(), inputs_of(), training=True)
    assert list(parts) == _LOSSES[:2]


def test_detections_with_features_of_their_boxes():
    found = detector(box_features=True, rpn_features=True).detect(inputs_of())
    assert found.features.shape == (2, 5, 2, 2, 8)
    assert found.rpn_features.shape == (2, 5, 2, 2, 8)


def test_detection_checkpoint_fills_both_parts_of_the_backbone(two_stages):
    assert set(two_stages.variables_for("detection")) == {
        "feature_extractor/backbone/kernel",
        "feature_extractor/backbone/bias",
    }


def test_gradients_reach_both_stages(two_stages):
    two_stages.compile(optimizer=keras.optimizers.SGD(0.1))
    before = {
        k: ops.convert_to_numpy(v) for k, v in two_stages.named_variables().items()
    }
    x = {k: ops.convert_to_numpy(v) for k, v in inputs_of().items()}
    y = {
        k: ops.convert_to_numpy(v)
        for k, v in truth_of()._asdict().items()
        if v is not None
    }
    two_stages.train_on_batch(x, y)
    moved = {
        k.split("/")[0]
        for k, v in two_stages.named_variables().items()
        if np.abs(ops.convert_to_numpy(v) - before[k]).max() > 0
    }
    assert moved == {"feature_extractor", "rpn", "roi_boxes"}
