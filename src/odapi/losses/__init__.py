"""Losses: frozen dataclasses and functions without variables.

Elementary losses (`boxes`, `classification`) return one value per box, anchor or
number; the losses of detector families sum and normalize them and return scalars by the
names of the TF Object Detection API. Shape shorthand: `b` images, `anchors` anchors,
`n` regions or objects per image, `k` keypoints, `h, w, c` rows, columns and channels of
a map.
"""
