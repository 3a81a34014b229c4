"""Resizing and decoding in the graph are equal to those on the host."""

import io

import numpy as np
import pytest

from odapi.data.image.resize import (
    ConditionalShape,
    FixedShape,
    Identity,
    KeepAspectRatio,
    PadToMultiple,
    fixed_size,
)
from odapi.errors import ConfigError
from odapi.exporters.saved_model import graph_inputs
from requirement import require

tf = require("tensorflow")

RESIZERS = [
    FixedShape(height=30, width=40),
    FixedShape(height=33, width=17, method="nearest"),
    FixedShape(height=31, width=77, method="bicubic"),
    FixedShape(height=11, width=13, method="area"),
    FixedShape(height=30, width=40, grayscale=True),
    KeepAspectRatio(min_dimension=20, max_dimension=33),
    KeepAspectRatio(min_dimension=20, max_dimension=33, pad_to_max=True),
    KeepAspectRatio(min_dimension=40, max_dimension=400),
    KeepAspectRatio(
        min_dimension=20, max_dimension=33, pad_to_max=True, pad_value=(9.0, 8.0, 7.0)
    ),
    ConditionalShape(condition="greater", threshold=31),
    ConditionalShape(condition="smaller", threshold=95),
    ConditionalShape(condition="smaller", threshold=95, method="nearest"),
    ConditionalShape(condition="greater", threshold=31, method="bicubic"),
    ConditionalShape(condition="greater", threshold=31, method="area"),
    Identity(),
    PadToMultiple(multiple=32),
]
SIZES = [(50, 61), (61, 50), (20, 33), (1, 1), (7, 90)]


def random_image(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("resizer", RESIZERS, ids=repr)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_resizing_in_the_graph_equals_the_host(resizer, size):
    image = random_image(*size)
    expected, true = resizer.resize(image.astype(np.float32))
    resized, sizes = graph_inputs.resize(resizer, image[None])
    assert sizes.numpy().tolist() == [list(true)]
    assert resized.dtype == tf.float32
    assert resized.shape == (1, *expected.shape)
    # Additions have another order; TensorFlow reads bicubic weights from a table.
    atol = 0.6 if resizer.method == "bicubic" else 0.02
    np.testing.assert_allclose(resized[0], expected, atol=atol)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_batch_is_resized_like_its_images(dtype):
    resizer = KeepAspectRatio(min_dimension=10, max_dimension=15, pad_to_max=True)
    images = np.stack([random_image(20, 50, seed) for seed in range(3)]).astype(dtype)
    together, sizes = graph_inputs.resize(resizer, images)
    assert sizes.numpy().tolist() == [[6, 15]] * 3
    for image, resized in zip(images, together, strict=True):
        np.testing.assert_array_equal(
            graph_inputs.resize(resizer, image[None])[0][0], resized
        )


# By hand: width 3 to 6 samples at 0, .5, 1, 1.5, 2, and 2.5, clamped to the edge.
def test_bilinear_samples_without_half_pixel_centers():
    image = np.array([[[0.0], [10.0], [40.0]]], np.float32)[None].repeat(3, -1)
    resized, _ = graph_inputs.resize(FixedShape(height=1, width=6), image)
    assert resized[0, 0, :, 0].numpy().tolist() == [0, 5, 10, 25, 40, 40]


@pytest.mark.parametrize(
    ("resizer", "size"),
    [
        (FixedShape(height=30, width=40), (30, 40)),
        (KeepAspectRatio(min_dimension=5, max_dimension=9, pad_to_max=True), (9, 9)),
        (KeepAspectRatio(min_dimension=5, max_dimension=9), None),
        (Identity(), None),
    ],
)
def test_static_size_is_known_at_export(resizer, size):
    assert fixed_size(resizer) == size
    traced = tf.function(
        lambda images: graph_inputs.resize(resizer, images),
        input_signature=[graph_inputs.input_spec("image_tensor")],
    ).get_concrete_function()
    assert tuple(traced.structured_outputs[0].shape[1:3]) == (size or (None, None))


def encoded(image, kind):
    pil = require("PIL.Image")
    buffer = io.BytesIO()
    pil.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def example(data):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
    features = tf.train.Features(feature={"image/encoded": feature})
    return tf.train.Example(features=features).SerializeToString()


@pytest.mark.parametrize("input_type", ["encoded_image_string_tensor", "tf_example"])
def test_image_files_of_different_sizes_form_a_batch(input_type):
    resizer = KeepAspectRatio(min_dimension=20, max_dimension=40, pad_to_max=True)
    images = [random_image(*size) for size in ((50, 61), (20, 33), (7, 90))]
    files = [encoded(i, "PNG") for i in images]
    if input_type == "tf_example":
        files = [example(f) for f in files]
    run = tf.function(
        graph_inputs.prepare(input_type, resizer),
        input_signature=[graph_inputs.input_spec(input_type)],
    )
    resized, sizes = run(tf.constant(files))
    assert resized.shape == (3, 40, 40, 3)
    assert sizes.numpy().tolist() == [[20, 24], [20, 33], [3, 40]]
    for image, row in zip(images, resized, strict=True):
        expected, _ = resizer.resize(image.astype(np.float32))
        np.testing.assert_allclose(row, expected, atol=0.02)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "JPEG"])
