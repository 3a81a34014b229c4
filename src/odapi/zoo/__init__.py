"""Checkpoints of the TF2 Detection Zoo: list, download, import, fine-tuning."""
