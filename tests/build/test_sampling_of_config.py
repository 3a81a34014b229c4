"""`options.sampling`: training images, repeat factors, class weights, one class."""

import numpy as np
import pytest

import tiny_data
from odapi.build.dataset import build_train_dataset
from odapi.build.sampling import sampling_lines
from odapi.build.source import build_eval_source, build_train_source
from odapi.config.check import find
from odapi.config.load import load_config, options
from odapi.errors import ConfigError
from odapi.training.epochs import steps_of
from odapi.training.given_data import GivenData
from odapi.training.resume import differences, same_data


def config(spec, sampling, num_classes=2, train="", more=""):
    return load_config(f"""
    model {{ ssd {{ num_classes: {num_classes} image_resizer {{
        fixed_shape_resizer {{ height: 8 width: 8 }} }} }} }}
    train_config {{ batch_size: 3 {train} }}
    [odapi.options] {{
        train_data: "{spec}" eval_data: "{spec}" sampling {{ {sampling} }} {more}
    }}
    """)


def test_rare_classes_are_repeated(tmp_path):
    spec = tiny_data.write_coco(tmp_path)  # {cat, dog}, {dog}, {}
    given = config(spec, "repeat_factor_threshold: 1")
    with build_train_dataset(given) as data:
        # f = 1/3 and 2/3 of the images.
        assert data.order.repeats == pytest.approx((3**0.5, 1.5**0.5, 1))
        lines = sampling_lines(given, data.source, data.order.repeats)
    assert lines == [
        "Repeat-factor sampling: 2 images of 3 repeated, up to 1.73 times per epoch of "
        "4 samples"
    ]
    with build_train_dataset(config(spec, "repeat_factor_threshold: 0.1")) as data:
        assert data.order.repeats == ()


@pytest.mark.parametrize("processes", [0, 1])
def test_repeated_images_resume_exactly(tmp_path, processes):
    spec = tiny_data.write_coco(tmp_path)
    loading = f"data_loading {{ processes: {processes} size_buckets: 0 }}"
    given = config(spec, "repeat_factor_threshold: 1", more=loading)
    with build_train_dataset(given) as data:
        ids = [next(data).image_ids for _ in range(2)]
        state = data.get_state()
        ids += [next(data).image_ids for _ in range(4)]
    with build_train_dataset(given) as data:
        data.set_state(state)
        assert [next(data).image_ids for _ in range(4)] == ids[2:]


def test_a_fraction_is_the_training_data_of_all_commands(tmp_path):
    spec = tiny_data.write_coco(tmp_path)
    given = config(spec, "fraction: 0.67")
    source = build_train_source(given)
    assert len(source) == 2
    assert len(build_eval_source(given)) == 3
    assert sampling_lines(given, source, ()) == [
        "Training on 2 of 3 images (options.sampling.fraction 0.67)"
    ]
    assert steps_of(3, None, given, GivenData()) == 2


def test_a_fraction_of_samples_and_their_merged_classes():
    sample = {
        "image": np.zeros((8, 8, 3), np.uint8),
        "boxes": np.array([[0, 0, 1, 1]], np.float32),
        "classes": np.array([1], np.int32),
    }
    given = config("coco:x", "fraction: 0.5 single_class: true", num_classes=1)
    data = GivenData([sample] * 4, [sample] * 3, ["cat", "dog"])
    source = data.train_source(given)
    assert (len(source), source[0]["classes"].tolist()) == (2, [0])
    evaluated = data.eval_source(given, source.label_map)
    assert (len(evaluated), evaluated[0]["classes"].tolist()) == (3, [0])
    resumed = data.train_source(given, run_classes=source.label_map)
    assert resumed.label_map == source.label_map


