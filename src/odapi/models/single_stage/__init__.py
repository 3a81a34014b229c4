"""Single-stage detectors: SSD, RetinaNet and EfficientDet.

They differ only in backbone, neck, head and anchors.
"""
