"""The anchors of a config with what decides whether they match objects."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from odapi.build.anchors import build_anchors
from odapi.build.feature_extractor import build_feature_extractor
from odapi.build.hyperparams import BuildContext
from odapi.build.rcnn_extractor import build_rcnn_extractor
from odapi.build.rcnn_parts import RPN_MATCHER
from odapi.build.resizer import model_resizer
from odapi.build.targets import build_matcher
from odapi.config.view import view
from odapi.data.anchor_recall import AnchorLevel, Border, anchor_levels, best_ious
from odapi.data.image.resize import Resizer
from odapi.data.resized_boxes import ResizedBoxes
from odapi.errors import ConfigError
from odapi.targets.anchors import AnchorGenerator
from odapi.targets.matchers import ArgmaxMatcher

Size = tuple[int, int]


@dataclasses.dataclass(frozen=True)
class AnchorSetup:
    """Anchor generator, feature maps, resizer and matcher of a model.

    Args:
        path: Config path of the `AnchorGenerator` message.
        message: That message.
        resizer: Resizes images to the input size of the model.
        matcher: Matches anchors with objects in training.
        border: Treatment of anchors that cross the image border, in training.
        grids: Sizes of the feature maps for an image size.
    """

    path: str
    message: Any
    resizer: Resizer
    matcher: ArgmaxMatcher
    border: Border
    grids: Callable[[Size], list[Size]]

    @property
    def kind(self) -> str:
        """Field of the message that is set, such as "ssd_anchor_generator"."""
        return str(self.message.WhichOneof("anchor_generator_oneof"))

    @property
    def generator(self) -> AnchorGenerator:
        """The anchor generator."""
        return build_anchors(self.message, self.path)

    @property
    def threshold(self) -> float:
        """Lowest IoU of a match; 0 if every anchor is matched."""
        return 0.0 if self.matcher.matched is None else self.matcher.matched

    def with_message(self, message: Any) -> "AnchorSetup":
        """Returns the setup with other anchors."""
        return dataclasses.replace(self, message=message)

    def levels(self, image_size: Size) -> list[AnchorLevel]:
        """Returns the anchors of images of one size, in pixels."""
        grids, generator = self.grids(image_size), self.generator
        anchors = generator(image_size, grids)
        return anchor_levels(anchors, image_size, grids, generator.per_location)

    def best_ious(self, objects: ResizedBoxes) -> np.ndarray:
        """Returns the highest IoU `[n]` of any anchor with each object."""
        best = np.zeros(len(objects))
        for size, rows in objects.groups():
            boxes, levels = objects.boxes[rows], self.levels(size)
            best[rows] = best_ious(boxes, levels, size, self.border)
        return best


def anchor_setup(config: Any, extractor: Any = None) -> AnchorSetup:
    """Returns the anchors of a config.

    Args:
        config: A TrainEvalPipelineConfig.
        extractor: The feature extractor of its detector; None builds one.

    Raises:
        ConfigError: The model has no anchors, or cannot be built.
    """
    resizer = model_resizer(config)
    kind = config.model.WhichOneof("model")
    if kind == "center_net":
        raise ConfigError(
            "model.center_net",
            "has no anchors: CenterNet detects objects as peaks of a heatmap, of any "
            "size",
            hint="odapi data inspect CONFIG counts objects below its stride, 4 pixels",
        )
    context = BuildContext(seed=0)
    if kind == "ssd":
        ssd = config.model.ssd
        path = "model.ssd.feature_extractor"
        maps: Any = extractor or build_feature_extractor(
            ssd.feature_extractor, path, context
        )
        matcher = build_matcher(ssd.matcher)
        path, message = "model.ssd.anchor_generator", ssd.anchor_generator
        border = Border.CROSSED
        return AnchorSetup(path, message, resizer, matcher, border, _grids(maps))
    rcnn = config.model.faster_rcnn
    path = "model.faster_rcnn.feature_extractor"
    maps = (
        extractor
        or build_rcnn_extractor(rcnn.feature_extractor, path, context).feature_extractor
    )
    path = "model.faster_rcnn.first_stage_anchor_generator"
    border = Border.CLIPPED if view(rcnn).clip_anchors_to_image else Border.DROPPED
    return AnchorSetup(
        path, rcnn.first_stage_anchor_generator, resizer, RPN_MATCHER, border,
        _grids(maps),
    )  # fmt: skip


def _grids(extractor: Any) -> Callable[[Size], list[Size]]:
    known: dict[Size, list[Size]] = {}

    def grids(image_size: Size) -> list[Size]:
        if image_size not in known:
            known[image_size] = extractor.grid_sizes(image_size)
        return known[image_size]

    return grids
