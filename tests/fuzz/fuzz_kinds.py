"""The kinds of inputs that are damaged, and how each is read."""

import gzip
import json

import cv2
import fuzz_changes as changes
import numpy as np
from fuzz_harness import Kind

import tiny_data
from odapi.config.check import find
from odapi.config.label_map import load_label_map, save_label_map
from odapi.config.load import load_config
from odapi.console import console
from odapi.data.context_features import FEATURES, SIZE, one_bank
from odapi.data.convert import FORMATS, Target, convert
from odapi.data.image.decode import decode_image
from odapi.data.inspect import inspect_source
from odapi.data.inspect_tables import tables
from odapi.data.mask_encoding import encode_png_mask
from odapi.data.sources.open import open_source
from odapi.data.tfrecord.protos import example_pb2
from odapi.data.tfrecord.records import read_record, scan_records
from odapi.labels import Category, Keypoint, LabelMap

_TARGETS = FORMATS


def inspect(spec, folder):
    """Reads a dataset as `odapi data inspect` and `odapi data convert` do."""
    source = open_source(spec)
    report = inspect_source(source)
    shown = console(stderr=False)
    for table in [*tables(report), source.problems.table()]:
        shown.print(table)
    json.dumps(report.as_dict(), allow_nan=False)
    kind = _TARGETS[sum(len(name) for name in report.classes) % len(_TARGETS)]
    place = folder / "out" / ("x.record" if kind == "tfrecord" else "")
    convert(source, Target(kind, place))


def damage_files(pattern, change):
    """Returns the function that damages one of the files that match a glob."""

    def damage(folder, rng):
        files = sorted(p for p in folder.glob(pattern) if p.is_file())
        file = files[rng.integers(len(files))]
        file.write_bytes(change(file.read_bytes(), rng))

    return damage


def one_of(*damages):
    """Returns the function that calls one of several; the first one most often."""

    def damage(folder, rng):
        at = max(0, int(rng.integers(-len(damages), len(damages))))
        damages[at](folder, rng)

    return damage


def _write_coco(folder):
    def change(content):
        first, second, third = content["annotations"]
        first["segmentation"] = [[6, 10, 36, 10, 36, 30, 6, 30]]
        first["keypoints"], first["num_keypoints"] = [7, 11, 2, 0, 0, 0], 1
        second["segmentation"] = {"size": [40, 60], "counts": [1200, 20, 1180]}
        second["iscrowd"] = 1
        third |= {"track_id": 3, "weight": 0.5, "difficult": 1, "score": 0.25}
        content["categories"][0] |= {
            "keypoints": ["nose", "tail"],
            "skeleton": [[1, 2]],
        }
        content["info"] = {"year": 2020}

    tiny_data.write_coco(folder, change)


def _write_voc(folder):
    tiny_data.write_voc(folder)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "train.txt").write_text("a\nb\nc\n")


def _write_yolo(folder):
    tiny_data.write_yolo(folder)
    (folder / "train.txt").write_text("./images/a.jpg\n./images/b.jpg\n")
    (folder / "classes.txt").write_text("cat\ndog\n")
    lines = "train: images\nval: train.txt\nnc: 2\nnames:\n  0: cat\n  1: dog\n"
    points = "kpt_shape: [2, 3]\nflip_idx: [1, 0]\n"
    (folder / "data.yaml").write_text(lines)
    posed = folder / "posed"
    posed.mkdir()
    (posed / "data.yaml").write_text(f"train: images\nnames: [cat]\n{points}")
    tiny_data.write_images(posed / "images")
    (posed / "labels").mkdir()
    (posed / "labels" / "a.txt").write_text("0 .5 .5 .2 .2 .4 .4 2 .6 .6 1\n")


def _read_yolo(folder):
    names = sorted(p.parent.name for p in folder.glob("**/*.touched"))
    inspect("yolo:posed" if "posed" in names else "yolo:data.yaml", folder)


def _damage_yolo(folder, rng):
    """Damages the plain dataset, or the one with keypoints."""
    at = folder / "posed" if rng.integers(2) else folder
    patterns = ("labels/*.txt", "data.yaml", "*.txt")
    pattern = patterns[rng.integers(2 if at.name == "posed" else 3)]
    if rng.integers(8) == 0 and at is folder:  # Then classes.txt names the classes.
        (folder / "data.yaml").write_text("train: images\n")
    damage_files(pattern, changes.damage_text)(at, rng)
    (at / "x.touched").touch()


