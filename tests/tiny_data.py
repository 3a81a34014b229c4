"""Small data sets on disk, in every format, with the same three images.

a: 40 x 60 pixels (height, width), a cat at [10, 6, 30, 36] pixels and a dog
b: 60 x 40, a dog
c: 40 x 60, no objects
"""

import json
import pathlib

import cv2
import numpy as np

from odapi.data.tfrecord.protos import example_pb2
from odapi.data.tfrecord.records import write_record

NAMES = ("cat", "dog")
SIZES = {"a": (40, 60), "b": (60, 40), "c": (40, 60)}
# Class index and pixels [y_min, x_min, y_max, x_max].
OBJECTS = {
    "a": [(0, (10, 6, 30, 36)), (1, (0, 30, 20, 60))],
    "b": [(1, (15, 10, 45, 30))],
    "c": [],
}


def pixels(height, width, seed=0):
    """Returns a smooth image, which JPEG keeps nearly as it is."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def encoded(kind=".jpg", size=(40, 60), seed=0):
    """Returns the bytes of an image file."""
    bgr = cv2.cvtColor(pixels(*size, seed), cv2.COLOR_RGB2BGR)
    return cv2.imencode(kind, bgr)[1].tobytes()


def write_images(folder, suffix=".jpg"):
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, size) in enumerate(SIZES.items()):
        (folder / f"{name}{suffix}").write_bytes(encoded(suffix, size, seed))


def coco_content():
    images, annotations = [], []
    for number, (name, (height, width)) in enumerate(SIZES.items(), 1):
        images.append(
            {"id": number, "file_name": f"{name}.jpg", "height": height, "width": width}
        )
        for index, (y0, x0, y1, x1) in OBJECTS[name]:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": index + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": (x1 - x0) * (y1 - y0),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": i, "name": n} for i, n in enumerate(NAMES, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def write_coco(folder, change=None):
    """Writes a COCO data set; `change` edits its content first."""
    write_images(folder / "images")
    content = coco_content()
    if change:
        change(content)
    (folder / "data.json").write_text(json.dumps(content))
    return f"coco:{folder / 'data.json'}"


def lvis_content():
    """Returns LVIS v1: images by URL; every class was looked for in every image."""
    content = coco_content()
    for image in content["images"]:
        name = image.pop("file_name")
        image["coco_url"] = f"http://images.cocodataset.org/val2017/{name}"
        image |= {"neg_category_ids": [1, 2], "not_exhaustive_category_ids": []}
    for category in content["categories"]:
        category |= {"frequency": "r", "image_count": 1, "instance_count": 3}
    return content


def write_lvis(folder):
    write_images(folder / "val2017")
    (folder / "lvis_v1_val.json").write_text(json.dumps(lvis_content()))
    return f"lvis:{folder / 'lvis_v1_val.json'}"


def cvat_image(number, name):
    height, width = SIZES[name]
    shapes = "".join(
        f'<box label="{NAMES[i]}" source="manual" occluded="0" xtl="{x0}.00" '
        f'ytl="{y0}.00" xbr="{x1}.00" ybr="{y1}.00" z_order="0"></box>'
        for i, (y0, x0, y1, x1) in OBJECTS[name]
    )
    return (
        f'<image id="{number}" name="{name}.jpg" width="{width}" height="{height}">'
        f"{shapes}</image>"
    )


def write_cvat(folder):
    write_images(folder / "images")
    labels = "".join(f"<label><name>{n}</name><type>any</type></label>" for n in NAMES)
    images = "".join(cvat_image(number, name) for number, name in enumerate(SIZES))
    (folder / "annotations.xml").write_text(
        "<?xml version='1.0' encoding='utf-8'?><annotations><version>1.1</version>"
        f"<meta><task><size>3</size><labels>{labels}</labels></task></meta>{images}"
        "</annotations>"
    )
    return f"cvat:{folder}"


def write_kitti(folder):
    write_images(folder / "training" / "image_2")
    (folder / "training" / "label_2").mkdir()
    for name in SIZES:
        lines = "".join(
            f"{NAMES[i]} 0.00 0 1.85 {x0}.00 {y0}.00 {x1}.00 {y1}.00 1.67 1.87 3.69 "
            "-16.53 2.39 58.49 1.57\n"
            for i, (y0, x0, y1, x1) in OBJECTS[name]
        )
        (folder / "training" / "label_2" / f"{name}.txt").write_text(lines)
    return f"kitti:{folder}"


def labelme_content(name):
    height, width = SIZES[name]
    shapes = [
        {"label": NAMES[i], "points": [[x0, y0], [x1, y1]], "group_id": None,
         "shape_type": "rectangle", "flags": {}}
        for i, (y0, x0, y1, x1) in OBJECTS[name]
    ]  # fmt: skip
    return {
        "version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": f"{name}.jpg",
        "imageData": None, "imageHeight": height, "imageWidth": width,
    }  # fmt: skip


def write_labelme(folder):
    write_images(folder)
    for name in SIZES:
        (folder / f"{name}.json").write_text(json.dumps(labelme_content(name)))
    return f"labelme:{folder}"


def open_images_rows():
    """Returns the rows of boxes and of image labels."""
    boxes = [
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,"
        "IsTruncated,IsGroupOf,IsDepiction,IsInside"
    ]
    labels = ["ImageID,Source,LabelName,Confidence"]
    for name, (height, width) in SIZES.items():
        for i, (y0, x0, y1, x1) in OBJECTS[name]:
            sides = f"{x0 / width},{x1 / width},{y0 / height},{y1 / height}"
            boxes.append(f"{name},xclick,{NAMES[i]},1,{sides},0,1,0,0,-1")
        present = {i for i, _ in OBJECTS[name]}
        for i, label in enumerate(NAMES):
            labels.append(f"{name},verification,{label},{int(i in present)}")
    return boxes, labels


def write_open_images(folder):
    write_images(folder / "train")
    boxes, labels = open_images_rows()
    for name, lines in {
        "oidv6-train-annotations-bbox.csv": boxes,
        "oidv7-train-annotations-human-imagelabels.csv": labels,
        "class-descriptions-boxable.csv": ["cat,Cat", "dog,Dog"],
    }.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return f"openimages:{folder}"


def voc_xml(name, size=None, objects=None, filename=None):
    height, width = size or SIZES[name]
    shown = "".join(
        f"<object><name>{NAMES[i] if isinstance(i, int) else i}</name><bndbox>"
        f"<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        "</bndbox></object>"
        for i, (y0, x0, y1, x1) in (OBJECTS[name] if objects is None else objects)
    )
    return (
        f"<annotation><filename>{filename or name + '.jpg'}</filename>"
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
        f"{shown}</annotation>"
    )


def write_voc(folder):
    write_images(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    for name in SIZES:
        (folder / "Annotations" / f"{name}.xml").write_text(voc_xml(name))
    return f"voc:{folder}"


def yolo_lines(name):
    height, width = SIZES[name]
    return "".join(
        f"{i} {(x0 + x1) / 2 / width} {(y0 + y1) / 2 / height} "
        f"{(x1 - x0) / width} {(y1 - y0) / height}\n"
        for i, (y0, x0, y1, x1) in OBJECTS[name]
    )


def write_yolo(folder):
    write_images(folder / "images")
    (folder / "labels").mkdir()
    for name in SIZES:
        (folder / "labels" / f"{name}.txt").write_text(yolo_lines(name))
    (folder / "data.yaml").write_text("train: images\nnames: [cat, dog]\n")
    return f"yolo:{folder}"


def example(features):
    """Returns a serialized tf.Example of lists of str, bytes, int or float."""
    message = example_pb2.Example()
    for name, values in features.items():
        feature = message.features.feature[name]
        if values and isinstance(values[0], str | bytes):
            values = [v.encode() if isinstance(v, str) else v for v in values]
            feature.bytes_list.value.extend(values)
        elif values and isinstance(values[0], int):
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return message.SerializeToString()


def features_of(name, **changes):
    """Returns the features of a record, as the common tutorial script writes them."""
    height, width = SIZES[name]
    boxes = [box for _, box in OBJECTS[name]]
    seed = list(SIZES).index(name)
    features = {
        "image/height": [height],
        "image/width": [width],
        "image/filename": [f"{name}.jpg"],
        "image/source_id": [name],
        "image/encoded": [encoded(".jpg", SIZES[name], seed)],
        "image/format": ["jpg"],
        "image/object/bbox/ymin": [b[0] / height for b in boxes],
        "image/object/bbox/xmin": [b[1] / width for b in boxes],
        "image/object/bbox/ymax": [b[2] / height for b in boxes],
        "image/object/bbox/xmax": [b[3] / width for b in boxes],
        "image/object/class/text": [NAMES[i] for i, _ in OBJECTS[name]],
        "image/object/class/label": [i + 1 for i, _ in OBJECTS[name]],
    }
    changes = {k.replace("__", "/"): v for k, v in changes.items()}
    return features | changes


def records():
    return [example(features_of(name)) for name in SIZES]


def write_records(path, records):
    """Writes a file of records; returns how many."""
    count = 0
    with open(path, "wb") as file:
        for count, data in enumerate(records, 1):  # noqa: B007
            write_record(file, data)
    return count


def write_tfrecord(folder):
    folder.mkdir(parents=True, exist_ok=True)
    write_records(folder / "data.record", records())
    return f"tfrecord:{folder / 'data.record'}"


def csv_lines():
    """Returns the lines of the tutorials' CSV; an image without objects has no box."""
    lines = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    for name, (height, width) in SIZES.items():
        rows = [
            f"{NAMES[i]},{x0},{y0},{x1},{y1}" for i, (y0, x0, y1, x1) in OBJECTS[name]
        ]
        lines += [f"{name}.jpg,{width},{height},{row}" for row in rows or [",,,,"]]
    return lines


def write_csv(folder):
    write_images(folder / "images")
    (folder / "train_labels.csv").write_text("\n".join(csv_lines()) + "\n")
    return f"csv:{folder / 'train_labels.csv'}"


WRITERS = {
    "coco": write_coco,
    "csv": write_csv,
    "cvat": write_cvat,
    "kitti": write_kitti,
    "labelme": write_labelme,
    "lvis": write_lvis,
    "openimages": write_open_images,
    "voc": write_voc,
    "yolo": write_yolo,
    "tfrecord": write_tfrecord,
}


def write(kind, folder):
    """Writes the data set in a format; returns its spec."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return WRITERS[kind](folder)