def test_a_mixture_counts_the_fraction_of_each_file(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    paths = [tiny_data.write_tfrecord(f).partition(":")[2] for f in (one, two)]
    given = load_config(f"""
    model {{ ssd {{ num_classes: 2 image_resizer {{
        fixed_shape_resizer {{ height: 8 width: 8 }} }} }} }}
    train_input_reader {{
        tf_record_input_reader {{ input_path: {paths} }}
        sample_from_datasets_weights: [3, 1]
    }}
    [odapi.options] {{ sampling {{ fraction: 0.67 repeat_factor_threshold: 1 }} }}
    """)
    with build_train_dataset(given, batch_size=1) as data:
        chosen = data.source.indices
        first = sum(index < 3 for index in chosen)
        assert data.order.parts == (first, 4 - first)
        assert len(data.order.repeats) == 4


def test_weights_of_classes_reach_the_groundtruth(tmp_path):
    spec = tiny_data.write_coco(tmp_path)
    weights = 'class_weights { name: "cat" weight: 2.5 }'
    with build_train_dataset(config(spec, weights)) as data:
        batch = next(data)
    truth = batch.groundtruth
    of_cat = truth.valid & (truth.classes == 0)
    assert truth.weights[of_cat].tolist() == [2.5]
    assert truth.weights[truth.valid & ~of_cat].tolist() == [1, 1]


def test_a_weight_of_an_unknown_class_is_an_error(tmp_path):
    spec = tiny_data.write_coco(tmp_path)
    given = config(spec, 'class_weights { name: "dog" } class_weights { name: "cta" }')
    with pytest.raises(ConfigError, match=r"'cta' is not in .* has cat, dog") as found:
        build_train_dataset(given)
    assert found.value.place == "options.sampling.class_weights[1].name"
    assert "'cat'" in found.value.hint


def test_one_class_in_training_and_evaluation(tmp_path):
    spec = tiny_data.write_coco(tmp_path)
    given = config(spec, "single_class: true", num_classes=1)
    with build_train_dataset(given) as data:
        label_map = data.label_map
        assert [c.name for c in label_map] == ["object"]
        assert (next(data).groundtruth.classes == 0).all()
    # The classes of the run, when it is resumed or evaluated.
    for source in (
        build_train_source(given, label_map),
        build_eval_source(given, label_map=label_map),
        build_eval_source(given),
    ):
        assert [c.name for c in source.label_map] == ["object"]
        assert source[0]["classes"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("sampling", "train", "path", "problem"),
    [
        ("fraction: 0", "", "fraction", "allowed is above 0 to 1"),
        ("fraction: 1.5", "", "fraction", "allowed is above 0 to 1"),
        ("repeat_factor_threshold: 2", "", "repeat_factor_threshold", "is 2"),
        ("class_weights { weight: 2 }", "", "class_weights[0].name", "is missing"),
        ('class_weights { name: "a" weight: -1 }', "", "class_weights[0].weight",
         "allowed is 0 or more"),
        ('class_weights { name: "a" } class_weights { name: "a" }', "",
         "class_weights[1].name", "'a' appears twice"),
        ('class_weights { name: "a" }', "merge_multiple_label_boxes: true",
         "class_weights", "merged objects have several classes"),
        ("single_class: true", "", "single_class", "model.ssd.num_classes is 2"),
        ("single_class: true", "use_multiclass_scores: true", "single_class",
         "use_multiclass_scores: there is one class"),
    ],
)  # fmt: skip
def test_options_that_are_refused(sampling, train, path, problem):
    found = find(config("coco:x.json", sampling, train=train))
    errors = [f for f in found if f.is_error and f.path == f"options.sampling.{path}"]
    assert problem in " ".join(f.problem for f in errors)


def test_other_sampling_starts_the_data_of_a_run_from_the_beginning(tmp_path):
    old, new = config("coco:x", "fraction: 0.5"), config("coco:x", "fraction: 0.25")
    assert not same_data(differences(old, new))
    options(new).sampling.fraction = 0.5
    assert same_data(differences(old, new))
