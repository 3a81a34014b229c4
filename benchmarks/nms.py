"""Non-maximum suppression on each backend, compared with TensorFlow's combined op.

    python -m benchmarks.nms                  # writes benchmarks/results/nms.md
    python -m benchmarks.nms --backend jax    # one backend, printed only

8 images, 90 classes, 100 detections, as in the COCO recipes. Each backend runs in a
process of its own, graph or jit as users run it. Times are medians; the native op and
ours take turns. "Match" is the share of rows (class, score and box) that equal those
of the native op.
"""

import argparse
import pathlib
import tempfile
import time

import numpy as np

from benchmarks.processes import RESULTS, in_process, table, tell

_BACKENDS = ("tensorflow", "jax", "torch")
_ANCHORS = (1917, 12804, 51150)
_BATCH, _CLASSES, _DETECTIONS, _IOU = 8, 90, 100, 0.5
# name: (score threshold, spread of the background's logits, objects, candidates)
_SCENES = {
    "random boxes": (0.01, 1.5, 0, 0),
    "random boxes, all scores": (1e-8, 1.5, 0, 0),
    "five objects, all scores": (1e-8, 0.15, 5, 0),
    "random boxes, few candidates": (0.01, 1.5, 0, 110),
}


def main() -> None:
    args = _arguments()
    if args.row:
        tell(_measure(args))
        return
    backends = (args.backend,) if args.backend else _BACKENDS
    with tempfile.TemporaryDirectory() as folder:
        args.folder = pathlib.Path(folder)
        rows = {}
        # TensorFlow first: the others are compared with its native op.
        for backend in dict.fromkeys(("tensorflow", *backends)):
            options = {"row": backend, "runs": args.runs, "folder": folder}
            rows[backend] = in_process("benchmarks.nms", options, backend, args.threads)
    text = _report({b: r for b, r in rows.items() if r is not None}, args)
    print(text)
    if args.backend is None:
        args.output.write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", choices=_BACKENDS, help="all by default")
    parser.add_argument("--runs", type=int, default=15, help="calls measured a row")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=pathlib.Path, default=RESULTS / "nms.md")
    parser.add_argument("--row", choices=_BACKENDS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _scene(anchors: int, spread: float, objects: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes `[b, anchors, 4]` and scores `[b, anchors, classes]`."""
    rng = np.random.default_rng(anchors)
    center = rng.uniform(0.1, 0.9, (_BATCH, anchors, 2))
    size = rng.uniform(0.02, 0.2, (_BATCH, anchors, 2))
    boxes = np.concatenate([center - size / 2, center + size / 2], -1)
    logits = rng.normal(-7 if objects else -4, spread, (_BATCH, anchors, _CLASSES))
    for image in range(_BATCH):
        for _ in range(objects):
            # One anchor in 40 sees the object, most of them in the same class.
            near = rng.random(anchors) < 1 / 40
            middle, side = rng.uniform(0.2, 0.8, 2), rng.uniform(0.05, 0.2, 2)
            box = np.concatenate([middle - side, middle + side])
            noise = rng.normal(0, 0.1, (near.sum(), 4)) * side.mean()
            boxes[image, near] = box + noise
            lift = rng.uniform(0, 9, near.sum())
            logits[image, near, rng.integers(_CLASSES)] += lift
            logits[image, near] += 0.1 * lift[:, None]
    scores = 1 / (1 + np.exp(-logits))
    return boxes.astype("float32"), scores.astype("float32")


def _measure(args: argparse.Namespace) -> list[dict]:
    import keras
    from keras import ops

    from odapi.geometry.nms.batched import NonMaxSuppression

    rows = []
    for anchors in _ANCHORS:
        for name, (threshold, spread, objects, candidates) in _SCENES.items():
            nms = NonMaxSuppression(
                _IOU, threshold, _DETECTIONS, _DETECTIONS, candidates=candidates
            )
            arrays = _scene(anchors, spread, objects)
            inputs = [ops.convert_to_tensor(a) for a in arrays]
            calls = {"ours": _compiled(lambda b, s, nms=nms: tuple(nms(b, s)))}
            if keras.backend.backend() == "tensorflow":
                calls["native"] = _native(threshold)
            times, results = _times(calls, inputs, args.runs)
            row = {"anchors": anchors, "scene": name, **times}
            path = args.folder / f"{anchors} {name}.npz"
            if "native" in results:
                boxes, scores, classes, _ = results["native"]
                np.savez(path, boxes=boxes, scores=scores, classes=classes)
            row["match"] = _match(results["ours"], np.load(path))
            rows.append(row)
    return rows


def _compiled(function):
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    return function


def _native(threshold: float):
    import tensorflow as tf

    return tf.function(
        lambda boxes, scores: tuple(
            tf.image.combined_non_max_suppression(
                boxes[:, :, None], scores, _DETECTIONS, _DETECTIONS, _IOU, threshold,
                clip_boxes=False,
            )
        )
    )  # fmt: skip


def _times(calls: dict, inputs: list, runs: int) -> tuple[dict, dict]:
    from keras import ops

    results = {
        name: [ops.convert_to_numpy(r) for r in call(*inputs)]
        for name, call in calls.items()
    }
    times = {name: [] for name in calls}
    for _ in range(runs):
        for name, call in calls.items():
            start = time.perf_counter()
            ops.convert_to_numpy(call(*inputs)[1])  # Waits for the result.
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: float(np.median(t)) for name, t in times.items()}, results


def _match(ours: list[np.ndarray], native) -> float:
    boxes, scores, classes = ours[:3]
    same = (
        np.isclose(scores, native["scores"], rtol=1e-6)
        & (classes == native["classes"])
        & np.isclose(boxes, native["boxes"], atol=1e-6).all(-1)
    )
    return float(same.mean())


def _report(rows: dict[str, list[dict]], args: argparse.Namespace) -> str:
    native = [r["native"] for r in rows["tensorflow"]]
    header = ["anchors", "scene", "native op"] + [
        part for b in rows for part in (b, "ratio", "match")
    ]
    text = (
        "# Non-maximum suppression (NMS)\n\n"
        f"{_BATCH} images x anchors x {_CLASSES} classes, {_DETECTIONS} detections, "
        f"{args.threads} thread(s); ms per batch. The ratio is to TensorFlow's "
        "combined op, below 1 is faster; the match is the share of equal rows. `few "
        "candidates` processes 110 pairs at a time instead of 256: more blocks are "
        "needed, the result is the same. Generated by `python -m benchmarks.nms`.\n\n"
    )
    lines = []
    for i, reference in enumerate(native):
        first = rows["tensorflow"][i]
        cells = [str(first["anchors"]), first["scene"], f"{reference:.1f}"]
        for result in rows.values():
            ms, match = result[i]["ours"], result[i]["match"]
            cells += [f"{ms:.1f}", f"{ms / reference:.2f}", f"{match:.2%}"]
        lines.append(cells)
    return text + table(header, lines)


if __name__ == "__main__":
    main()