def _rich_features():
    """Returns the features of a record with every kind of annotation."""
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 6:36] = 1
    objects = {
        "object/mask": [encode_png_mask(mask)] * 2,
        "object/keypoint/y": [0.3, 0.4, 0.1, 0.2],
        "object/keypoint/x": [0.2, 0.3, 0.6, 0.7],
        "object/keypoint/visibility": [2, 1, 0, 2],
        "object/keypoint/text": ["nose", "tail"] * 2,
        "object/keypoint/num": [2, 2],
        "object/is_crowd": [0, 1],
        "object/area": [600.0, 600.0],
        "object/difficult": [0, 1],
        "object/weight": [1.0, 0.5],
        "object/track/label": [1, 2],
        "object/class/multiclass_scores": [0.1, 0.9, 0.8, 0.2],
        "object/densepose/num": [1, 0],
        "object/densepose/part_index": [3],
        "object/densepose/y": [0.3],
        "object/densepose/x": [0.2],
        "object/densepose/u": [0.5],
        "object/densepose/v": [0.5],
        "object/temporal_offset/y": [0.1, 0.0],
        "object/temporal_offset/x": [0.1, 0.0],
        "context_features": [0.5] * 6,
        "context_feature_length": [3],
        "class/text": ["cat"],
        "neg_category_ids": [2],
    }
    return tiny_data.features_of("a") | {f"image/{k}": v for k, v in objects.items()}


def _write_records(folder):
    plain = [tiny_data.example(tiny_data.features_of(n)) for n in "bc"]
    rich = tiny_data.example(_rich_features())
    tiny_data.write_records(folder / "data.record", [rich, *plain])


def _write_sequences(folder):
    message = example_pb2.SequenceExample()
    lists = message.feature_lists.feature_list
    for seed in range(3):
        image = tiny_data.encoded(seed=seed)
        for name, value in {
            "image/encoded": image, "image/source_id": b"%d" % seed,
            "region/label/string": b"cat",
        }.items():  # fmt: skip
            lists[name].feature.add().bytes_list.value.append(value)
        for side, value in {"ymin": 0.1, "xmin": 0.2, "ymax": 0.6, "xmax": 0.7}.items():
            lists[f"region/bbox/{side}"].feature.add().float_list.value.append(value)
        lists["region/is_annotated"].feature.add().int64_list.value.append(1)
        lists["region/label/index"].feature.add().int64_list.value.append(1)
    message.context.feature["image/height"].int64_list.value.append(40)
    message.context.feature["image/width"].int64_list.value.append(60)
    data = message.SerializeToString()
    tiny_data.write_records(folder / "data.record", [data, data])


def _damage_records(message_class):
    def damage(folder, rng):
        file = folder / "data.record"
        if rng.integers(8) == 0:
            file.write_bytes(changes.damage(file.read_bytes(), rng))
            return
        found = scan_records(file)
        spans = zip(found.offsets, found.lengths, strict=True)
        records = [read_record(file, int(o), int(n)) for o, n in spans]
        at = rng.integers(len(records))
        records[at] = changes.damage_example(records[at], rng, message_class)
        tiny_data.write_records(file, records)
        if rng.integers(8) == 0:
            packed = gzip.compress(file.read_bytes(), 1)
            file.write_bytes(changes.damage(packed, rng))

    return damage


def _write_index(folder):
    _write_records(folder)
    open_source(f"tfrecord:{folder / 'data.record'}")


def _read_index(folder):
    source = open_source("tfrecord:data.record")
    found = [source[i]["image"].shape for i in range(len(source))]
    if found != [(40, 60, 3), (60, 40, 3), (40, 60, 3)]:
        raise AssertionError(f"other images than those of the file: {found}")


def _write_label_map(folder):
    points = (Keypoint(0, "nose"), Keypoint(1, "tail"))
    cat = Category(1, "cat", "Cat", keypoints=points, frequency="RARE")
    save_label_map(LabelMap((cat, Category(3, "dog"))), folder / "map.pbtxt")


