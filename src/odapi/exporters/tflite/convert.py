"""Conversion of a SavedModel to TFLite, in a process of its own.

TensorFlow's converter keeps about 22 MB per conversion, and ends the process where it
meets what it does not know.

Source: https://github.com/tensorflow/tensorflow/issues/122598.
"""

import os
import pathlib
import subprocess
import sys

from odapi.errors import ConfigError

_HALF, _CUSTOM = "float16", "custom"


def convert(
    saved_model: pathlib.Path, file: pathlib.Path, half: bool, custom: bool = False
) -> None:
    """Converts a SavedModel to a TFLite file.

    Args:
        saved_model: The folder, with a signature `serving_default`.
        file: Is written.
        half: Whether weights are stored in float16.
        custom: Whether there is a custom operator; else all are builtin.

    Raises:
        ConfigError: An operation has no counterpart; with its name.
    """
    arguments = [str(saved_model), str(file), *([_HALF] if half else [])]
    arguments += [_CUSTOM] if custom else []
    done = subprocess.run(
        [sys.executable, "-m", "odapi.exporters.tflite.convert", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    if done.returncode or not file.is_file():
        raise ConfigError(
            "format",
            f"tflite: TensorFlow's converter refuses the model: {_cause(done.stderr)}",
            hint="export it as onnx, openvino or saved_model",
        )


def _cause(errors: str) -> str:
    """Returns the lines of the converter that name operations, else the last ones."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    named = [line for line in lines if "error:" in line or "is neither" in line]
    return "\n".join((named or lines)[-3:]) or "it ended without a message"


def _main(saved_model: str, file: str, *options: str) -> None:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        saved_model, signature_keys=["serving_default"]
    )
    # One operator only: TFLite_Detection_PostProcess, which every runtime has.
    converter.allow_custom_ops = _CUSTOM in options
    if _HALF in options:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    pathlib.Path(file).write_bytes(converter.convert())


if __name__ == "__main__":
    _main(*sys.argv[1:])
