"""Images that claim too many pixels, and image names that are no files."""

import os
import socket
import struct

import pytest

import tiny_data
from odapi.build.source import build_eval_source, build_train_source
from odapi.config.load import load_config
from odapi.data.image.decode import decode_image
from odapi.data.mask_encoding import decode_png_mask
from odapi.data.sources.open import open_source
from odapi.data.sources.relabel import relabel
from odapi.data.sources.subset import Subset
from odapi.errors import DataError
from odapi.inference.image_files import read_images
from odapi.labels import label_map_of

HINT = (
    "\n  hint: if it is an image of yours, raise the limit: ODAPI_MAX_MEGAPIXELS=N for "
    "any command, or --set options.data_loading.max_image_megapixels=N for the data of "
    "a config"
)


def claim(suffix, at, layout, *numbers):
    """Returns a small image whose header claims another size."""
    data = bytearray(tiny_data.encoded(suffix))
    if isinstance(at, bytes):
        at = data.index(at) + len(at)
    struct.pack_into(layout, data, at, *numbers)
    return bytes(data)


def gif(width, height):
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(20)


def webp(width, height):
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + bytes(4) + size
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def tiff(order, width, height):
    entries = [
        struct.pack(order + "HHII", t, 4, 1, v)
        for t, v in ((256, width), (257, height))
    ]
    magic = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return magic + struct.pack(order + "IH", 8, 2) + b"".join(entries) + bytes(4)


LARGE = {
    "png": claim(".png", 16, ">II", 30_000, 20_000),
    "jpeg": claim(".jpg", b"\xff\xc0\0\x11\x08", ">HH", 20_000, 30_000),
    "bmp": claim(".bmp", 18, "<ii", 30_000, 20_000),
    "bmp, top down": claim(".bmp", 18, "<ii", 30_000, -20_000),
    "gif": gif(30_000, 20_000),
    "webp": webp(30_000, 20_000),
    "tiff": tiff("<", 30_000, 20_000),
    "tiff, big-endian": tiff(">", 30_000, 20_000),
    "ppm": b"P6 # a comment\n30000 20000 255\n",
    "jp2": claim(".jp2", b"ihdr", ">II", 20_000, 30_000),
    "avif": b"\0\0\0\x18ftypavif"
    + bytes(20)
    + b"ispe"
    + struct.pack(">III", 0, 30_000, 20_000),
}


@pytest.mark.parametrize("kind", LARGE)
def test_an_image_that_claims_too_many_pixels_is_not_decoded(kind):
    with pytest.raises(DataError) as caught:
        decode_image(LARGE[kind], "x")
    expected = "x: has 30000 x 20000 pixels; at most 179 megapixels are decoded"
    assert str(caught.value) == expected + HINT


def test_the_limit_is_179_megapixels(monkeypatch):
    for width, allowed in ((17_900, True), (17_901, False)):
        data = claim(".png", 16, ">II", width, 10_000)
        with pytest.raises(DataError) as caught:
            decode_image(data)
        assert ("damaged PNG" in caught.value.problem) == allowed
    monkeypatch.setenv("ODAPI_MAX_MEGAPIXELS", "180")
    with pytest.raises(DataError, match="damaged PNG"):
        decode_image(data)
    monkeypatch.setenv("ODAPI_MAX_MEGAPIXELS", "1e9")
    with pytest.raises(DataError) as caught:
        decode_image(data)
    assert str(caught.value) == (
        "ODAPI_MAX_MEGAPIXELS: must be a whole number of megapixels, from 1, got '1e9'"
        "\n  hint: the default is 179"
    )


def dataset(tmp_path, name="b.jpg"):
    """Writes three images of which `b` is named otherwise; returns the spec."""

    def change(content):
        content["images"][1]["file_name"] = name

    return tiny_data.write_coco(tmp_path, change)


