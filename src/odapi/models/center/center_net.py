"""CenterNet: objects as peaks of a heatmap, with tasks for their other fields."""

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

FEATURES = "features"  # Key of the last feature map in the outputs.


@dataclasses.dataclass(frozen=True)
class CenterParts:
    """Parts of a CenterNet without weights of the detector itself.

    Args:
        pixels: Pixel normalization of the extractor.
        objects: Heatmap of the object centers.
        tasks: Further tasks, that of the boxes first.
        nms: Non-maximum suppression (NMS) of overlapping objects; None: all peaks are
            objects.
        output_maps: Whether exported models also return the outputs of the heads.
    """

    pixels: PixelScaling
    objects: ObjectCenters
    tasks: tuple[Task, ...] = ()
    nms: NonMaxSuppression | None = None
    output_maps: bool = False

    def __post_init__(self):
        names = [head.name for task in self.all_tasks for head in task.heads]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"two tasks predict {', '.join(repeated)}")

    @property
    def all_tasks(self) -> tuple[ObjectCenters | Task, ...]:
        """The object heatmap and all tasks: everything with heads and losses."""
        return (self.objects, *self.tasks)


@keras.saving.register_keras_serializable(PACKAGE)
class CenterNet(Detector):
    """Detector with an extractor of one or more stages, and heads on each stage.

    Args:
        feature_extractor: Layer from normalized images to a list of maps of stride 4,
            one per stage; an image classifier can fill its `backbone`.
        parts: Parts without weights.
        hyperparams: Seed and dtype policy of the heads.
        use_depthwise: Separable convolutions in the heads.
        kwargs: As for `Detector`, without the arguments that the parts determine.

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
        tasks = parts.all_tasks
        super().__init__(
            num_classes=parts.objects.num_classes,
            max_detections=(
                parts.nms.max_total if parts.nms else parts.objects.max_detections
            ),
            loss_names=tuple(n for task in tasks for n in task.loss_names),
            **kwargs,
        )
        self.feature_extractor = feature_extractor
        self.heads = CenterHeads(
            [head for task in tasks for head in task.heads],
            hyperparams or Hyperparams(),
            use_depthwise,
            name="heads",
            dtype=(hyperparams or Hyperparams()).dtype,
        )
        self.task_layers = [layer for task in parts.tasks for layer in task.layers]
        self.parts = parts
        self.num_stages = 0
        fields = [f for task in tasks for f in task.groundtruth_fields]
        self.groundtruth_fields = tuple(dict.fromkeys(fields))

    def build_heads(self, shapes: Sequence[tuple]) -> None:
        """Creates the variables of the heads, for the shapes of the stages' maps."""
        self.heads.build(shapes)
        self.num_stages = len(shapes)

    def call(self, inputs: Inputs, training: bool = False) -> dict[str, Tensor]:
        """Returns the output maps `[b, h, w, channels]`, as in "box/scale/0"."""
        return self.predict_maps(self.extract(inputs, training))

    def predict_maps(
        self, features: list[Tensor], training: bool = False
    ) -> dict[str, Tensor]:
        """Returns the outputs of the heads for the feature maps of all stages."""
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
        losses: dict[str, Tensor] = {}
        for task in self.parts.all_tasks:
            losses |= task.losses(stages, truth, frame)
        return losses

    def frame(
        self,
        inputs: Inputs | None,
        outputs: Mapping[str, Tensor],
        training: bool = False,
    ) -> Frame:
        """Returns the frame of the tasks: images, sizes and training step."""
        if inputs is None:
            output = next(iter(outputs.values()))
            return Frame((output.shape[1] * STRIDE, output.shape[2] * STRIDE))
        images = inputs["images"]
        optimizer = getattr(self, "optimizer", None) if training else None
        step = None if optimizer is None else optimizer.iterations
        size = (images.shape[1], images.shape[2])
        true_size, features = inputs.get("true_size"), outputs.get(FEATURES)

        def rerun(transform: Callable[[Tensor], Tensor]) -> list[Maps]:
            images = transform(self.preprocess(inputs))
            maps = self.heads(self.feature_extractor(images, training=training))
            return [self._maps(maps, n) for n in range(self.num_stages)]

        return Frame(size, true_size, images, step, training, features, rerun)

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
        detections = _points(peaks, scores, frame)
        for task in self.parts.tasks:
            detections = task.detect(maps, peaks, detections, frame)
        if self.parts.nms is not None:
            detections = suppress_overlaps(self.parts.nms, detections)
        for task in self.parts.tasks:
            detections = task.rescore(detections)
        return detections

    @property
    def predicts_masks_from_boxes(self) -> bool:
        """True if a task implements `masks_from_boxes`."""
        return any(task.predicts_masks_from_boxes for task in self.parts.tasks)

    def masks_from_boxes(
        self,
        inputs: Inputs,
        boxes: Tensor,
        outputs: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """Returns masks of given boxes, in the form of `Detections.masks`.

        Args:
            inputs: Input dict of the detector.
            boxes: `[b, n, 4]` normalized to the images without padding.
            outputs: Output of `call` for the images; None: it is computed.

        Returns:
            `[b, n, h, w]` float32: probabilities within the boxes.

        Raises:
            ValueError: No task predicts masks from boxes.
        """
        task = next((t for t in self.parts.tasks if t.predicts_masks_from_boxes), None)
        if task is None:
            raise ValueError(
                "no task of this model predicts masks from boxes; a model with "
                "deepmac_mask_estimation does"
            )
        if outputs is None:
            outputs = self(inputs, training=False)
        frame = self.frame(inputs, outputs)
        boxes = frame.to_map_frame(ops.cast(boxes, "float32"))
        return task.masks_from_boxes(self._maps(outputs, self.num_stages - 1), boxes)

    def _output_maps(self, inputs, outputs, features) -> dict[str, Tensor]:
        """Returns the outputs of the heads by the original's names, stages stacked."""
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
    """Returns the peaks as detections whose boxes are points."""
    cell = ops.cast(ops.stack([peaks.y, peaks.x] * 2, axis=-1), "float32")
    size = ops.concatenate([frame.real_size] * 2, axis=-1)
    return Detections(
        boxes=ops.clip(cell * STRIDE / size[:, None, :], 0.0, 1.0),
        scores=peaks.scores,
        classes=peaks.classes,
        num=ops.sum(ops.cast(peaks.scores > 0, "int32"), axis=1),
        multiclass_scores=scores,
    )


def suppress_overlaps(nms: NonMaxSuppression, detections: Detections) -> Detections:
    """Returns the detections after non-maximum suppression (NMS) per class.

    As in the original, a peak is a candidate of its own class only.
    """
    real = (
        ops.arange(detections.scores.shape[1], dtype="int32") < detections.num[:, None]
    )
    classes = ops.arange(detections.multiclass_scores.shape[-1], dtype="int32")
    own = ops.logical_and(real[..., None], detections.classes[..., None] == classes)
    kept = nms(detections.boxes, ops.where(own, detections.multiclass_scores, 0.0))
    there = ops.arange(nms.max_total, dtype="int32") < kept.num

    def select(values):
        rows = gather_rows(values, kept.anchors)
        mask = ops.reshape(there, (-1, nms.max_total, *[1] * (len(rows.shape) - 2)))
        return ops.where(mask, rows, ops.zeros_like(rows))

    others = {
        name: select(values)
        for name, values in detections._asdict().items()
        if values is not None and name != "num"
    }
    return detections._replace(**others)._replace(
        scores=kept.scores, classes=kept.classes, num=kept.num[:, 0]
    )
