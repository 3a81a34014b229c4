"""Images with channels after RGB: files, records, augmentations, resizing, batches."""

import base64
import dataclasses
import io
import json

import cv2
import numpy as np
import pytest

import tiny_data
from odapi.build.dataset import build_eval_dataset, build_train_dataset
from odapi.config.check import find
from odapi.config.load import load_config
from odapi.data.formats.tfrecord_writer import write_tfrecord
from odapi.data.formats.voc_writer import write_voc
from odapi.data.image.channels import encode_channels
from odapi.data.image.decode import decode_image
from odapi.data.image.header import read_header
from odapi.data.image.lazy import LazyImage
from odapi.data.image.resize import FixedShape, KeepAspectRatio
from odapi.data.sample_checks import InvalidSampleError
from odapi.data.sources.open import open_source
from odapi.data.sources.sequence import SequenceSource
from odapi.data.sources.subset import Subset
from odapi.data.sources.tfrecord import open_tfrecord
from odapi.data.tfrecord.records import write_record
from odapi.errors import DataError

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ODAPI_CACHE", str(tmp_path / "cache"))


def noise(height=6, width=8, channels=5, dtype=np.uint8):
    return RNG.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def opencv(image, kind):
    order = [2, 1, 0, *range(3, image.shape[2])]
    return cv2.imencode(kind, image[..., order])[1].tobytes()


def pages(image):
    planes = [np.ascontiguousarray(p) for p in np.moveaxis(image, 2, 0)]
    return cv2.imencodemulti(".tiff", planes)[1].tobytes()


@pytest.mark.parametrize(
    ("encode", "channels"),
    [
        (lambda image: opencv(image, ".png"), 4),
        (lambda image: opencv(image, ".tiff"), 4),
        (pages, 4),
        (pages, 5),
        (npy, 4),
        (npy, 5),
        (encode_channels, 4),
        (encode_channels, 5),
    ],
)
def test_files_have_all_channels(encode, channels):
    image = noise(channels=channels)
    data = encode(image)
    np.testing.assert_array_equal(decode_image(data, channels=channels), image)
    assert read_header(data).stored_size == (6, 8)


def test_of_16_bits_the_higher_byte_is_kept():
    image = noise(channels=4, dtype=np.uint16)
    for data in (opencv(image, ".png"), npy(image)):
        found = decode_image(data, channels=4)
        np.testing.assert_array_equal(found, (image >> 8).astype(np.uint8))


@pytest.mark.parametrize(
    ("data", "channels", "problem"),
    [
        (opencv(noise(channels=3), ".png"), 4, "has 3 channels instead of 4"),
        (opencv(noise(channels=4), ".png"), 5, "has 4 channels instead of 5"),
        (opencv(noise(channels=3), ".jpg"), 4, "has 3 channels instead of 4"),
        (npy(noise(channels=5)), 4, "has 5 channels instead of 4"),
        (npy(noise()[..., 0]), 4, "has 1 channel instead of 4"),
        (npy(np.zeros((4, 4, 4), "f4")), 4, "of type float32"),
        (npy(np.zeros(4, "u1")), 4, r"has the shape \[4\]"),
        (npy(noise())[:-9], 5, "is a damaged NumPy file"),
        (npy(noise())[:20], 5, "is a damaged NumPy file"),
        (b"GIF89a", 4, "cannot be decoded"),
        (b"", 4, "cannot be decoded"),
    ],
)
def test_files_without_all_channels_are_refused(data, channels, problem):
    with pytest.raises(DataError, match=problem):
        decode_image(data, channels=channels)


def test_records_are_decoded_as_by_the_original(shared, tmp_path):
    cases = json.loads(
        (shared / "original_tests" / "tf_example_decoder.json").read_text()
    )["cases"]
    key = "image/additional_channels/encoded"
    (case,) = (c for c in cases if key in c["inputs"])
    decoded = {
        name: [base64.b64decode(v["base64"]) if isinstance(v, dict) else v for v in vs]
        for name, vs in case["inputs"].items()
    }
    with open(tmp_path / "a.record", "wb") as file:
        write_record(file, tiny_data.example(decoded))
    source = open_tfrecord(tmp_path / "a.record")
    assert source[0]["image"].shape == (4, 5, 3)
    source.num_channels = 5
    expected = np.array(case["expected"]["image_additional_channels"])
    for image in (source[0]["image"], Subset(source, [0])[0]["image"]):
        assert image.shape == (4, 5, 5)
        # Of noise, the original's faster inverse transform gives other last bits.
        assert np.abs(image[..., 3:].astype(int) - expected).max() <= 6
    lost = write_voc(source, tmp_path / "voc", [0]).losses
    assert lost.count("additional channels") == 1
    written = write_tfrecord(source, tmp_path / "b.record", [0])
    assert not written.losses
    again = open_tfrecord(written.path)
    again.num_channels = 5
    np.testing.assert_array_equal(again[0]["image"], source[0]["image"])


@pytest.mark.parametrize(
    ("planes", "problem"),
    [
        ([(40, 60)], "has 1 additional channel instead of 2"),
        ([(40, 60), (20, 60)], "additional channel 2 is 20 x 60, the image 40 x 60"),
    ],
)
def test_records_with_other_channels_are_counted(tmp_path, planes, problem):
    features = tiny_data.features_of("a") | {
        "image/additional_channels/encoded": [
            tiny_data.encoded(".png", size) for size in planes
        ]
    }
    with open(tmp_path / "a.record", "wb") as file:
        write_record(file, tiny_data.example(features))
    source = open_tfrecord(tmp_path / "a.record")
    source.num_channels = 5
    with pytest.raises(DataError, match=problem):
        source[0]
    assert source.problems.count("corrupt image") == 1


