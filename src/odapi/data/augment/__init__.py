"""Random augmentations of training samples: `(sample, rng) -> sample`."""
