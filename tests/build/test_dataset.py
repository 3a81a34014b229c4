"""Input pipelines from a whole config."""

import json

import cv2
import numpy as np
import pytest
from google.protobuf import text_format

from odapi.build.dataset import build_eval_dataset, build_train_dataset
from odapi.build.dataset_checks import check_eval_source
from odapi.build.keypoint_names import check_keypoint_ids
from odapi.build.loading import build_loading
from odapi.build.source import build_eval_source
from odapi.config.load import load_config
from odapi.config.protos import pipeline_pb2
from odapi.data.formats.tfrecord_writer import write_tfrecord
from odapi.data.loader.pipeline import MergeEqualBoxes
from odapi.data.sources.open import open_source
from odapi.data.sources.sequence import SequenceSource
from odapi.errors import ConfigError, DataError

MODEL = """
model { ssd { num_classes: 2 image_resizer { %s } } }
"""
FIXED = "fixed_shape_resizer { height: 16 width: 24 }"


def write_coco(folder, count, name="set"):
    """Images of 20 x 30, image i of the grey 10 * i, with i % 3 objects."""
    folder.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for i in range(count):
        file = f"{name}{i}.png"
        cv2.imwrite(str(folder / file), np.full((20, 30, 3), 10 * i, "uint8"))
        images.append({"id": i, "file_name": file, "height": 20, "width": 30})
        for j in range(i % 3):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": j + 1,
                    "bbox": [3, 2, 15, 10],
                    "area": 150,
                    "iscrowd": j,
                    "keypoints": [3, 2, 2, 0, 0, 0],
                    "num_keypoints": 1,
                }
            )
    path = folder / "annotations.json"
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content))
    return path


def config_of(text, resizer=FIXED):
    config = pipeline_pb2.TrainEvalPipelineConfig()
    return text_format.Parse(MODEL % resizer + text, config)


@pytest.fixture
def coco(tmp_path):
    return write_coco(tmp_path / "coco", 7)


def test_processes_make_the_batches_of_training_only(coco):
    text = f"""
        train_config {{
            batch_size: 2
            data_augmentation_options {{ ssd_random_crop {{}} }}
        }}
        [odapi.options] {{
            train_data: "coco:{coco}" eval_data: "coco:{coco}"
            data_loading {{ processes: 2 }}
        }}
    """
    batches = []
    for overrides in ("", "[odapi.options] { data_loading { processes: 0 } }"):
        config = config_of(text)
        text_format.Merge(overrides, config)
        with build_train_dataset(config) as dataset:
            batches.append([next(dataset) for _ in range(4)])
        assert build_eval_dataset(config).processes == 0
    for ours, theirs in zip(*batches, strict=True):
        np.testing.assert_array_equal(ours.images, theirs.images)
        np.testing.assert_array_equal(ours.groundtruth.boxes, theirs.groundtruth.boxes)


def test_processes_do_not_sort_pictures_of_many_sizes(coco):
    text = f"""
        train_config {{ batch_size: 2 }}
        [odapi.options] {{ train_data: "coco:{coco}" data_loading {{ processes: 2 }} }}
    """
    with pytest.raises(
        ConfigError, match="processes: is 2, but processes cannot make"
    ) as error:
        build_train_dataset(config_of(text, "identity_resizer {}"))
    assert "size_buckets" in error.value.hint


def options_of(coco, more=""):
    data = f"train_data: 'coco:{coco}' eval_data: 'coco:{coco}'"
    return f"[odapi.options] {{ {data} {more} }}"


def test_training_takes_batch_size_seed_and_augmentations_from_the_config(coco):
    text = """
    train_config {
      batch_size: 3
      data_augmentation_options { random_horizontal_flip { probability: 1 } }
    }
    train_input_reader { max_number_of_boxes: 5 }
    """
    with build_train_dataset(config_of(text + options_of(coco, "seed: 3"))) as data:
        batch = next(data)
        assert data.num_images == 7
        assert data.batch_size == 3
        assert data.order.seed == 3
        assert [c.name for c in data.label_map] == ["a", "b"]
    assert batch.images.shape == (3, 16, 24, 3)
    truth = batch.groundtruth
    assert truth.boxes.shape == (3, 5, 4)
    # x from 3 to 18 of 30, mirrored.
    mirrored = np.float32([0.1, 0.4, 0.6, 0.9])
    np.testing.assert_allclose(truth.boxes[truth.valid][0], mirrored, atol=1e-6)
    assert truth.is_crowd is None
    assert batch.real is None


