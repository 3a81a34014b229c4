"""The kinds of annotation formats besides COCO, VOC, YOLO, CSV and TFRecord."""

import base64
import json

import cv2
import fuzz_changes as changes
import numpy as np
from fuzz_harness import Kind
from fuzz_kinds import damage_files, inspect, one_of

import tiny_data
from odapi.data.mask_encoding import encode_png_mask


def _write_cvat(folder):
    tiny_data.write_cvat(folder)
    shapes = (
        '<mask label="cat" rle="1,4,1" left="6" top="10" width="3" height="2"/>'
        '<polygon label="cat" group_id="1" points="2,2;6,2;6,6;2,6"/>'
        '<ellipse label="dog" cx="20" cy="20" rx="5" ry="4" rotation="30"/>'
        '<skeleton label="dog"><points label="tail" outside="0" occluded="1" '
        'points="30.0,20.0"/><points label="nose" points="12.0,8.0"/></skeleton>'
        '<box label="dog" xtl="1" ytl="1" xbr="9" ybr="9" rotation="30"/>'
        '</image><track id="1" label="cat"><box frame="1" outside="0" xtl="1" ytl="1" '
        'xbr="9" ybr="9"/></track>'
    )
    file = folder / "annotations.xml"
    file.write_text(file.read_text().replace("</image>", shapes, 1))


def _write_labelme(folder):
    tiny_data.write_labelme(folder)
    content = tiny_data.labelme_content("a")
    box, other = content["shapes"]
    box["group_id"] = 1
    mask = base64.b64encode(encode_png_mask(np.ones((3, 4), np.uint8))).decode()
    for kind, points in {
        "polygon": [[1, 1], [9, 1], [9, 9]], "circle": [[20, 20], [23, 24]],
        "point": [[7, 11]], "mask": [[1, 1], [4, 3]], "line": [[0, 0], [9, 9]],
    }.items():  # fmt: skip
        content["shapes"].append(
            other | {"shape_type": kind, "points": points, "group_id": 1, "mask": mask}
        )
    content["imageData"] = base64.b64encode(tiny_data.encoded()).decode()
    (folder / "a.jpg").unlink()
    (folder / "a.json").write_text(json.dumps(content))


def _write_pets(folder):
    for name in ("images", "annotations/xmls", "annotations/trimaps"):
        (folder / name).mkdir(parents=True)
    for stem in ("cat_1", "dog_2", "dog_3"):
        (folder / "images" / f"{stem}.jpg").write_bytes(tiny_data.encoded())
        text = tiny_data.voc_xml("a", filename=f"{stem}.jpg")
        (folder / "annotations/xmls" / f"{stem}.xml").write_text(text)
        trimap = np.full((40, 60), 2, np.uint8)
        trimap[10:30, 6:36] = 1
        data = cv2.imencode(".png", trimap)[1].tobytes()
        (folder / "annotations/trimaps" / f"{stem}.png").write_bytes(data)
    lines = "cat_1 1 1 1\ndog_2 2 2 1\ndog_3 2 2 1\n"
    (folder / "annotations/trainval.txt").write_text(lines)


def _read_pets(folder):
    for number, boxes in enumerate(("head", "body")):
        inspect(f"pets:.?split=trainval&boxes={boxes}", folder / str(number))


def _write_ava(folder):
    rows = []
    for second in (902, 903, 904):
        (folder / f"v_{second:04d}.jpg").write_bytes(tiny_data.encoded())
        rows += [f"v,{second:04d},0.1,0.2,0.5,0.6,{i},{second}" for i in (1, 2)]
    (folder / "ava_train_v2.2.csv").write_text("\n".join(rows) + "\n")
    label = 'label {{ name: "{}" label_id: {} }}\n'
    lines = [label.format(name, i) for i, name in enumerate(tiny_data.NAMES, 1)]
    (folder / "ava_action_list_v2.2.pbtxt").write_text("".join(lines))


FORMAT_KINDS = {
    "ava": Kind(
        _write_ava,
        one_of(
            damage_files("*.csv", changes.damage_text),
            damage_files("*.pbtxt", changes.damage_text),
        ),
        lambda folder: inspect("ava:ava_train_v2.2.csv", folder),
    ),
    "cvat": Kind(
        _write_cvat,
        one_of(
            damage_files("*.xml", changes.damage_attribute),
            damage_files("*.xml", changes.damage_xml),
        ),
        lambda folder: inspect("cvat:.", folder),
    ),
    "kitti": Kind(
        tiny_data.write_kitti,
        damage_files("training/label_2/*.txt", changes.damage_text),
        lambda folder: inspect("kitti:.", folder),
    ),
    "labelme": Kind(
        _write_labelme,
        damage_files("*.json", changes.damage_json),
        lambda folder: inspect("labelme:.", folder),
    ),
    "lvis": Kind(
        tiny_data.write_lvis,
        damage_files("*.json", changes.damage_json),
        lambda folder: inspect("lvis:lvis_v1_val.json", folder),
    ),
    "pets": Kind(
        _write_pets,
        one_of(
            damage_files("annotations/xmls/*.xml", changes.damage_xml),
            damage_files("annotations/*.txt", changes.damage_text),
            damage_files("annotations/trimaps/*.png", changes.damage),
        ),
        _read_pets,
    ),
    "openimages": Kind(
        tiny_data.write_open_images,
        damage_files("*.csv", changes.damage_text),
        lambda folder: inspect("openimages:.", folder),
    ),
}
