"""The data of a config as a dataset of Keras."""

import numpy as np
import pytest

from odapi.build.keras_dataset import build_dataset
from odapi.errors import ConfigError
from small_models import small_config
from tiny_data import write_coco

pytestmark = pytest.mark.backend

_BOXES = {"a": 2, "b": 1, "c": 0}  # Objects of the images of tiny_data.


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return write_coco(tmp_path_factory.mktemp("data"))


@pytest.fixture
def dataset(spec):
    made = []

    def build(split, batch_size, *overrides):
        config = small_config(
            "ssd",
            f"options.train_data={spec}",
            f"options.eval_data={spec}",
            *overrides,
        )
        made.append(build_dataset(config, split, batch_size))
        return made[-1]

    yield build
    for one in made:
        one.close()


def test_training_batches_have_one_shape_and_never_end(dataset):
    batches = dataset("train", 2)
    assert len(batches) == 1  # 3 images: no epoch sees one twice.
    for index in range(4):
        inputs, groundtruth = batches[index]
        assert inputs["images"].shape == (2, 64, 64, 3)
        assert inputs["images"].dtype == np.uint8
        assert groundtruth["boxes"].shape == (2, 100, 4)
        assert {"classes", "valid", "weights"} <= set(groundtruth)
        batches.on_epoch_end()


def test_every_evaluation_is_one_pass_without_fillers(dataset):
    batches = dataset("eval", 2)
    assert len(batches) == 2
    for _ in range(2):
        batches.on_epoch_begin()
        counts = []
        for index in range(len(batches)):
            inputs, groundtruth = batches[index]
            assert len(inputs["images"]) == len(groundtruth["boxes"])
            counts += groundtruth["valid"].sum(axis=1).tolist()
        assert counts == list(_BOXES.values())


def test_all_batches_have_room_for_the_same_number_of_objects(dataset):
    batches = dataset("eval", 1, "train_input_reader.max_number_of_boxes=1")
    shapes = {batches[n][1]["boxes"].shape for n in range(3)}
    assert shapes == {(1, 1, 4)}


def test_images_of_varying_sizes_are_refused(dataset):
    resizer = (
        "model.ssd.image_resizer={ keep_aspect_ratio_resizer "
        "{ min_dimension: 40 max_dimension: 60 } }"
    )
    with pytest.raises(ConfigError, match=r"(?s)varying sizes.*pad_to_max"):
        dataset("train", 2, resizer)


def test_splits_are_named(dataset):
    with pytest.raises(ConfigError, match=r"split: unknown value 'val'.*eval, train"):
        dataset("val", 2)
