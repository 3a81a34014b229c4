"""Two-stage detectors: Faster, Mask and Context R-CNN and R-FCN.

Shapes: b images, p proposals (RoIs) per image, k classes. `pool_and_encode` pools crops
`[b, p, s, s, c]` and encodes them to features `[b, p, h, w, d]`; layers see RoIs of all
images in one batch, `[b * p, ...]` (`flatten_rois`, `unflatten_rois`). Tasks add masks
or keypoints in a third stage.
"""
