"""Non-maximum suppression (NMS) with exact parity to the TF Object Detection API.

`batched` is the public entry: it takes the best pairs of (anchor, class) from
`candidates` and runs the greedy or soft loop of `greedy` on them, resuming with further
candidates until the result equals that over all pairs. Shape shorthand: `b` images,
`k` candidates, `n` results per image.
"""
