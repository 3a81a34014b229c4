"""Training targets: anchors, box coders, matchers, samplers and target assigners.

Anchors are NumPy constants; the rest is written in `keras.ops` with static shapes and
no
variables: a choice of math is a frozen dataclass. Shape shorthand: `b` images, `n`
groundtruth objects per image (padded, see `Groundtruth.valid`), `anchors` or `m`
anchors, `k` keypoints. A match holds, per anchor, the index of its object, or
`BACKGROUND` or `IGNORED`.
"""
