"""Backbones: image classifiers cut to their feature maps, and one table of them all.

Images are normalized, `[b, h, w, 3]` or with additional channels; feature maps
`[b, h, w, c]`, largest first. A map at level n has stride `2**n`. `table.py` maps the
extractor types of configs to backbones. Layer names are those of Keras Applications,
so that its weights load.
"""
