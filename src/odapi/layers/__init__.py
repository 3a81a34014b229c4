"""Layers and layer factories shared by backbones, necks and heads.

`Hyperparams` is the one choice of initializer, regularizer, activation and
normalization for a part of a model; it creates the convolutions of `conv` and the norms
of `norm`. Maps are `[b, h, w, c]`.
"""
