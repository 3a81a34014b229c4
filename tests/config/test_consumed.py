"""No field of the language is read by nobody: it is used, refused or told about."""

import re

from odapi.config import schema
from odapi.config.reference import messages
from odapi.config.rules import choices, support

# Read by the checks alone, for they change nothing but what is told; the epochs of
# each reader have a row by path.
_BY_CHECKS = {"TrainConfig.fine_tune_checkpoint_version", "InputReader.num_epochs"}


def _reachable():
    """Fields of what is supported, from the root of the config down."""
    refused = {key for key, row in support.ROWS.items() if "." in key}
    waiting, seen = [schema.ROOT], set()
    while waiting:
        message = waiting.pop()
        if message.full_name in seen or message.GetOptions().map_entry:
            continue
        seen.add(message.full_name)
        for field in schema.fields(message).values():
            if schema.key(field) in refused:
                continue
            yield field
            if schema.is_message(field):
                waiting.append(field.message_type)


def test_every_supported_field_is_read_by_the_code(root):
    code = "".join(
        path.read_text("utf-8")
        for path in sorted((root / "src/odapi").rglob("*.py"))
        if "config" not in path.parent.parts and not path.name.endswith("_pb2.py")
    )
    names = set(re.findall(r"[.\"'](\w+)\b", code)) | set(re.findall(r"(\w+)\"", code))
    unread = {schema.key(f) for f in _reachable() if f.name not in names}
    # The builder asks which norm is set, and names the third kind only.
    unread -= {"Hyperparams.batch_norm", "Hyperparams.sync_batch_norm"}
    # Parts of names that the code puts together.
    for start, ends in (("height_", "stride offset"), ("width_", "stride offset")):
        unread -= {
            k for k in unread if k.endswith(tuple(start + e for e in ends.split()))
        }
    assert unread - _BY_CHECKS == set()


def test_extractors_and_metrics_of_the_checks_are_those_that_can_be_built():
    from odapi.backbones.table import (
        CENTER_EXTRACTORS,
        RCNN_EXTRACTORS,
        SSD_EXTRACTORS,
    )

    assert set(choices.EXTRACTORS) == set(SSD_EXTRACTORS)
    assert set(choices.RCNN_EXTRACTORS) == set(RCNN_EXTRACTORS)
    assert set(choices.CENTER_EXTRACTORS) == set(CENTER_EXTRACTORS)


def test_members_of_a_oneof_that_are_not_refused_can_be_built():
    from odapi.build import anchors, augment, losses, postprocess, resizer, targets

    tables = {
        "AnchorGenerator": anchors._GENERATORS,
        "BoxCoder": targets._CODERS,
        "Matcher": targets._MATCHERS,
        "RegionSimilarityCalculator": targets._SIMILARITIES,
        "ClassificationLoss": losses._CLASSIFICATION,
        "LocalizationLoss": losses._LOCALIZATION,
        "CalibrationConfig": postprocess._CALIBRATIONS,
        "ImageResizer": resizer._RESIZERS,
        "PreprocessingStep": augment._STEPS,
    }
    known = {schema.short(m): m for m in messages()}
    for name, table in tables.items():
        supported = {
            field.name
            for field in known[name].fields
            if not support.ROWS.get(schema.key(field), support.Row()).refused
        }
        assert supported <= set(table), name
