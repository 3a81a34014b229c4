"""Messages about checkpoints that are missing or of another model."""

import numpy as np
import pytest

import tf2_checkpoints as tf2
from odapi.build.detector import build_detector
from odapi.checkpoints.extractors import other_family, other_model
from odapi.checkpoints.restore import restore
from odapi.checkpoints.weights import save_arrays
from odapi.config.load import save_config
from odapi.errors import CheckpointError
from odapi.zoo.checkpoint.reader import Checkpoint
from odapi.zoo.fine_tune import restore_tf2
from odapi.zoo.import_checkpoint import import_checkpoint
from small_models import small_config

OTHER = "model { ssd { feature_extractor { type: 'ssd_resnet50_v1_fpn_keras' } } }"


@pytest.fixture(scope="module")
def detector():
    return build_detector(small_config("fpn"))


@pytest.fixture
def written(tmp_path):
    """Two checkpoints of nothing that fits, of which `checkpoint` names a third."""
    for number in (2, 5):
        key = "model/_feature_extractor/feature_map_generator/convolutions/0/kernel"
        tf2.write(tmp_path / f"ckpt-{number}", {key: np.ones(3, np.float32)})
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "C:\\\\x\\\\ckpt-6"\n')
    return tmp_path


def test_the_checkpoint_taken_instead_of_a_missing_one_is_named(written):
    expected = (
        f"{written}/ckpt-5 (the file 'checkpoint' names ckpt-6, which is missing)"
    )
    assert Checkpoint(written).described == expected
    assert Checkpoint(written / "checkpoint").described == expected
    assert Checkpoint(written / "ckpt-2").described == f"{written}/ckpt-2"
    (written / "checkpoint").write_text('model_checkpoint_path: "ckpt-2"\n')
    assert Checkpoint(written).described == f"{written}/ckpt-2"


def test_a_wrong_prefix_lists_what_is_there(written):
    with pytest.raises(CheckpointError) as caught:
        Checkpoint(written / "ckpt-7")
    assert str(caught.value) == (
        f"{written}/ckpt-7: does not exist, and there is no .index file of that name\n"
        f"  hint: the checkpoints there are {written}/ckpt-2, {written}/ckpt-5"
    )
    with pytest.raises(CheckpointError) as caught:
        Checkpoint(written / "gone" / "ckpt-7")
    assert caught.value.hint == f"the folder '{written}/gone' does not exist either"


def test_another_model_is_named_by_its_extractor(written, detector):
    (written / "pipeline.config").write_text(OTHER)
    here = small_config("fpn").model.ssd.feature_extractor.type
    with pytest.raises(CheckpointError) as caught:
        restore_tf2(detector, str(written / "ckpt-2"), "full")
    assert str(caught.value) == (
        f"{written}/ckpt-2: is a checkpoint of ssd_resnet50_v1_fpn_keras, the config "
        f"builds {here}: none of its weights fits\n  hint: use a checkpoint of that "
        "extractor, or the config of the checkpoint"
    )


def test_a_checkpoint_of_ours_of_another_model(tmp_path, detector):
    save_arrays(tmp_path / "weights.h5", {"other/kernel": np.ones(3, np.float32)})
    (tmp_path / "pipeline.config").write_text(OTHER)
    with pytest.raises(CheckpointError, match="of ssd_resnet50_v1_fpn_keras, the"):
        restore(detector, str(tmp_path), "full")


@pytest.mark.parametrize(
    "there, family",
    [
        (["model/_prediction_head_dict/x"], "a CenterNet"),
        (["model/_box_predictor/y", "model/_feature_extractor/_bifpn_stage/x"],
         "an EfficientDet"),
        (["model/_box_predictor/y"], ""),
        (["feature_extractor/layer_with_weights-0/kernel"], ""),
    ],
)  # fmt: skip
def test_families_by_keys(there, family):
    assert other_family(there, ["model/_box_predictor/x"]) == family


def test_nothing_is_said_of_models_that_are_not_known():
    assert other_model("", "a") == other_model("a", "a") == other_model("a", "") == ""


def test_an_import_with_the_config_of_another_model(written, tmp_path):
    (written / "pipeline.config").write_text(OTHER)

    mine = tmp_path / "mine.config"
    save_config(small_config("fpn"), mine)
    with pytest.raises(
        CheckpointError, match="is a checkpoint of ssd_resnet50_v1_fpn_"
    ):
        import_checkpoint(written / "ckpt-2", tmp_path / "run", config=mine)
