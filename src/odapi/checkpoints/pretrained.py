"""ImageNet weights of backbones, from Keras Applications or from a file.

Names are `layer/variable`, as Keras Applications name their layers.
"""

import math
import pathlib
import zipfile
from collections.abc import Callable, Collection, Mapping
from typing import Any

import keras
import numpy as np

from odapi.checkpoints.weights import load_arrays
from odapi.checkpoints.zip_file import check_zip
from odapi.errors import CheckpointError, ConfigError, unknown_choice

IMAGENET = "imagenet"

_FIRST_BIAS = "conv1_conv/bias"
# A layer whose name occurs only in an Inception ResNet.
_INCEPTION = "block17_20_conv/kernel"
_SUFFIXES = (".npz", ".h5", ".hdf5")


def is_weight_file(path: pathlib.Path) -> bool:
    """Returns True if a path has the suffix of a weight file."""
    return path.suffix.lower() in _SUFFIXES


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a weight file by `layer/variable`.

    Args:
        path: An .npz with such keys, or an .h5 with the weights by layer, as
            Keras Applications offer them for download.

    Raises:
        CheckpointError: The file is missing, damaged, or of another layout.
    """
    if not path.is_file():
        raise CheckpointError(str(path), "does not exist")
    arrays = _read_npz(path) if path.suffix.lower() == ".npz" else load_arrays(path)
    if any("/vars/" in f"/{name}" for name in arrays):
        raise CheckpointError(
            str(path),
            "is a .weights.h5 of Keras 3, which does not name the layers",
            hint='save {f"{layer.name}/{v.name}": v.numpy()} with numpy.savez instead',
        )
    return {_short(name): array for name, array in arrays.items()}


def download(application: str, **arguments: Any) -> dict[str, np.ndarray]:
    """Returns the ImageNet weights of a model of Keras Applications.

    Keras downloads them once and keeps them in `~/.keras/models`.

    Args:
        application: Name of its function, such as "MobileNetV2".
        arguments: Of that function, such as `alpha`.

    Raises:
        CheckpointError: They cannot be downloaded.
        ConfigError: No weights exist for these arguments.
    """
    place = "options.backbone_weights"
    build: Callable | None = getattr(keras.applications, application, None)
    if build is None:
        raise unknown_choice(place, application, dir(keras.applications))
    try:
        model = build(
            include_top=False, weights=IMAGENET, input_shape=(224, 224, 3), **arguments
        )
    except ValueError as error:
        raise ConfigError(place, f"{IMAGENET!r}: {error}") from error
    except Exception as error:  # Keras raises a bare Exception here.
        raise CheckpointError(
            place,
            f"the ImageNet weights of {application} could not be downloaded: {error}",
            hint="without a network, give a file: options.backbone_weights: "
            '"mobilenet_v2.npz"; docs/training.md says how to make it elsewhere',
        ) from error
    return {
        f"{layer.name}/{v.name}": keras.ops.convert_to_numpy(v)
        for layer in model.layers
        for v in layer.weights
    }


def convert_names(
    arrays: Mapping[str, np.ndarray], wanted: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """Converts names and values of Keras Applications to those of our backbones.

    ResNets of Keras Applications have biases and take BGR images, as CenterNet's do.
    Those of our other detectors have no biases and take RGB images: the biases are
    subtracted from the means of the batch norms behind them. Layers of their Inception
    ResNet are matched by order, since their numbers depend on the layers created
    before. Other weights are returned unchanged.

    Args:
        arrays: The weights by `layer/variable`.
        wanted: Names of our backbone, in the order of its layers.
    """
    ours = dict(arrays)
    if _INCEPTION in ours and _INCEPTION in wanted:
        return _by_order(ours, wanted)
    if _FIRST_BIAS not in ours or _FIRST_BIAS in wanted:
        return ours
    ours["conv1_conv/kernel"] = ours["conv1_conv/kernel"][:, :, ::-1]
    for name in [n for n in ours if n.endswith("_conv/bias")]:
        bias, mean = ours.pop(name), name.replace("_conv/bias", "_bn/moving_mean")
        if mean in ours:  # Otherwise the file is incomplete; the report says so.
            ours[mean] = ours[mean] - bias
    return ours


def _by_order(
    arrays: Mapping[str, np.ndarray], wanted: Collection[str]
) -> dict[str, np.ndarray]:
    """Matches the n-th convolution, or batch norm, of both models."""
    ours: dict[str, np.ndarray] = {}
    for variable in ("kernel", "moving_mean"):
        there, here = (
            [n.rpartition("/")[0] for n in names if n.endswith(f"/{variable}")]
            for names in (arrays, wanted)
        )
        for theirs, layer in zip(there, here, strict=False):
            for name, array in arrays.items():
                if name.rpartition("/")[0] == theirs:
                    ours[f"{layer}/{name.rpartition('/')[2]}"] = array
    return ours


def _read_npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    check_zip(path)
    try:
        with zipfile.ZipFile(path) as opened:
            for member in opened.infolist():
                _check_claim(opened, member)
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # A damaged header raises any type of error in NumPy.
        raise CheckpointError(str(path), f"cannot be read: {error}") from error


def _check_claim(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Raises ValueError for an array that claims more data than its file has."""
    with opened.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    if math.prod(shape) * dtype.itemsize > member.file_size:
        raise ValueError(
            f"{member.filename} has {member.file_size} bytes, but claims the shape "
            f"{shape} of {dtype}"
        )


def _short(name: str) -> str:
    """`layer/variable` from the longer names that old .h5 files use.

    >>> _short("bn_Conv1/bn_Conv1/gamma:0"), _short("dw/dw/depthwise_kernel:0")
    ('bn_Conv1/gamma', 'dw/kernel')
    """
    layer, _, variable = name.split(":")[0].rpartition("/")
    layer = layer.rpartition("/")[2]
    return f"{layer}/{variable.replace('depthwise_kernel', 'kernel')}"
