"""Geometry of boxes, masks, keypoints and heatmaps: pure functions without weights.

Everything but `overlap` and `masks`, which work on NumPy arrays, is written in
`keras.ops` with static shapes. Boxes are `[y_min, x_min, y_max, x_max]` and points (y,
x). Shape
shorthand: `b` images, `n` boxes or objects per image, `k` candidates or keypoints,
`h, w, c` rows, columns and channels of a map. Positions in cells count from the center
of the first cell.
"""
