"""Image ids as they are in a dataset, for result files."""

from typing import Any

from odapi.data.sources.coco import CocoSource
from odapi.data.sources.relabel import Relabeled
from odapi.data.sources.subset import Subset
from odapi.data.sources.tfrecord import TFRecordSource


def own_image_ids(source: Any) -> list[int | str]:
    """Returns the id of each image of a source: a number in COCO, else a text.

    Records store texts only: their ids are numbers if all of them are, as of records
    made from COCO. Names of files, such as "00004" in Pascal VOC, stay names.
    """
    if isinstance(source, Relabeled):
        return own_image_ids(source.source)
    if isinstance(source, Subset):
        ids = own_image_ids(source.source)
        return [ids[i] for i in source.indices]
    if isinstance(source, CocoSource):
        return list(source.own_ids)
    texts: list[str] = list(getattr(source, "image_ids", ()))
    if isinstance(source, TFRecordSource) and all(map(_is_number, texts)):
        return [int(text) for text in texts]
    return list(texts)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and str(int(text)) == text
