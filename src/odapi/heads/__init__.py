"""Heads: layers from feature maps or RoI features to raw predictions.

Shapes: b images, n RoIs of all images, `[b, h, w, c]` maps and `[n, h, w, d]` RoI
features. Heads of anchors return `[b, anchors, ...]`, ordered by level, row, column and
anchor of the location. Logits are not yet scores, and codes are boxes encoded relative
to anchors or proposals; all outputs are float32.
"""
