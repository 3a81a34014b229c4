"""Recognises checkpoints and models that other programs wrote, to say what they are."""

import pathlib

_OBJECT_GRAPH = b"_CHECKPOINTABLE_OBJECT_GRAPH"


def describe(path: pathlib.Path) -> str | None:
    """Returns what a path is if it is a known thing that odapi did not write.

    Args:
        path: A file, a folder, or the prefix of a TensorFlow checkpoint, such as
            `checkpoint/ckpt-0`.

    Returns:
        For example "a TF2 checkpoint"; None for anything else.
    """
    index = tensorflow_index(path)
    if index:
        return _tensorflow(index)
    folder = path if path.is_dir() else path.parent
    if path.name == "saved_model.pb" or (folder / "saved_model.pb").is_file():
        return "a TensorFlow SavedModel: a finished graph, without trainable weights"
    if path.suffix == ".pb" or (path / "frozen_inference_graph.pb").is_file():
        return "a TF1 frozen graph: it cannot be trained further"
    if path.suffix == ".keras":
        return "a model file of Keras"
    if path.suffix == ".tflite":
        return "a TFLite model: it cannot be trained further"
    return None


def tensorflow_index(path: pathlib.Path) -> pathlib.Path | None:
    """Returns the .index file of the TensorFlow checkpoint that `path` means."""
    for suffix in (".index", ".meta"):
        if path.suffix == suffix:
            path = path.with_suffix("")
    if ".data-0" in path.name:
        path = path.with_name(path.name.split(".data-0")[0])
    index = path.with_name(path.name + ".index")
    if index.is_file():
        return index
    if path.is_dir():
        for folder in (path, path / "checkpoint"):
            inside = sorted(folder.glob("*.index"))
            if inside:
                return inside[-1]
    return None


def is_tf2(index: pathlib.Path) -> bool:
    """Tells a TF2 (object-based) checkpoint from a TF1 (name-based) one."""
    return _OBJECT_GRAPH in index.read_bytes()


def _tensorflow(index: pathlib.Path) -> str:
    prefix = str(index).removesuffix(".index")
    if is_tf2(index):
        return f"a TF2 checkpoint ({prefix})"
    return f"a TF1 checkpoint ({prefix})"
