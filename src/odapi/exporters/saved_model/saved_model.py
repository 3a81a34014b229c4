"""SavedModels that answer as those of the original do."""

import os
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from odapi.config.label_map import load_label_map
from odapi.data.context_features import one_bank
from odapi.data.image.resize import Resizer, fixed_size, may_pad
from odapi.errors import CheckpointError, ConfigError
from odapi.exporters.saved_model import serving
from odapi.exporters.saved_model.freeze import Frozen
from odapi.labels import LabelMap

SERVING = "serving_default"
FOLDER = "saved_model"
_FILE = "saved_model.pb"


def write_saved_model(
    detector: Any,
    resizer: Resizer,
    folder: str | os.PathLike,
    input_type: str = "image_tensor",
    batch_size: int | None = None,
) -> None:
    """Writes a detector as a SavedModel.

    The signature `serving_default` takes `input_type`; one signature more for each
    input type, named after it, shares the same graph and weights, which are constants,
    but for the large ones of large models (see `saved_model/freeze.py`). A model of
    `image_and_boxes_tensor` has that one alone.

    What the detector reads besides images, such as the memory bank of Context R-CNN,
    each signature takes too, by its name.

    Args:
        detector: A built `Detector`; Keras must run on TensorFlow.
        resizer: How images get the size that the detector takes.
        folder: Where to; made if needed.
        input_type: One of `serving.INPUT_TYPES`, or `serving.BOXES`.
        batch_size: Images a call; None: any number.

    Raises:
        ConfigError: No such input type, or not of this model, or the resizer gives
            no fixed size.
    """
    import tensorflow as tf

    serving.check_input_type(input_type)
    if input_type == serving.BOXES:
        _write_with_boxes(detector, resizer, folder, batch_size)
        return
    core = Frozen(_core(detector, resizer, batch_size))
    side = serving.side_specs(detector, batch_size)
    functions = {
        kind: _serving_function(core, kind, resizer, batch_size, side)
        for kind in serving.INPUT_TYPES
    }
    module = tf.Module()
    module.variables_of_core = core.variables
    # `tf.saved_model.load(folder)(images)`, as tutorials of the original do.
    module.__call__ = functions[input_type]
    signatures = {
        name: function.get_concrete_function()
        for name, function in ({SERVING: functions[input_type]} | functions).items()
    }
    _save(module, folder, signatures)


def _write_with_boxes(
    detector: Any, resizer: Resizer, folder: str | os.PathLike, batch_size: int | None
) -> None:
    import tensorflow as tf

    if not getattr(detector, "predicts_masks_from_boxes", False):
        raise ConfigError(
            "input_type",
            f"{serving.BOXES} needs a model that makes masks of boxes that are given",
            hint="models with deepmac_mask_estimation do",
        )
    core = Frozen(_core(detector, resizer, batch_size, with_boxes=True))

    def serve(input_tensor: Any, boxes: Any) -> dict[str, Any]:
        with tf.device("CPU:0"):
            images, true_size = serving.resize(resizer, input_tensor)
        return core(images=images, true_size=true_size, boxes=boxes)

    specs = [
        serving.input_spec(serving.BOXES, batch_size),
        tf.TensorSpec([batch_size, None, 4], tf.float32, name="boxes"),
    ]
    module = tf.Module()
    module.variables_of_core = core.variables
    module.__call__ = tf.function(serve, autograph=False, input_signature=specs)
    concrete = module.__call__.get_concrete_function()
    _save(module, folder, dict.fromkeys((SERVING, serving.BOXES), concrete))


def _save(
    module: Any, folder: str | os.PathLike, signatures: dict[str, Callable]
) -> None:
    import tensorflow as tf

    # Gradients that layers define, such as that of swish, cannot be written: they
    # refer to tensors of the unfrozen graph. Nobody trains an exported model.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), signatures=signatures, options=options)


