"""COCO metrics of boxes, masks and keypoints, computed by the package hotcoco.

Names and numbers are those of the TF Object Detection API.
"""
