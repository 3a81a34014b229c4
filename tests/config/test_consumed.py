"""Every field of the language is read by the code, refused, or reported as unused.

Reads are traced: the builders and a training get views of configs, see
`odapi.config.view.record_reads`.
"""

from google.protobuf import text_format
from keras import ops

import tiny_data
from field_samples import SAMPLES
from odapi.build.metrics import keypoint_edges
from odapi.build.tracker_settings import tracker_settings
from odapi.config import check, schema
from odapi.config.label_map import save_label_map
from odapi.config.load import load_config
from odapi.config.reference import messages
from odapi.config.rules import choices, registry, support
from odapi.config.rules.trackers import SERVICES
from odapi.config.view import record_reads, view
from odapi.labels import label_map_of
from odapi.structures import Detections
from odapi.training import parts
from odapi.training import train as run
from odapi.training.initialize import fine_tune_type
from tiny_detector import TinyDetector
from tiny_samples import train_config
from weightless import build_all, real_configs, remove_weights

# Only checks read them: they change warnings and errors, but no result.
_ONLY_CHECKED = {
    "TrainConfig.fine_tune_checkpoint_version",
    "InputReader.num_epochs",
}
# A message without fields: the builder only asks for the name of the norm.
_ONLY_NAMED = {"Hyperparams.group_norm"}


def _supported():
    """Returns the fields of all that is supported, from the root of the config down."""
    refused = {key for key, row in support.ROWS.items() if "." in key}
    waiting, seen, names = [schema.ROOT], set(), set()
    while waiting:
        message = waiting.pop()
        if message.full_name in seen or message.GetOptions().map_entry:
            continue
        seen.add(message.full_name)
        for field in schema.fields(message).values():
            if schema.key(field) in refused:
                continue
            names.add(schema.key(field))
            if schema.is_map(field):
                field = field.message_type.fields_by_name["value"]
            if schema.is_message(field):
                waiting.append(field.message_type)
    return names


class _OneBox(TinyDetector):
    """A `TinyDetector` whose outputs are decoded, so that its training evaluates."""

    def decode(self, inputs, outputs, raw=False):
        count = ops.shape(outputs["boxes"])[0]
        return Detections(
            boxes=outputs["boxes"][:, None],
            scores=ops.ones((count, 1)),
            classes=ops.zeros((count, 1), "int32"),
            num=ops.ones((count,), "int32"),
        )


def _accepted(shared):
    """Returns real configs without errors; of those that set the same fields, one."""
    by_fields = {}
    for name, config in real_configs(shared).items():
        fields = frozenset(path for path, _, _ in schema.walk(config))
        if name.startswith("small/") or not _errors(config):
            by_fields.setdefault(fields, (name, config))
    return dict(by_fields.values())


def _errors(config):
    return [f for f in check.find(config, for_data=False) if f.is_error]


def _remove_rules(monkeypatch):
    """Leaves the reads of builders and training: no rule reads anything."""
    monkeypatch.setattr(registry, "find", lambda *_: ())
    monkeypatch.setattr(registry, "find_in_message", lambda *_: ())
    monkeypatch.setattr(run, "find", lambda *_: [])


def _read_by_builders(configs, monkeypatch):
    remove_weights(monkeypatch)
    with record_reads() as names:
        for config in configs:
            build_all(view(config))
            keypoint_edges(view(config.eval_config))
    return names


def _read_by_training(tmp_path, monkeypatch):
    """Returns the fields that the training of a small config on files reads."""
    records = tiny_data.write_tfrecord(tmp_path).partition(":")[2]
    label_map = tmp_path / "map.pbtxt"
    save_label_map(label_map_of(tiny_data.NAMES), label_map)
    reader = f"""{{
      label_map_path: "{label_map}"
      tf_record_input_reader {{ input_path: "{records}" }}
    }}"""
    config = train_config(
        "ssd",
        "train_config.optimizer.use_moving_average=true",
        "model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}",
        f"train_input_reader={reader}",
        f"eval_input_reader=[{reader}]",
        "options.sampling.class_weights=[{name: 'cat' weight: 2}]",
    )
    monkeypatch.setattr(run, "load_config", lambda *_: view(config))
    monkeypatch.setattr(
        parts, "build_detector", lambda *_, seed: _OneBox(seed=seed, name="one_box")
    )
    with record_reads() as names:
        run.train(config, tmp_path / "run")
        fine_tune_type(view(config).train_config)
    return names


def _read_by_trackers():
    blocks = [f"options.trackers.{name}={{}}" for name in SERVICES]
    with record_reads() as names:
        tracker_settings(view(load_config("train_config { }", blocks)))
    return names | {f"Trackers.{name}" for name in SERVICES}  # By `getattr`.


def test_fields_are_read_or_reported(shared, tmp_path, monkeypatch):
    configs = _accepted(shared)
    for index, (family, text) in enumerate(SAMPLES):
        sample = load_config(configs[f"small/{family}"])
        configs[index] = text_format.Merge(text, sample)
    _remove_rules(monkeypatch)
    read = _read_by_training(tmp_path, monkeypatch)
    read |= _read_by_builders(configs.values(), monkeypatch)
    read |= _read_by_trackers()
    read.add("TrainEvalPipelineConfig.options")  # An extension, read by `options()`.
    assert _supported() - read == _ONLY_CHECKED | _ONLY_NAMED
    assert read & set(support.ROWS) == set()


def test_extractors_and_metrics_of_the_checks_are_those_that_can_be_built():
    from odapi.backbones.table import (
        CENTER_EXTRACTORS,
        RCNN_EXTRACTORS,
        SSD_EXTRACTORS,
    )

    assert set(choices.EXTRACTORS) == set(SSD_EXTRACTORS)
    assert set(choices.RCNN_EXTRACTORS) == set(RCNN_EXTRACTORS)
    assert set(choices.CENTER_EXTRACTORS) == set(CENTER_EXTRACTORS)


def test_policies_of_the_checks_are_those_that_can_be_built():
    from odapi.data.augment.autoaugment.policies import POLICIES

    assert set(choices.AUTOAUGMENT_POLICIES) == set(POLICIES)


def test_checks_of_datasets_are_those_that_run():
    from odapi.data.set_checks import NAMES

    assert choices.SET_CHECKS == NAMES


def test_members_of_a_oneof_that_are_not_refused_can_be_built():
    from odapi.build import (
        anchors,
        augment,
        losses,
        postprocess,
        resizer,
        targets,
        train_augmentations,
    )

    tables = {
        "AnchorGenerator": anchors._GENERATORS,
        "BoxCoder": targets._CODERS,
        "Matcher": targets._MATCHERS,
        "RegionSimilarityCalculator": targets._SIMILARITIES,
        "ClassificationLoss": losses._CLASSIFICATION,
        "LocalizationLoss": losses._LOCALIZATION,
        "CalibrationConfig": postprocess._CALIBRATIONS,
        "ImageResizer": resizer._RESIZERS,
        "PreprocessingStep": augment.STEPS,
        "Augmentation": train_augmentations.AUGMENTATIONS | {"close_after": None},
    }
    known = {schema.short(m): m for m in messages()}
    for name, table in tables.items():
        supported = {
            field.name
            for field in known[name].fields
            if not support.ROWS.get(schema.key(field), support.Row()).refused
        }
        assert supported <= set(table), name