def _core(
    detector: Any, resizer: Resizer, batch_size: int | None, with_boxes: bool = False
) -> Any:
    """Returns the concrete function from resized images to named outputs."""
    import tensorflow as tf

    size = fixed_size(resizer)
    if size is None:
        raise ConfigError(
            "model.image_resizer",
            "gives pictures of varying sizes; an exported model needs one size",
            hint="set pad_to_max_dimension of a keep_aspect_ratio_resizer, or take a "
            "fixed_shape_resizer: --set model...image_resizer...",
        )
    channels = 1 if resizer.grayscale else 3  # type: ignore[attr-defined]
    pads = may_pad(resizer)

    side = serving.side_specs(detector, batch_size)

    def detect(
        images: Any, true_size: Any, boxes: Any = None, **side: Any
    ) -> dict[str, Any]:
        # Without padding there is nothing to mask or to clip.
        inputs = {"images": images} | ({"true_size": true_size} if pads else {}) | side
        if boxes is not None:
            return serving.with_masks_of(detector, inputs, boxes)
        return serving.outputs(detector.detect(inputs, raw=True))

    return tf.function(detect, autograph=False).get_concrete_function(
        tf.TensorSpec([batch_size, *size, channels], tf.float32, name="images"),
        tf.TensorSpec([batch_size, 2], tf.int32, name="true_size"),
        *([tf.TensorSpec([batch_size, None, 4], name="boxes")] if with_boxes else []),
        **{spec.name: spec for spec in side},
    )


def _serving_function(
    core: Any, kind: str, resizer: Resizer, batch_size: int | None, side: Sequence[Any]
) -> Any:
    import tensorflow as tf

    prepare = serving.prepare(kind, resizer)

    def serve(input_tensor: Any, *besides: Any) -> dict[str, Any]:
        # Decoding and resizing stay on the CPU wherever the rest runs.
        with tf.device("CPU:0"):
            images, true_size = prepare(input_tensor)
        named = {s.name: value for s, value in zip(side, besides, strict=True)}
        return core(images=images, true_size=true_size, **named)

    # autograph=False: the functions are TensorFlow throughout.
    specs = [serving.input_spec(kind, batch_size), *side]
    return tf.function(serve, autograph=False, input_signature=specs)


