"""Time of writing TFRecord shards with one and with two processes.

    python -m benchmarks.record_workers

The images of COCO mini, repeated, with masks (each encoded as PNG) and with boxes only.
Both numbers of processes take turns; times are wall-clock, including the start of the
processes. Without masks `odapi data convert` always uses one process: here it is made
to use two. The table is written to benchmarks/results/record_workers.md.
"""

import argparse
import json
import os
import pathlib
import statistics
import tempfile
import time
from typing import Any

from benchmarks.processes import RESULTS, SHARED, table
from odapi.data.formats import record_chunks
from odapi.data.formats.tfrecord_writer import write_tfrecord
from odapi.data.sources.open import open_source

# Images with masks, and with boxes only.
IMAGES = {True: 1000, False: 20_000}


def repeated(count: int, masks: bool, folder: pathlib.Path) -> str:
    """Writes a COCO file with so many images; returns it as a dataset."""
    mini = SHARED / "data" / "coco_mini"
    content = json.loads((mini / "annotations/instances_train2017.json").read_text())
    objects: dict[int, list[dict[str, Any]]] = {}
    for one in content["annotations"]:
        objects.setdefault(one["image_id"], []).append(one)
    images, annotations = [], []
    for number in range(count):
        image = content["images"][number % len(content["images"])]
        path = mini / "train2017" / image["file_name"]
        images.append(image | {"id": number, "file_name": str(path)})
        for one in objects.get(image["id"], ()):
            place = {"id": len(annotations) + 1, "image_id": number}
            annotations.append(one | place)
            if not masks:
                annotations[-1].pop("segmentation", None)
    content |= {"images": images, "annotations": annotations}
    file = folder / f"{'masks' if masks else 'boxes'}.json"
    file.write_text(json.dumps(content))
    return f"coco:{file}"


def seconds(source: Any, workers: int) -> float:
    """Returns the seconds of writing all images to four shards."""
    with tempfile.TemporaryDirectory() as folder:
        path, start = pathlib.Path(folder) / "data.tfrecord", time.perf_counter()
        write_tfrecord(source, path, range(len(source)), shards=4, workers=workers)
        return time.perf_counter() - start


def main() -> None:
    """Measures in turns and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds, rows = parser.parse_args().rounds, []
    record_chunks.IMAGES_PER_PROCESS[False] = 1
    with tempfile.TemporaryDirectory() as folder:
        for masks, count in IMAGES.items():
            source = open_source(repeated(count, masks, pathlib.Path(folder)))
            times = [[seconds(source, n) for n in (1, 2)] for _ in range(rounds)]
            one, two = (
                statistics.median(column) for column in zip(*times, strict=True)
            )
            gain = statistics.median(a / b for a, b in times)
            rows.append(
                [
                    f"{count} images with {'masks' if masks else 'boxes'}",
                    f"{one:.1f}",
                    f"{two:.1f}",
                    f"{gain:.2f}",
                ]
            )
    head = ["data", "one process, s", "two processes, s", "speed-up"]
    text = (
        "# Processes that make TFRecords\n\n`python -m benchmarks.record_workers`: "
        f"medians of {rounds} rounds in turns, {os.cpu_count()} cores.\n\n"
        f"{table(head, rows)}\n"
    )
    print(text)
    (RESULTS / "record_workers.md").write_text(text)


if __name__ == "__main__":
    main()