def test_kinds_of_image_files(kind):
    flat = np.full((6, 9, 3), 120, np.uint8)
    decode = graph_inputs.prepare("encoded_image_string_tensor", Identity())
    images, sizes = decode(tf.constant([encoded(flat, kind)]))
    assert sizes.numpy().tolist() == [[6, 9]]
    np.testing.assert_allclose(images[0], flat, atol=1)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA"])
def test_image_files_of_other_modes_get_three_channels(mode):
    pil = require("PIL.Image")
    buffer = io.BytesIO()
    flat = pil.new("RGB", (5, 4), (120, 120, 120))
    (flat.quantize(2) if mode == "P" else flat.convert(mode)).save(buffer, "PNG")
    decode = graph_inputs.prepare("encoded_image_string_tensor", Identity())
    images, _ = decode(tf.constant([buffer.getvalue()]))
    np.testing.assert_allclose(images, np.full((1, 4, 5, 3), 120), atol=1)


def bmp(mode, **colors):
    """Returns a BMP file whose two halves differ, and the pixels that it shows."""
    pil = require("PIL.Image")
    image = np.zeros((5, 7, 3), np.uint8)
    image[:2], image[2:, 3:] = (250, 10, 30), (20, 200, 90)
    image = pil.fromarray(image).convert(mode, **colors)
    buffer = io.BytesIO()
    image.save(buffer, "BMP")
    return buffer.getvalue(), np.asarray(image.convert("RGB"))


BMPS = {"P": {"palette": 1, "colors": 256}, "L": {}, "1": {}, "RGB": {}, "RGBA": {}}


@pytest.mark.parametrize("mode", BMPS)
def test_bmp_files_with_a_palette_have_their_colors(mode):
    data, expected = bmp(mode, **BMPS[mode])
    decode = graph_inputs.prepare("encoded_image_string_tensor", Identity())
    images, _ = decode(tf.constant([data]))
    np.testing.assert_array_equal(images[0], expected)


def test_a_bmp_file_whose_first_row_is_the_top_one_is_not_turned():
    data, expected = bmp("P", **BMPS["P"])
    top_down = bytearray(data)
    top_down[22:26] = (-5).to_bytes(4, "little", signed=True)
    decode = graph_inputs.prepare("encoded_image_string_tensor", Identity())
    images, _ = decode(tf.constant([bytes(top_down)]))
    np.testing.assert_array_equal(images[0], expected[::-1])


def test_a_compressed_bmp_file_is_refused_with_a_message_of_ours():
    data = bytearray(bmp("P", **BMPS["P"])[0])
    data[30] = 1
    decode = graph_inputs.prepare("encoded_image_string_tensor", Identity())
    with pytest.raises(tf.errors.InvalidArgumentError, match="save it as PNG"):
        decode(tf.constant([bytes(data)]))


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_of_other_channels_are_refused_with_a_message_of_ours(channels, dtype):
    run = tf.function(lambda x: graph_inputs.resize(FixedShape(8, 8), x))
    concrete = run.get_concrete_function(tf.TensorSpec(None, dtype))
    with pytest.raises(Exception, match="input_images_must_have_3_channels_RGB"):
        concrete(tf.zeros([1, 4, 5, channels], dtype))


@pytest.mark.parametrize(
    ("input_type", "batch", "dtype", "shape"),
    [
        # Of ../shared/golden/saved_model_signature.txt.
        ("image_tensor", 1, "uint8", [1, None, None, 3]),
        ("image_tensor", None, "uint8", [None, None, None, 3]),
        ("float_image_tensor", None, "float32", [None, None, None, 3]),
        ("encoded_image_string_tensor", None, "string", [None]),
        ("tf_example", None, "string", [None]),
    ],
)
def test_input_specs_are_those_of_the_original(input_type, batch, dtype, shape):
    spec = graph_inputs.input_spec(input_type, batch)
    assert spec.name == "input_tensor"
    assert (spec.dtype.name, spec.shape.as_list()) == (dtype, shape)


def test_unknown_input_type_names_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean 'image_tensor'") as info:
        graph_inputs.input_spec("image_tenser")
    assert "float_image_tensor" in str(info.value)
