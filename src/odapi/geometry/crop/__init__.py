"""Crops of maps by box: `crop_and_resize` and RoIAlign, over one bilinear sampler."""
