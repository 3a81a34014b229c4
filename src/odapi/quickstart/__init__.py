"""The quick start: a synthetic dataset, a recipe, and one run of every step."""