def test_classes_beyond_those_of_the_model_are_refused(coco):
    config = config_of(options_of(coco))
    config.model.ssd.num_classes = 1
    with pytest.raises(ConfigError, match=r"num_classes: is 1, .* is 2 \(b\)"):
        build_train_dataset(config)


def test_mask_metrics_need_masks(coco):
    text = 'eval_config { metrics_set: "coco_mask_metrics" }'
    with pytest.raises(DataError, match="has no masks, which coco_mask_metrics"):
        config = config_of(text + options_of(coco))
        check_eval_source(config, build_eval_source(config), 0)


def test_keypoints_of_a_task_must_be_in_the_data(tmp_path):
    names = tmp_path / "keypoints.pbtxt"
    keypoints = "".join(f'keypoints {{ id: {n} label: "p{n}" }} ' for n in (0, 2))
    names.write_text(f'item {{ id: 1 name: "a" {keypoints} }}')
    config = config_of("")
    config.model.center_net.keypoint_label_map_path = str(names)
    config.model.center_net.keypoint_estimation_task.add(keypoint_class_name="a")
    check_keypoint_ids(config, 3)
    with pytest.raises(
        ConfigError, match=r"have 2 keypoints, but 'p2' of 'a' has id 2"
    ):
        check_keypoint_ids(config, 2)


def test_arguments_win_over_the_config(coco):
    config = config_of(options_of(coco, "seed: 3"))
    with build_train_dataset(config, batch_size=2, seed=9) as data:
        assert (data.batch_size, data.order.seed) == (2, 9)
        assert len(next(data).image_ids) == 2


def test_evaluation_is_one_pass_without_augmentation_with_fields_for_metrics(coco):
    text = """
    train_config { data_augmentation_options { random_horizontal_flip {} } }
    eval_config { batch_size: 4 }
    eval_input_reader { max_number_of_boxes: 1 shuffle: true }
    """
    with build_eval_dataset(config_of(text + options_of(coco))) as data:
        batches = list(data)
    assert [b.real.sum() for b in batches] == [4, 3]
    assert batches[0].images[:, 0, 0, 0].tolist() == [0, 10, 20, 30]
    truth = batches[0].groundtruth
    # The third image has two objects: there is room for both.
    assert truth.valid.tolist() == [[False] * 2, [True, False], [True] * 2, [False] * 2]
    assert truth.is_crowd[2].tolist() == [False, True]
    assert truth.area[2].tolist() == [150, 150]
    assert not data.problems


def test_every_nth_example_is_evaluated(coco):
    text = "eval_input_reader { sample_1_of_n_examples: 3 }"
    with build_eval_dataset(config_of(text + options_of(coco)), 8) as data:
        (batch,) = list(data)
    assert batch.images[batch.real][:, 0, 0, 0].tolist() == [0, 30, 60]


def test_force_no_resize_keeps_the_size_in_evaluation_only(coco):
    text = "eval_config { force_no_resize: true } train_config { batch_size: 2 }"
    config = config_of(text + options_of(coco))
    with build_eval_dataset(config) as data:
        assert next(iter(data)).images.shape == (1, 20, 30, 3)
    with build_train_dataset(config) as data:
        assert next(data).images.shape == (2, 16, 24, 3)


def test_keypoints_are_loaded_where_asked_for(coco):
    config = config_of("train_input_reader { num_keypoints: 2 }" + options_of(coco))
    config.model.ssd.box_coder.keypoint_box_coder.num_keypoints = 2
    with build_train_dataset(config, 7) as data:
        truth = next(data).groundtruth
    assert truth.keypoints.shape == (7, 100, 2, 2)
    assert np.isnan(truth.keypoints[truth.valid][:, 1]).all()
    assert (truth.keypoint_visibility[truth.valid] == [2, 0]).all()


def test_a_flip_without_the_keypoints_permutation_is_refused(coco):
    text = """
    train_config { data_augmentation_options { random_horizontal_flip {} } }
    train_input_reader { num_keypoints: 2 }
    """
    config = config_of(text + options_of(coco))
    config.model.ssd.box_coder.keypoint_box_coder.num_keypoints = 2
    with pytest.raises(ConfigError, match="keypoint_flip_permutation: has 0 entries"):
        build_train_dataset(config)


