"""Batches for `fit`, and the facts about them, in the order of steps."""

import itertools

from odapi.training.prefetcher import Prefetcher
from tiny_detector import TinyPipeline


def test_each_step_gets_the_facts_of_its_own_batch_when_fit_reads_ahead():
    prefetcher = Prefetcher(TinyPipeline())
    taken = list(itertools.islice(prefetcher.batches(), 4))
    assert taken[0][0].keys() == {"images", "true_size"}
    assert taken[0][1].keys() == {"boxes", "classes", "valid", "weights"}
    for number in range(4):
        fed = prefetcher.next_done()
        assert fed.image_ids[0] == f"image-{number}-0"
        assert fed.position == {"next": number + 1}


def test_true_size_is_left_out_if_no_image_has_padding():
    pipeline = TinyPipeline()
    pipeline.pads = False
    x, _ = next(Prefetcher(pipeline).batches())
    assert x.keys() == {"images"}