_CONFIG = """
model { ssd {
  num_classes: 2
  image_resizer { fixed_shape_resizer { height: 64 width: 64 } }
  feature_extractor { type: "ssd_mobilenet_v2_keras" depth_multiplier: 0.5 }
  box_coder { faster_rcnn_box_coder { y_scale: 10.0 x_scale: 10.0 } }
  matcher { argmax_matcher { matched_threshold: 0.5 unmatched_threshold: 0.5 } }
  anchor_generator { ssd_anchor_generator { num_layers: 6 aspect_ratios: [1.0, 2.0] } }
  loss {
    classification_loss { weighted_sigmoid_focal { alpha: 0.25 gamma: 2.0 } }
    localization_loss { weighted_smooth_l1 {} }
  }
} }
train_config { batch_size: 2 num_steps: 10
  optimizer { momentum_optimizer { learning_rate { constant_learning_rate {
    learning_rate: 0.01 } } momentum_optimizer_value: 0.9 } }
  data_augmentation_options { random_horizontal_flip {} }
}
train_input_reader { label_map_path: "map.pbtxt"
  tf_record_input_reader { input_path: "data.record" } }
eval_config { metrics_set: "coco_detection_metrics" }
eval_input_reader { label_map_path: "map.pbtxt"
  tf_record_input_reader { input_path: "data.record" } }
[odapi.options] { seed: 1 data_loading { threads: 1 } }
"""


def _write_config(folder):
    (folder / "pipeline.config").write_text(_CONFIG)
    _write_label_map(folder)
    tiny_data.write_tfrecord(folder)


def _read_config(folder):
    for finding in find(load_config("pipeline.config")):
        console().print(str(finding))


_FORMATS = (".png", ".jpg", ".bmp", ".webp", ".tif", ".gif", ".jp2", ".ppm", ".avif")


def _write_images(folder):
    for suffix in _FORMATS:
        done, data = cv2.imencode(suffix, tiny_data.pixels(40, 60))
        if done:
            (folder / f"x{suffix}").write_bytes(data.tobytes())


def _damage_image(folder, rng):
    files = sorted(folder.iterdir())
    chosen = files[rng.integers(len(files))]
    data = chosen.read_bytes()
    for _ in range(int(rng.integers(1, 4))):
        data = changes.damage(data, rng)
    [file.unlink() for file in files]
    (folder / "image").write_bytes(data)


def _read_image(folder):
    image = decode_image((folder / "image").read_bytes())
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise AssertionError(f"decoded to {image.shape} {image.dtype}")


DATA_KINDS = {
    "coco": Kind(
        _write_coco,
        damage_files("data.json", changes.damage_json),
        lambda folder: inspect("coco:data.json", folder),
    ),
    "voc": Kind(
        _write_voc,
        one_of(
            damage_files("Annotations/*.xml", changes.damage_xml),
            damage_files("ImageSets/Main/*.txt", changes.damage_text),
        ),
        lambda folder: inspect("voc:.?split=train", folder),
    ),
    "yolo": Kind(_write_yolo, _damage_yolo, _read_yolo),
    "csv": Kind(
        tiny_data.write_csv,
        damage_files("*.csv", changes.damage_text),
        lambda folder: inspect("csv:train_labels.csv", folder),
    ),
    "tfrecord": Kind(
        _write_records,
        _damage_records(example_pb2.Example),
        lambda folder: inspect("tfrecord:data.record", folder),
    ),
    "sequence": Kind(
        _write_sequences,
        _damage_records(example_pb2.SequenceExample),
        lambda folder: inspect("tfrecord:data.record?type=sequence", folder),
    ),
    "index": Kind(_write_index, damage_files(".*.index", changes.damage), _read_index),
    "label_map": Kind(
        _write_label_map,
        damage_files("map.pbtxt", changes.damage_text),
        lambda folder: load_label_map("map.pbtxt"),
    ),
    "config": Kind(
        _write_config,
        damage_files("pipeline.config", changes.damage_text),
        _read_config,
    ),
    "memory_bank": Kind(
        lambda folder: np.save(folder / "bank.npy", np.ones((3, 4), np.float32)),
        damage_files("bank.npy", changes.damage),
        lambda folder: one_bank("bank.npy", {FEATURES: (5, None), SIZE: ()}),
    ),
    "image": Kind(_write_images, _damage_image, _read_image),
}