def test_a_dataset_counts_it_as_corrupt_and_goes_on(tmp_path):
    spec = dataset(tmp_path)
    (tmp_path / "images" / "b.jpg").write_bytes(LARGE["png"])
    source = open_source(spec)
    for read in (source.__getitem__, source.annotations, source.encoded_sample):
        with pytest.raises(DataError, match="has 30000 x 20000 pixels"):
            read(1)
        assert read(0)["image_id"] == "1"
    (problem,) = source.problems
    assert problem.kind == "corrupt image"
    assert problem.first[0] == (
        "2 (b.jpg): has 30000 x 20000 pixels; at most 179 megapixels are decoded"
    )


def test_the_config_sets_the_limit(tmp_path):
    options = "data_loading { max_image_megapixels: 1 }"
    text = "model { ssd { num_classes: 2 } } train_input_reader {} eval_input_reader {}"
    spec = dataset(tmp_path)
    data = f'train_data: "{spec}" eval_data: "{spec}"'
    config = load_config(f"{text} [odapi.options] {{ {data} {options} }}")
    source = build_train_source(config)
    assert build_eval_source(config).max_pixels == source.max_pixels == 1_000_000
    assert Subset(source, [0]).max_pixels == 1_000_000
    assert relabel(source, label_map_of(["dog", "cat"])).max_pixels == 1_000_000
    (tmp_path / "images" / "b.jpg").write_bytes(claim(".png", 16, ">II", 1001, 1000))
    with pytest.raises(DataError, match="at most 1 megapixels are decoded"):
        source[1]


def test_a_mask_of_too_many_pixels_is_refused():
    with pytest.raises(ValueError, match="has 30000 x 20000 pixels"):
        decode_png_mask(LARGE["png"])


@pytest.fixture
def special(tmp_path):
    """A folder with names that are no files."""
    folder = tmp_path / "images"
    folder.mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "zero.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        place = os.getcwd()
        os.chdir(folder)  # Names of sockets are short.
        server.bind("socket.jpg")
        os.chdir(place)
        yield folder


KINDS = {
    "pipe.jpg": "it is a named pipe, not a file",
    "folder.jpg": "it is a folder, not a file",
    "zero.jpg": "it is a device, not a file",
    "socket.jpg": "it is a socket, not a file",
}


@pytest.mark.parametrize("name", KINDS)
def test_an_image_that_is_no_file_is_skipped(name, special, tmp_path):
    source = open_source(dataset(tmp_path, name))
    with pytest.raises(DataError) as caught:
        source[1]
    expected = f"{special / name}: cannot be read: {KINDS[name]}"
    assert str(caught.value) == expected
    assert source.problems.count("corrupt image") == 1
    (found,) = read_images([special / name])
    assert (found.image, found.problem) == (None, KINDS[name])


def test_an_image_of_more_than_2_gigabytes_is_not_read(tmp_path):
    spec = dataset(tmp_path)
    with open(tmp_path / "images" / "b.jpg", "wb") as file:
        file.truncate(1 << 31)
    source = open_source(spec)
    with pytest.raises(DataError, match="cannot be read: it has more than 2 GB"):
        source[1]


@pytest.mark.parametrize("spec", ["coco:{}", "csv:{}", "yolo:{}"])
def test_annotations_in_a_pipe_are_refused(spec, tmp_path):
    suffix = {"coco:{}": "json", "csv:{}": "csv", "yolo:{}": "yaml"}[spec]
    pipe = tmp_path / f"data.{suffix}"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match=r"data\.(json|csv|yaml)"):
        open_source(spec.format(pipe))


def test_a_label_file_in_a_pipe_is_an_unreadable_annotation(tmp_path):
    spec = tiny_data.write_yolo(tmp_path)
    label = next((tmp_path / "labels").rglob("b.txt"))
    label.unlink()
    os.mkfifo(label)
    source = open_source(spec)
    assert source.problems.count("unreadable annotation") == 1
