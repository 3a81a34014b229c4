"""R-FCN: a two-stage detector that looks at the image once, then only reads regions."""

from odapi.models.faster_rcnn import FasterRCNN


class RFCN(FasterRCNN):
    """Its second half sees the maps of the whole image instead of crops.

    Regions are read from position-sensitive maps, which `roi_boxes`, an `RfcnHead`,
    makes of them.

    Source: Dai et al. 2016 (https://arxiv.org/abs/1605.06409); the original's
    `meta_architectures/rfcn_meta_arch.py`.
    """