class SavedModelPredictor:
    """Runs an exported model; needs TensorFlow, and nothing of what trained it.

        predictor = SavedModelPredictor("exported")
        odapi.predict(predictor, "photos/", output="drawn")
        predictor.outputs(image)["detection_boxes"][0]  # [100, 4], best first

    Args:
        folder: What `odapi export` wrote, or its `saved_model`, or the SavedModel
            of another exporter with the same signature.

    Attributes:
        name: The SavedModel, for messages.
        label_map: Names of the classes; without any where no file is beside.
        load_seconds: How long loading took.
        signatures: Its functions, by name.

    Raises:
        CheckpointError: There is no SavedModel, or none with this signature.
    """

    def __init__(self, folder: str | os.PathLike):
        import tensorflow as tf

        path = _saved_model_folder(pathlib.Path(folder))
        self.name = str(path)
        start = time.perf_counter()
        self._model = tf.saved_model.load(self.name)
        self.load_seconds = time.perf_counter() - start
        self.signatures: dict[str, Any] = dict(self._model.signatures)
        if SERVING not in self.signatures:
            names = ", ".join(sorted(self.signatures)) or "none"
            raise CheckpointError(
                self.name, f"no signature {SERVING}; there is {names}"
            )
        self.keypoint_edges: tuple[tuple[int, int], ...] = ()
        self.side_inputs: dict[str, np.ndarray] = {}
        beside = path.parent / "label_map.pbtxt"
        self.label_map = load_label_map(beside) if beside.is_file() else LabelMap(())

    def __call__(self, images: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        """Returns what is found in each image, as every `Predictor` does.

        Args:
            images: uint8 RGB `[h, w, 3]`, of any sizes.

        Returns:
            A dict an image: `boxes [n, 4]` normalised, `classes [n]` from 0,
            `scores [n]`, best first.
        """
        side = self.side_inputs
        found = (self.outputs(image, side) for image in images)
        return [_real({k: v[0] for k, v in of_image.items()}) for of_image in found]

    def attend(self, bank: str | os.PathLike | np.ndarray) -> None:
        """Gives a Context R-CNN one memory bank `[n, d]` for all images.

        Args:
            bank: `[n, d]`, or a .npy file that holds it.

        Raises:
            DataError: It is not what the model takes.
        """
        specs = self.side_specs(self._image_signature())
        shapes = {name: tuple(spec.shape[1:]) for name, spec in specs.items()}
        self.side_inputs = one_bank(bank, shapes)

    def outputs(
        self, images: np.ndarray, side_inputs: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """Returns the outputs by the original's names, with a batch dimension.

        Args:
            images: uint8 RGB `[h, w, 3]`, or `[b, h, w, 3]` of one size. A model
                with a fixed batch size gets them in parts.
            side_inputs: What the model takes besides, by name, a row an image;
                zeros where it is left out: no memory bank.

        Raises:
            CheckpointError: The model takes no images.
        """
        import tensorflow as tf

        images = np.asarray(images, np.uint8)
        images = images[None] if images.ndim == 3 else images
        name = self._image_signature()
        spec = self.spec(name)
        size = spec.shape[0] or len(images)
        parts = []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            filled = _filled(part, size)
            side = {
                key: _filled(np.asarray(value)[start : start + size], size)
                for key, value in (side_inputs or {}).items()
            }
            found = self.run(
                name, tf.cast(tf.constant(filled), spec.dtype), side_inputs=side
            )
            parts.append(
                {k: v[: len(part)] for k, v in found.items() if _a_row_each(k)}
            )
        return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}

    def run(
        self,
        signature: str,
        value: Any,
        boxes: Any = None,
        side_inputs: Mapping[str, Any] | None = None,
    ) -> dict[str, np.ndarray]:
        """Calls a signature with `input_tensor`, and `boxes` if it takes them.

        Of what it takes besides, zeros are what `side_inputs` leaves out.
        """
        import tensorflow as tf

        given = {} if boxes is None else {"boxes": boxes}
        for name, spec in self.side_specs(signature).items():
            rows = [n or s for n, s in zip(spec.shape, value.shape[:1], strict=False)]
            shape = [*rows, *spec.shape[1:]]
            zeros = np.zeros(shape, spec.dtype.as_numpy_dtype)
            given[name] = tf.cast((side_inputs or {}).get(name, zeros), spec.dtype)
        found = self.signatures[signature](input_tensor=value, **given)
        return {name: tensor.numpy() for name, tensor in found.items()}

    def _image_signature(self) -> str:
        for name in (SERVING, "image_tensor", "float_image_tensor"):
            if name in self.signatures and self.spec(name).shape.rank == 4:
                return name
        raise CheckpointError(
            self.name,
            "takes encoded images only",
            hint="export it with --input-type image_tensor, or call "
            "run('serving_default', files)",
        )

    def spec(self, name: str) -> Any:
        """Returns the `tf.TensorSpec` of a signature's `input_tensor`."""
        return self.signatures[name].structured_input_signature[1]["input_tensor"]

    def side_specs(self, name: str) -> dict[str, Any]:
        """Returns the `tf.TensorSpec` of what a signature takes besides, by name."""
        specs = self.signatures[name].structured_input_signature[1]
        return {k: v for k, v in specs.items() if k not in ("input_tensor", "boxes")}


def _filled(rows: np.ndarray, size: int) -> np.ndarray:
    """Returns `size` rows, the last one as often as needed."""
    return np.concatenate([rows, rows[-1:].repeat(size - len(rows), 0)])


def _a_row_each(name: str) -> bool:
    """Whether the rows of an output are those of images, not stages of a CenterNet."""
    return name.startswith(("detection_", "num_", "raw_"))


def _real(outputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns the detections of one image, by our names, without padding."""
    n = int(outputs["num_detections"])
    found = {
        "boxes": outputs["detection_boxes"][:n],
        "classes": outputs["detection_classes"][:n].astype(np.int32) - 1,
        "scores": outputs["detection_scores"][:n],
    }
    if "detection_masks" in outputs:
        found["box_masks"] = outputs["detection_masks"][:n]
    for key in ("keypoints", "keypoint_scores", "keypoint_depths"):
        if f"detection_{key}" in outputs:
            found[key] = outputs[f"detection_{key}"][:n]
    return found


def _saved_model_folder(folder: pathlib.Path) -> pathlib.Path:
    for candidate in (folder, folder / FOLDER):
        if (candidate / _FILE).is_file():
            return candidate
    there = "has" if folder.is_dir() else "does not exist;"
    raise CheckpointError(
        str(folder),
        f"{there} no {_FILE}",
        hint=f"make one: odapi export {folder} exported",
    )
