"""Pipelines of several processes: together they are that of one."""

import itertools

import numpy as np
import pytest

from odapi.build.dataset import build_eval_dataset, build_train_dataset
from odapi.config.load import load_config
from odapi.data.loader.sharded import evaluation_share, training_share
from odapi.training.given_data import GivenData
from tiny_samples import CLASSES, make_samples, train_config

CONFIG = train_config(
    "ssd",
    "model.ssd.image_resizer.fixed_shape_resizer={height: 16 width: 16}",
    "train_config.batch_size=4",
    "eval_config.batch_size=2",
)


@pytest.fixture
def pipelines():
    data = GivenData(make_samples(7), make_samples(7), CLASSES)
    train = build_train_dataset(CONFIG, source=data.train_source(CONFIG))
    label_map = train.label_map
    source = data.eval_source(CONFIG, label_map)
    evaluation = build_eval_dataset(CONFIG, label_map=label_map, source=source)
    yield train, evaluation
    train.close()


def test_rows_of_two_processes_are_the_batches_of_one(pipelines):
    whole, shares = pipelines[0], [training_share(pipelines[0], i, 2) for i in range(2)]
    for batch in itertools.islice(whole, 4):
        parts = [next(share) for share in shares]
        assert batch.image_ids == parts[0].image_ids + parts[1].image_ids
        together = np.concatenate([part.images for part in parts])
        np.testing.assert_array_equal(batch.images, together)
    # A position of two processes is one of a single process, and the reverse.
    state = whole.get_state()
    assert [share.get_state() for share in shares] == [state] * 2
    expected = next(whole).image_ids
    for share in shares:
        share.set_state(state)
    first, second = (next(share).image_ids for share in shares)
    assert first + second == expected
    for share in shares:
        share.close()


@pytest.mark.parametrize("has_one_size", [True, False])
def test_rows_are_those_of_one_process_also_with_unreadable_images(
    tmp_path, has_one_size
):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    samples = make_samples(7)
    for index in (1, 2, 5):
        samples[index]["image"] = str(tmp_path / "broken.jpg")
    config = CONFIG
    if not has_one_size:
        sizes = "keep_aspect_ratio_resizer {min_dimension: 16 max_dimension: 16}"
        resizer = f"model.ssd.image_resizer={{{sizes}}}"
        config = load_config(CONFIG, [resizer, "options.data_loading.size_buckets=0"])
    source = GivenData(samples, None, CLASSES).train_source(config)
    with build_train_dataset(config, source=source) as whole:
        assert whole.has_one_size == has_one_size
        batches = list(itertools.islice(whole, 6))
        state = whole.get_state()
        shares = [training_share(whole, i, 2) for i in range(2)]
    for batch in batches:
        parts = [next(share) for share in shares]
        assert batch.image_ids == parts[0].image_ids + parts[1].image_ids
        together = np.concatenate([part.images for part in parts])
        np.testing.assert_array_equal(batch.images, together)
    assert [share.get_state() for share in shares] == [state] * 2
    for share in shares:
        share.close()


def test_every_image_is_evaluated_by_one_process(pipelines):
    shares = [evaluation_share(pipelines[1], i, 2) for i in range(2)]
    ids = [[tuple(np.array(b.image_ids)[b.real]) for b in share] for share in shares]
    whole = [tuple(np.array(b.image_ids)[b.real]) for b in pipelines[1]]
    assert ids == [whole[0::2], whole[1::2]]
    assert [share.num_batches for share in shares] == [2, 2]