def test_equal_boxes_become_one_object_with_several_classes(coco):
    text = "train_config { merge_multiple_label_boxes: true batch_size: 7 }"
    with build_train_dataset(config_of(text + options_of(coco))) as data:
        truth = next(data).groundtruth
    assert truth.valid.sum(axis=1).max() == 1
    assert truth.multiclass_scores.shape == (7, 100, 3)
    assert truth.multiclass_scores[truth.valid].sum(axis=1).max() == 2


@pytest.mark.parametrize("confidences", [False, True])
def test_merged_objects_have_confidences_if_these_are_targets(confidences):
    config = config_of("train_config { merge_multiple_label_boxes: true }")
    config.model.ssd.use_confidences_as_targets = confidences
    loading = build_loading(config, training=True)
    number = config.model.ssd.num_classes
    assert loading.augmentations == (MergeEqualBoxes(number, confidences),)


def test_confidences_of_samples_reach_the_groundtruth():
    sample = {
        "image": np.zeros((20, 30, 3), np.uint8),
        "boxes": np.array([[0, 0, 1, 1], [0, 0, 0.5, 1]], np.float32),
        "classes": np.array([0, 1]),
        "confidences": np.array([1, -1], np.float32),  # Verified to be absent.
    }
    source = SequenceSource([sample], ["a", "b"])
    with build_train_dataset(config_of(""), 1, source=source) as data:
        data.select_fields(("multiclass_scores", "confidences"))
        truth = next(data).groundtruth
    assert truth.confidences[0, :2].tolist() == [1, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("use_multiclass_scores: true", "the reader does not load"),
        (
            "use_multiclass_scores: true } "
            "train_input_reader { load_multiclass_scores: true",
            "does not have",
        ),
    ],
)
def test_scores_that_are_not_there_are_refused(coco, text, message):
    with pytest.raises(ConfigError, match=message):
        build_train_dataset(config_of(f"train_config {{ {text} }}" + options_of(coco)))


@pytest.fixture
def records(tmp_path):
    paths = []
    for name, count in (("few", 3), ("many", 9)):
        source = open_source(f"coco:{write_coco(tmp_path / name, count, name)}")
        path = tmp_path / f"{name}.tfrecord"
        write_tfrecord(source, path, range(count))
        paths.append(path)
    return paths


def reader_of(paths, more=""):
    inputs = " ".join(f"input_path: '{path}'" for path in paths)
    return f"train_input_reader {{ tf_record_input_reader {{ {inputs} }} {more} }}"


def test_datasets_are_mixed_by_their_weights(records):
    text = reader_of(records, "sample_from_datasets_weights: [3, 1]")
    with build_train_dataset(config_of(text), 8) as data:
        batches = [next(data) for _ in range(4)]
        assert data.order.parts == (3, 9)
        first = set(data.source.image_ids[:3])
    ids = [image_id for batch in batches for image_id in batch.image_ids]
    assert sum(image_id in first for image_id in ids) == 24


@pytest.mark.parametrize(
    ("weights", "message"),
    [("[1]", "has 1 weights for 2 input_path"), ("[0, 0]", "not be all 0")],
)
def test_weights_that_cannot_be_are_refused(records, weights, message):
    text = reader_of(records, f"sample_from_datasets_weights: {weights}")
    with pytest.raises(ConfigError, match=message):
        build_train_dataset(config_of(text))


def test_weights_of_paths_that_share_files_are_refused(records):
    text = reader_of([records[0]] * 2, "sample_from_datasets_weights: [1, 1]")
    with pytest.raises(ConfigError, match="do not share files"):
        build_train_dataset(config_of(text))


def test_weights_have_no_place_beside_a_spec(records, coco):
    text = reader_of(records, "sample_from_datasets_weights: [1, 1]")
    with pytest.raises(ConfigError, match="has no effect on 'coco:"):
        build_train_dataset(config_of(text + options_of(coco)))


def test_the_recipe_of_the_baseline_reads_its_data(shared):
    data = shared / "data" / "bccd"
    config = load_config(
        shared / "configs" / "baseline" / "bccd_fpnlite_320.config",
        [
            f"options.train_data='voc:{data}?split=train'",
            f"options.eval_data='voc:{data}?split=test'",
        ],
    )
    with build_train_dataset(config, 4) as train:
        batch = next(train)
    assert batch.images.shape == (4, 320, 320, 3)
    assert batch.groundtruth.valid.any(axis=1).all()
    with build_eval_dataset(config, 8) as test:
        assert sum(int(b.real.sum()) for b in test) == 72
