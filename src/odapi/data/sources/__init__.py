"""Datasets on disk, with random access."""

from odapi.data.sources.open import open_source

__all__ = ["open_source"]
