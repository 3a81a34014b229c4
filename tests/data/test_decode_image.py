"""Decoding, held against Pillow."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

import tiny_data
from odapi.data.image.decode import apply_orientation, decode_image
from odapi.data.image.header import Header, read_header
from odapi.errors import DataError

PIXELS = tiny_data.pixels(48, 64)
PICTURE = Image.fromarray(PIXELS)
ALPHA = Image.fromarray(np.dstack([PIXELS, PIXELS[..., 0]]))
SIXTEEN = PIXELS[..., 0].astype(np.uint16) * 256 + 7


def file_of(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def frames():
    second = Image.fromarray(255 - PIXELS).quantize(16)
    return file_of(PICTURE.quantize(16), "GIF", save_all=True, append_images=[second])


FILES = {
    "jpeg": (file_of(PICTURE, "JPEG", quality=90), "jpeg"),
    "jpeg progressive": (file_of(PICTURE, "JPEG", progressive=True), "jpeg"),
    "jpeg gray": (file_of(PICTURE.convert("L"), "JPEG"), "jpeg"),
    "jpeg cmyk": (file_of(PICTURE.convert("CMYK"), "JPEG"), "jpeg"),
    "png": (file_of(PICTURE, "PNG"), "png"),
    "png palette": (file_of(PICTURE.quantize(16), "PNG"), "png"),
    "png one bit": (file_of(PICTURE.convert("1"), "PNG"), "png"),
    "png gray": (file_of(PICTURE.convert("L"), "PNG"), "png"),
    "png gray and alpha": (file_of(PICTURE.convert("LA"), "PNG"), "png"),
    "png alpha": (file_of(ALPHA, "PNG"), "png"),
    "bmp": (file_of(PICTURE, "BMP"), "bmp"),
    "bmp gray": (file_of(PICTURE.convert("L"), "BMP"), "bmp"),
    "webp": (file_of(PICTURE, "WEBP", lossless=True), "webp"),
    "webp lossy": (file_of(PICTURE, "WEBP", quality=80), "webp"),
    "gif": (file_of(PICTURE.quantize(16), "GIF"), "gif"),
    "gif, first of two frames": (frames(), "gif"),
    "tiff": (file_of(PICTURE, "TIFF"), "tiff"),
}


@pytest.mark.parametrize("name", FILES)
def test_decodes_as_pillow_does(name):
    data, _ = FILES[name]
    image = decode_image(data)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    # CMYK to RGB and lossy WebP round differently by one.
    assert np.abs(image - expected).max() <= (1 if name in LOOSE else 0)


LOOSE = ("jpeg cmyk", "webp lossy")


@pytest.mark.parametrize("name", FILES)
def test_header_tells_format_and_size(name):
    data, kind = FILES[name]
    assert read_header(data) == Header(kind, (48, 64), 1)


def test_sixteen_bits_keep_the_higher_byte():
    data = file_of(Image.fromarray(SIXTEEN), "PNG")
    image = decode_image(data)
    assert (image == (SIXTEEN >> 8)[..., None]).all()


def test_sixteen_bit_color():
    done, data = cv2.imencode(".png", PIXELS.astype(np.uint16)[..., ::-1] * 257)
    assert done
    np.testing.assert_array_equal(decode_image(data.tobytes()), PIXELS)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    data = file_of(PICTURE, kind, exif=exif, **options)
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    header = read_header(data)
    assert header.orientation == orientation
    assert header.stored_size == (48, 64)
    assert header.shown_size == turned.size[::-1]
    np.testing.assert_array_equal(decode_image(data), np.asarray(turned))
    stored = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode_image(data, orient=False), stored)


# By hand: the pixel at the top left of [[0, 1], [2, 3]] goes where the tag says.
@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, [[0, 1], [2, 3]]),
        (2, [[1, 0], [3, 2]]),
        (3, [[3, 2], [1, 0]]),
        (4, [[2, 3], [0, 1]]),
        (5, [[0, 2], [1, 3]]),
        (6, [[2, 0], [3, 1]]),
        (7, [[3, 1], [2, 0]]),
        (8, [[1, 3], [0, 2]]),
    ],
)
def test_turn(orientation, expected):
    image = np.array([[0, 1], [2, 3]], np.uint8)
    assert apply_orientation(image, orientation).tolist() == expected


@pytest.mark.parametrize("name", [n for n in FILES if n != "tiff"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
def test_truncated_file_is_refused(name, share):
    data, _ = FILES[name]
    if name.startswith("gif,"):  # Of the second frame nothing is read.
        share *= 0.3
    with pytest.raises(DataError, match=r"image\.jpg"):
        decode_image(data[: int(len(data) * share)], "image.jpg")


def test_truncated_tiff_is_refused():
    data, _ = FILES["tiff"]
    with pytest.raises(DataError):
        decode_image(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\0" * 100, "cannot be read as an image"),
        (b"<!DOCTYPE html><html>404</html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid 1", "git lfs pull"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 50, "damaged JPEG"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "damaged PNG"),
    ],
)
def test_what_is_no_image_is_told(data, message):
    with pytest.raises(DataError, match=message):
        decode_image(data, "x.jpg")


def test_jpeg_without_its_last_rows_is_never_half_grey():
    data, _ = FILES["jpeg"]
    with pytest.raises(DataError, match="Premature end"):
        decode_image(data[:-2])


# Made by cjpeg with these values of -sample; TurboJPEG refuses their headers.
SAMPLINGS = ("2x1_1x2_1x1", "3x1", "4x2_progressive")


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_jpeg_of_unusual_chroma_subsampling_is_decoded(sampling, shared):
    file = shared / f"cases/data/06-valid-jpeg-refused/sampling_{sampling}.jpg"
    data = file.read_bytes()
    image = decode_image(data, notice=pytest.fail)
    assert np.abs(image[28, 35].astype(int) - (220, 30, 30)).max() <= 2
    assert read_header(data) == Header("jpeg", (64, 96), 1)
    expected = np.asarray(Image.open(file)).astype(int)
    assert np.abs(image - expected).max() <= 1
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(DataError, match="damaged JPEG"):
            decode_image(data[: int(len(data) * share)])


def test_jpeg_of_an_unknown_revision_is_decoded():
    data, _ = FILES["jpeg"]
    at = data.index(b"JFIF\0") + 5
    other = data[:at] + b"\x09" + data[at + 1 :]
    np.testing.assert_array_equal(decode_image(other), decode_image(data))


def test_jpeg_of_12_bits_is_refused():
    data, _ = FILES["jpeg"]
    at = data.index(b"\xff\xc0") + 4
    with pytest.raises(DataError, match="precision 12"):
        decode_image(data[:at] + b"\x0c" + data[at + 1 :])


def test_size_0_in_a_header_is_no_size():
    data, _ = FILES["jpeg"]
    at = data.index(b"\xff\xc0") + 5
    assert read_header(data[:at] + b"\0\0" + data[at + 2 :]).stored_size is None
    with pytest.raises(DataError, match="damaged JPEG"):
        decode_image(data[:at] + b"\0\0" + data[at + 2 :])


def test_header_of_any_cut_never_raises():
    for data, _ in FILES.values():
        for end in range(0, min(len(data), 400), 7):
            read_header(data[:end])


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_tiff_is_always_turned(orientation):
    data = file_of(PICTURE, "TIFF", tiffinfo={0x0112: orientation})
    turned = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    np.testing.assert_array_equal(decode_image(data), turned)
    assert read_header(data) == Header("tiff", turned.shape[:2], 1)


def test_one_pixel():
    data = file_of(Image.new("RGB", (1, 1), (10, 20, 30)), "PNG")
    assert decode_image(data).tolist() == [[[10, 20, 30]]]