def test_a_dataset_of_files_is_loaded_in_batches(tmp_path):
    images = {}

    def change(content):
        for row in content["images"]:
            name = row["file_name"] = row["file_name"].replace(".jpg", ".npy")
            images[name] = noise(row["height"], row["width"], 5)
            (tmp_path / "images" / name).write_bytes(npy(images[name]))

    spec = tiny_data.write_coco(tmp_path, change)
    config = load_config(f"""
    model {{ ssd {{ num_classes: 2 image_resizer {{ identity_resizer {{ }} }} }} }}
    train_config {{ batch_size: 1 data_augmentation_options {{
        random_horizontal_flip {{ probability: 1 }} }} data_augmentation_options {{
        random_adjust_brightness {{ }} }} }}
    train_input_reader {{ num_additional_channels: 2 }}
    eval_config {{ batch_size: 1 }}
    [odapi.options] {{ train_data: "{spec}" eval_data: "{spec}" }}
    """)
    with build_eval_dataset(config) as data:
        for batch in data:
            expected = images[f"{'abc'[int(batch.image_ids[0]) - 1]}.npy"]
            np.testing.assert_array_equal(batch.images[0], expected)
    with build_train_dataset(config) as data:
        batch = next(data)
        name = "abc"[int(batch.image_ids[0]) - 1]
        flipped = images[f"{name}.npy"][:, ::-1]
        height, width = flipped.shape[:2]
        found = batch.images[0, :height, :width]
        np.testing.assert_array_equal(found[..., 3:], flipped[..., 3:])
        assert (found[..., :3] != flipped[..., :3]).any()


def test_alpha_is_a_channel_if_the_config_asks_for_it(tmp_path):
    spec = tiny_data.write_coco(tmp_path)
    image = noise(40, 60, 4)
    (tmp_path / "images" / "a.png").write_bytes(opencv(image, ".png"))
    (tmp_path / "images" / "a.jpg").unlink()
    source = open_source(spec)
    np.testing.assert_array_equal(source[0]["image"], image[..., :3])
    source.num_channels = 4
    np.testing.assert_array_equal(source[0]["image"], image)
    with pytest.raises(DataError, match="has 3 channels instead of 4"):
        source[1]


def test_samples_made_in_python_need_the_channels_of_the_config():
    image = noise(channels=4)
    sample = {"image": image, "boxes": np.zeros((0, 4)), "classes": []}
    source = SequenceSource([sample], ["a"])
    with pytest.raises(InvalidSampleError, match=r"must be \[height, width, 3\]"):
        source[0]
    source.num_channels = 4
    np.testing.assert_array_equal(source[0]["image"], image)
    np.testing.assert_array_equal(decode_image(source.encoded(0), channels=4), image)


@dataclasses.dataclass(frozen=True)
class _Halve:
    """A color operation that works on three channels only."""

    def __call__(self, image):
        assert image.shape[2] == 3
        return image // 2

    def then(self, other):
        return None


def test_colors_change_rgb_only_and_padding_is_0():
    image = noise(4, 6)
    lazy = LazyImage.of(image).window(-1, 0, 5, 6, (200, 100, 50)).recolor(_Halve())
    found = lazy.render()
    assert found[0, 0].tolist() == [100, 50, 25, 0, 0]
    np.testing.assert_array_equal(found[1:, :, :3], image[..., :3] // 2)
    np.testing.assert_array_equal(found[1:, :, 3:], image[..., 3:])
    assert LazyImage.of(image).mean() == pytest.approx(image[..., :3].mean((0, 1)))


@pytest.mark.parametrize(
    "resizer",
    [
        FixedShape(9, 7),
        FixedShape(9, 7, method="nearest"),
        FixedShape(9, 7, method="area"),
        FixedShape(9, 7, method="bicubic"),
        KeepAspectRatio(9, 16, pad_to_max=True, pad_value=(5, 6, 7)),
    ],
)
def test_every_channel_is_resized_as_one_of_rgb(resizer):
    image = noise(12, 15)
    found, (height, width) = resizer.resize(image)
    for channel in (3, 4):
        one, _ = resizer.resize(np.repeat(image[..., [channel]], 3, axis=2))
        inside = found[:height, :width, channel].astype(int)
        assert np.abs(inside - one[:height, :width, 0]).max() <= 1
        assert not found[height:, :, channel].any()
    if height < found.shape[0]:
        assert found[-1, -1].tolist() == [5, 6, 7, 0, 0]


@pytest.mark.parametrize(
    ("readers", "path", "problem"),
    [
        ("train_input_reader { num_additional_channels: 1 } "
         "eval_input_reader { num_additional_channels: 2 }",
         "eval_input_reader[0].num_additional_channels", "is 2, but 1 in train"),
        ("train_input_reader { num_additional_channels: 1 } "
         "model { ssd { image_resizer { fixed_shape_resizer { "
         "convert_to_grayscale: true } } } }",
         "model.ssd.image_resizer.fixed_shape_resizer.convert_to_grayscale",
         "cannot be used with train_input_reader.num_additional_channels"),
        ("train_input_reader { num_additional_channels: 1 } "
         "train_config { data_augmentation_options { autoaugment_image { } } }",
         "train_config.data_augmentation_options[0].autoaugment_image",
         "its operations take RGB images"),
        ("train_input_reader { num_additional_channels: -1 }",
         "train_input_reader.num_additional_channels", "is -1; allowed is 0 to 61"),
    ],
)  # fmt: skip
def test_channels_that_contradict_each_other(readers, path, problem):
    found = {f.path: f.problem for f in find(load_config(readers), for_data=False)}
    assert problem in found[path]
