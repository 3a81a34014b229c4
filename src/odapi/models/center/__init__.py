"""CenterNet and its tasks: boxes, keypoints, masks, DensePose, tracking and DeepMAC.

Shapes: b images, k peaks, maps `[b, h, w, c]` of stride 4, whose pixels are called
cells. `center_net.py` is the detector, `task.py` the contract of tasks.
"""
