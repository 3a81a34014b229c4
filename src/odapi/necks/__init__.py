"""Necks: feature pyramids and decoders between backbone and heads.

A neck takes the list of the backbone's maps `[b, h, w, c]`, largest first, and returns
the list of maps that the heads take: one per level, or one of stride 4 for CenterNet.
"""
