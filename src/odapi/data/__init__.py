"""Datasets on disk, images, augmentation, and the input pipeline."""
