"""Splits: shares of every class, no image in two parts."""

import collections

import numpy as np
import pytest

import tiny_data
from odapi.data.sources import open_source
from odapi.data.split import parse_shares, split_source, stratify
from odapi.errors import DataError

SHARES = [0.8, 0.1, 0.1]


def images_with(labels, parts, part):
    return collections.Counter(
        k for label, p in zip(labels, parts, strict=True) if p == part for k in label
    )


def test_every_class_has_its_share():
    rng = np.random.default_rng(0)
    labels = [set(rng.choice(10, rng.integers(0, 4)).tolist()) for _ in range(1000)]
    parts = stratify(labels, SHARES)
    counts = collections.Counter(parts)
    whole = collections.Counter(k for label in labels for k in label)
    for part, share in enumerate(SHARES):
        assert abs(counts[part] - share * 1000) <= 3
        here = images_with(labels, parts, part)
        for label, count in whole.items():
            assert abs(here[label] - share * count) <= 3


def test_rare_class_reaches_the_small_parts():
    labels = [{0}] * 90 + [{1}] * 10
    parts = stratify(labels, SHARES)
    assert [images_with(labels, parts, p)[1] for p in range(3)] == [8, 1, 1]


def test_many_classes_of_three_images():
    # Looking at one class at a time, all would go to the largest part.
    labels = [{k} for k in range(10) for _ in range(3)]
    counts = collections.Counter(stratify(labels, SHARES))
    assert 22 <= counts[0] <= 26
    assert counts[1] >= 2
    assert counts[2] >= 2


def test_images_without_objects_are_divided_too():
    labels = [set()] * 50 + [{1}] * 50
    parts = stratify(labels, SHARES)
    assert collections.Counter(parts[:50]) == {0: 40, 1: 5, 2: 5}


def test_no_part_is_empty():
    assert sorted(set(stratify([{0}] * 5, SHARES))) == [0, 1, 2]
    assert sorted(stratify([set()] * 3, SHARES)) == [0, 1, 2]
    with pytest.raises(DataError, match="2 images cannot fill 3 parts"):
        stratify([{0}] * 2, SHARES)


def test_seed_decides():
    labels = [{0}] * 100
    assert stratify(labels, SHARES, 1) == stratify(labels, SHARES, 1)
    assert stratify(labels, SHARES, 1) != stratify(labels, SHARES, 2)


def test_copies_of_an_image_stay_together(tmp_path):
    folder = tmp_path
    tiny_data.write_voc(folder)
    for i in range(20):
        same = tiny_data.encoded(seed=i // 4)  # Five images, four times each.
        (folder / "JPEGImages" / f"n{i}.jpg").write_bytes(same)
        (folder / "Annotations" / f"n{i}.xml").write_text(
            tiny_data.voc_xml("c", filename=f"n{i}.jpg")
        )
    source = open_source(f"voc:{folder}")
    parts = split_source(source, {"train": 0.5, "val": 0.5})
    names = {n: {source.image_ids[i] for i in p} for n, p in parts.items()}
    assert sum(len(p) for p in parts.values()) == len(source) == 23
    for first in range(0, 20, 4):
        group = {f"n{first + i}" for i in range(4)}
        assert group <= names["train"] or group <= names["val"]
    # 15 copies among the n, and the image of `a` and `c` are of other seeds.
    kinds = ("same bytes", "same bytes, other objects")
    assert sum(map(source.problems.count, kinds)) >= 15


def test_real_split(shared):
    source = open_source(f"voc:{shared / 'data' / 'bccd'}")
    parts = split_source(source)
    everything = sorted(i for p in parts.values() for i in p)
    assert everything == list(range(364))
    assert [len(p) for p in parts.values()] == pytest.approx([291, 36, 36], abs=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80/10/10", {"train": 0.8, "val": 0.1, "test": 0.1}),
        ("90/10", {"train": 0.9, "val": 0.1}),
    ],
)
def test_shares(text, expected):
    assert parse_shares(text) == expected


@pytest.mark.parametrize("text", ["", "80", "80/10", "80/20/0", "a/b/c", "50/25/20/5"])
def test_shares_that_do_not_sum_to_100(text):
    with pytest.raises(DataError, match="sum to 100"):
        parse_shares(text)
