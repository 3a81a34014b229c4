"""Sources: datasets with random access to samples, one file per format."""

from odapi.data.sources.open import open_source

__all__ = ["open_source"]
