"""CenterNet: objects as peaks of a heatmap, and tasks that say more about them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import keras
from keras import ops

from odapi.geometry.gather import gather_rows
from odapi.geometry.nms.batched import NonMaxSuppression
from odapi.heads.center_heads import CenterHeads, stage_name
from odapi.layers.hyperparams import Hyperparams
from odapi.layers.pixels import PixelScaling
from odapi.models.center.object_heatmap import ObjectCenters
from odapi.models.center.task import STRIDE, Frame, Maps, Peaks, Task
from odapi.models.detector import (
    Detector,
    Inputs,
)
from odapi.runtime.keras_objects import PACKAGE
from odapi.structures import Detections, Groundtruth, Tensor

FEATURES = "features"  # Among the outputs: the last map that the heads look at.


@dataclasses.dataclass(frozen=True)
class CenterParts:
    """The parts of a CenterNet that have no weights of the detector itself.

    Args:
        pixels: How the extractor wants its pixels.
        objects: The heatmap of centers.
        tasks: What else is predicted; that of the boxes first.
        nms: Drops objects that overlap others; None: all peaks are objects.
        output_maps: Exported models also give what the heads predict.
    """

    pixels: PixelScaling
    objects: ObjectCenters
    tasks: tuple[Task, ...] = ()
    nms: NonMaxSuppression | None = None
    output_maps: bool = False

    def __post_init__(self):
        names = [head.name for part in self.everything for head in part.heads]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two tasks predict {', '.join(twice)}")

    @property
    def everything(self) -> tuple[ObjectCenters | Task, ...]:
        """What has heads and losses."""
        return (self.objects, *self.tasks)


@keras.saving.register_keras_serializable(PACKAGE)
class CenterNet(Detector):
    """An extractor with one or more stages, heads on each, and tasks.

    Args:
        feature_extractor: Layer from normalized images to a list of maps, one a
            stage, all of a fourth of the size; its `backbone` is what an
            image classifier can fill.
        parts: What has no weights.
        hyperparams: Of the heads: seed and type.
        use_depthwise: Heads of separable convolutions.
        kwargs: As for `Detector`, without what the parts say.

    Source: Zhou et al. 2019 (https://arxiv.org/abs/1904.07850).
    """

    def __init__(
        self,
        feature_extractor: keras.layers.Layer,
        parts: CenterParts,
        hyperparams: Hyperparams | None = None,
        use_depthwise: bool = False,
        **kwargs,
    ):
        everything = parts.everything
        super().__init__(
            num_classes=parts.objects.num_classes,
            max_detections=(
                parts.nms.max_total if parts.nms else parts.objects.max_detections
            ),
            loss_names=tuple(n for part in everything for n in part.loss_names),
            **kwargs,
        )
        self.feature_extractor = feature_extractor
        self.heads = CenterHeads(
            [head for part in everything for head in part.heads],
            hyperparams or Hyperparams(),
            use_depthwise,
            name="heads",
            dtype=(hyperparams or Hyperparams()).dtype,
        )
        self.task_layers = [layer for task in parts.tasks for layer in task.layers]
        self.parts = parts
        self.num_stages = 0
        fields = [f for part in everything for f in part.groundtruth_fields]
        self.groundtruth_fields = tuple(dict.fromkeys(fields))

    def build_heads(self, shapes: Sequence[tuple]) -> None:
        """Creates the variables of the heads, for the shapes of the stages' maps."""
        self.heads.build(shapes)
        self.num_stages = len(shapes)

    def call(self, inputs: Inputs, training: bool = False) -> dict[str, Tensor]:
        """Returns the maps `[b, h, w, channels]` by name, such as "box/scale/0"."""
        return self.predict_maps(self.extract(inputs, training))

    def predict_maps(
        self, features: list[Tensor], training: bool = False
    ) -> dict[str, Tensor]:
        """Returns what the heads say of the maps of all stages."""
        found = self.heads(features)
        if any(task.needs_features for task in self.parts.tasks):
            found[FEATURES] = ops.cast(features[-1], "float32")
        return found

    def loss_parts(
        self,
        outputs: Mapping[str, Tensor],
        groundtruth: Groundtruth,
        inputs: Inputs | None = None,
        training: bool = False,
    ) -> dict[str, Tensor]:
        """Returns the parts of the loss, weighted, without regularization."""
        frame = self.frame(inputs, outputs, training)
        stages = [self._maps(outputs, n) for n in range(self.num_stages)]
        truth = Groundtruth(
            *(v if v is None else ops.convert_to_tensor(v) for v in groundtruth)
        )
        found: dict[str, Tensor] = {}
        for part in self.parts.everything:
            found |= part.losses(stages, truth, frame)
        return found

    def frame(
        self,
        inputs: Inputs | None,
        outputs: Mapping[str, Tensor],
        training: bool = False,
    ) -> Frame:
        """Returns where the maps lie on the images."""
        if inputs is None:
            some = next(iter(outputs.values()))
            return Frame((some.shape[1] * STRIDE, some.shape[2] * STRIDE))
        images = inputs["images"]
        optimizer = getattr(self, "optimizer", None) if training else None
        step = None if optimizer is None else optimizer.iterations
        size = (images.shape[1], images.shape[2])
        true_size, features = inputs.get("true_size"), outputs.get(FEATURES)

        def again(change: Callable[[Tensor], Tensor]) -> list[Maps]:
            changed = change(self.preprocess(inputs))
            found = self.heads(self.feature_extractor(changed, training=training))
            return [self._maps(found, n) for n in range(self.num_stages)]

        return Frame(size, true_size, images, step, training, features, again)

    def detect(
        self,
        inputs: Inputs,
        outputs: Mapping[str, Tensor] | None = None,
        raw: bool = False,
    ) -> Detections:
        """Returns the detections; see `Detector.detect`.

        `raw` adds nothing: only the boxes of the peaks are decoded.
        """
        if not self.parts.output_maps:
            return super().detect(inputs, outputs, raw)
        features = None
        if outputs is None:
            features = self.extract(inputs)
            outputs = self.predict_maps(features)
        detections = self.decode(inputs, outputs, raw)
        return detections._replace(maps=self._output_maps(inputs, outputs, features))

    def decode(
        self, inputs: Inputs, outputs: Mapping[str, Tensor], raw: bool = False
    ) -> Detections:
        """Returns the detections of raw outputs; see `Detector.detect`."""
        frame = self.frame(inputs, outputs)
        maps = self._maps(outputs, self.num_stages - 1)
        objects = self.parts.objects
        peaks, scores = objects.peaks(objects.scores(maps, frame))
        found = _points(peaks, scores, frame)
        for task in self.parts.tasks:
            found = task.detect(maps, peaks, found, frame)
        if self.parts.nms is not None:
            found = suppress_overlaps(self.parts.nms, found)
        for task in self.parts.tasks:
            found = task.rescore(found)
        return found

    @property
    def predicts_masks_from_boxes(self) -> bool:
        """Whether `masks_from_boxes` can be called."""
        return any(task.predicts_masks_from_boxes for task in self.parts.tasks)

    def masks_from_boxes(
        self,
        inputs: Inputs,
        boxes: Tensor,
        outputs: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Returns masks of boxes that are given, as of `Detections.masks`.

        Args:
            inputs: The images.
            boxes: `[b, n, 4]` normalized to the images without padding.
            outputs: What `call` returned for the images; None to call.

        Returns:
            `[b, n, h, w]` float32: probabilities, of the boxes.

        Raises:
            ValueError: No task makes masks of boxes.
        """
        maker = next((t for t in self.parts.tasks if t.predicts_masks_from_boxes), None)
        if maker is None:
            raise ValueError(
                "no task of this model makes masks of boxes that are given; "
                "deepmac_mask_estimation does"
            )
        if outputs is None:
            outputs = self(inputs, training=False)
        frame = self.frame(inputs, outputs)
        boxes = frame.on_maps(ops.cast(boxes, "float32"))
        return maker.masks_of(self._maps(outputs, self.num_stages - 1), boxes)

    def _output_maps(self, inputs, outputs, features) -> dict[str, Tensor]:
        """Returns what is predicted, by the original's names, stages stacked."""
        stages = [self._maps(outputs, n) for n in range(self.num_stages)]
        maps = {name: ops.stack([s[name] for s in stages]) for name in stages[0]}
        if features is not None:
            maps["extracted_features"] = ops.stack(
                [ops.cast(x, "float32") for x in features]
            )
        return {"preprocessed_inputs": self.preprocess(inputs), **maps}

    def _maps(self, outputs: Mapping[str, Tensor], stage: int) -> Maps:
        names: Sequence[str] = [spec.name for spec in self.heads.specs]
        return {name: outputs[stage_name(name, stage)] for name in names}


def _points(peaks: Peaks, scores: Tensor, frame: Frame) -> Detections:
    """Returns the peaks as detections, their boxes being points."""
    cell = ops.cast(ops.stack([peaks.y, peaks.x] * 2, axis=-1), "float32")
    size = ops.concatenate([frame.real_size] * 2, axis=-1)
    return Detections(
        boxes=ops.clip(cell * STRIDE / size[:, None, :], 0.0, 1.0),
        scores=peaks.scores,
        classes=peaks.classes,
        num=ops.sum(ops.cast(peaks.scores > 0, "int32"), axis=1),
        multiclass_scores=scores,
    )


def suppress_overlaps(nms: NonMaxSuppression, found: Detections) -> Detections:
    """Returns the detections that do not overlap better ones of their class.

    A peak counts for its own class alone, as in the original. All boxes are in the
    frame of the image, so there is no frame to change.
    """
    real = ops.arange(found.scores.shape[1], dtype="int32") < found.num[:, None]
    classes = ops.arange(found.multiclass_scores.shape[-1], dtype="int32")
    own = ops.logical_and(real[..., None], found.classes[..., None] == classes)
    kept = nms(found.boxes, ops.where(own, found.multiclass_scores, 0.0))
    there = ops.arange(nms.max_total, dtype="int32") < kept.num

    def pick(values):
        rows = gather_rows(values, kept.anchors)
        mask = ops.reshape(there, (-1, nms.max_total, *[1] * (len(rows.shape) - 2)))
        return ops.where(mask, rows, ops.zeros_like(rows))

    others = {
        name: pick(values)
        for name, values in found._asdict().items()
        if values is not None and name != "num"
    }
    return found._replace(**others)._replace(
        scores=kept.scores, classes=kept.classes, num=kept.num[:, 0]
    )
