"""Input pipelines: mixtures of files, processes, multiclass scores."""

from collections.abc import Iterator
from typing import Any

from odapi.config.findings import Finding, error
from odapi.config.load import options
from odapi.config.readers import all_readers
from odapi.config.rules.choices import HEALTH_CHECKS, SET_CHECKS
from odapi.errors import did_you_mean

_TO_GRAY = "convert_to_grayscale"


def find_scores(config: Any) -> Iterator[Finding]:
    """Yields multiclass scores that are not loaded or contradict another option."""
    train, reader = config.train_config, config.train_input_reader
    if train.use_multiclass_scores and not reader.load_multiclass_scores:
        yield error(
            "train_config.use_multiclass_scores",
            "needs scores, which the reader does not load",
            "--set train_input_reader.load_multiclass_scores=true",
        )
    if train.use_multiclass_scores and train.merge_multiple_label_boxes:
        yield error(
            "train_config.merge_multiple_label_boxes",
            "cannot be used with use_multiclass_scores: both define the classes of an "
            "object",
        )


def find_mixture(config: Any) -> Iterator[Finding]:
    """Yields weights of input paths that do not match the paths."""
    reader, spec = config.train_input_reader, options(config).train_data
    weights = reader.sample_from_datasets_weights
    path = "train_input_reader.sample_from_datasets_weights"
    if not weights:
        return
    paths = len(reader.tf_record_input_reader.input_path)
    if spec:
        yield error(path, f"has no effect on {spec!r}", "remove it")
    elif len(weights) != paths:
        yield error(path, f"has {len(weights)} weights for {paths} input_path")
    elif not any(weights):
        yield error(path, "must not be all 0")


def find_allowed_checks(config: Any) -> Iterator[Finding]:
    """Yields names in `allow` that are no checks of datasets or of the training."""
    ours = options(config)
    for path, allow, known in (
        ("options.data_loading.allow", ours.data_loading.allow, SET_CHECKS),
        ("options.health.allow", ours.health.allow, HEALTH_CHECKS),
    ):
        for index, name in enumerate(allow):
            if name not in known:
                yield error(
                    f"{path}[{index}]",
                    f"unknown value {name!r}; known values are {', '.join(known)}",
                    did_you_mean(name, known),
                )


def find_sampling(config: Any) -> Iterator[Finding]:
    """Yields sampling options that contradict each other or the model."""
    sampling, train = options(config).sampling, config.train_config
    path = "options.sampling.class_weights"
    seen: set[str] = set()
    for index, row in enumerate(sampling.class_weights):
        if row.name in seen:
            yield error(f"{path}[{index}].name", f"{row.name!r} appears twice")
        seen.add(row.name)
    if seen and train.merge_multiple_label_boxes:
        yield error(
            path,
            "cannot be used with train_config.merge_multiple_label_boxes: merged "
            "objects have several classes",
        )
    if sampling.single_class:
        yield from _find_single_class(config)


def _find_single_class(config: Any) -> Iterator[Finding]:
    path = "options.sampling.single_class"
    model = config.model.WhichOneof("model")
    num_classes = getattr(getattr(config.model, model or "", None), "num_classes", 1)
    if num_classes > 1:
        yield error(
            path,
            f"needs a model of one class, but model.{model}.num_classes is "
            f"{num_classes}",
            f"--set model.{model}.num_classes=1",
        )
    refused = "cannot be used with"
    if config.train_config.use_multiclass_scores:
        problem = f"{refused} train_config.use_multiclass_scores: there is one class"
        yield error(path, problem)
    for where, reader in all_readers(config):
        if reader.expand_labels_hierarchy:
            name = f"{where}.expand_labels_hierarchy"
            yield error(path, f"{refused} {name}: objects would be repeated")


def find_channels(config: Any) -> Iterator[Finding]:
    """Yields additional channels that differ between readers, or become gray."""
    number = config.train_input_reader.num_additional_channels
    for path, reader in all_readers(config):
        if reader.num_additional_channels != number:
            yield error(
                f"{path}.num_additional_channels",
                f"is {reader.num_additional_channels}, but {number} in "
                "train_input_reader",
                "set both to the same number",
            )
    steps = config.train_config.data_augmentation_options
    for index, step in enumerate(steps if number else ()):
        if step.WhichOneof("preprocessing_step") == "autoaugment_image":
            yield error(
                f"train_config.data_augmentation_options[{index}].autoaugment_image",
                "cannot be used with train_input_reader.num_additional_channels: its "
                "operations take RGB images",
            )
    model = config.model.WhichOneof("model") or ""
    resizer: Any = getattr(getattr(config.model, model, None), "image_resizer", None)
    kind = resizer.WhichOneof("image_resizer_oneof") if resizer else None
    if kind and number and getattr(getattr(resizer, kind), _TO_GRAY, False):
        yield error(
            f"model.{model}.image_resizer.{kind}.{_TO_GRAY}",
            "cannot be used with train_input_reader.num_additional_channels",
            "for gray images of a single channel, leave num_additional_channels at 0",
        )


def find_processes(config: Any) -> Iterator[Finding]:
    """Yields processes that would make batches of images of many sizes."""
    loading = options(config).data_loading
    model: Any = getattr(config.model, config.model.WhichOneof("model") or "", None)
    resizer: Any = getattr(model, "image_resizer", None)
    kind = resizer.WhichOneof("image_resizer_oneof") if resizer else None
    if not loading.processes or not loading.size_buckets or kind is None:
        return
    pads = resizer.keep_aspect_ratio_resizer.pad_to_max_dimension
    if kind != "fixed_shape_resizer" and not pads:
        yield error(
            "options.data_loading.processes",
            f"is {loading.processes}, but processes cannot make batches of images of "
            f"many sizes, as {kind} gives them",
            "set it to 0, or options.data_loading.size_buckets to 0, which pads to the "
            "largest image of a batch",
        )
