"""Feature extractor: backbone and neck."""

from typing import Any

import keras

from odapi.layers.rematerialize import Rematerialized
from odapi.models.preprocess import pad_to_multiple


class FeatureExtractor(keras.layers.Layer):
    """Backbone and optional neck, from normalized images to feature maps.

    Args:
        backbone: Layer from images to feature maps, named "backbone".
        neck: Layer from these to the maps of the heads, named "neck"; None: the maps
            of the backbone are returned.
        multiple: Images are padded to multiples of this size.
    """

    def __init__(
        self,
        backbone: keras.layers.Layer,
        neck: keras.layers.Layer | None,
        multiple: int = 1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if multiple < 1:
            raise ValueError(f"pad_to_multiple must be 1 or more, got {multiple}")
        self.backbone = backbone
        self.neck: Any = neck
        self.multiple = multiple
        # In training, the backbone whose blocks the backward pass computes again.
        self.recomputed: Rematerialized | None = None
        self._channels = 3  # Of the images.

    def rematerialize(self) -> None:
        """Makes the backward pass compute the blocks of the backbone again.

        Raises:
            ValueError: The backbone has no blocks.
        """
        self.recomputed = Rematerialized(self.backbone)

    def build(self, input_shape):
        """Creates the variables."""
        self._channels = input_shape[-1]
        if not self.backbone.built:
            self.backbone.build(input_shape)
        if self.neck is not None:
            self.neck.build(self._maps(input_shape))

    def call(self, images, training=False):
        """Returns feature maps, largest first, of normalized images `[b, h, w, c]`."""
        images = pad_to_multiple(images, self.multiple)
        if training and self.recomputed is not None:
            maps = self.recomputed(images)
        else:
            maps = self.backbone(images, training=training)
        if not isinstance(maps, list):
            maps = [maps]
        return maps if self.neck is None else self.neck(maps, training=training)

    def compute_output_shape(self, input_shape):
        """Returns the shapes of the feature maps, without running anything."""
        maps = self._maps(input_shape)
        return maps if self.neck is None else self.neck.compute_output_shape(maps)

    def grid_sizes(self, image_size: tuple[int, int]) -> list[tuple[int, int]]:
        """Returns height and width of each feature map, for images `(h, w)`."""
        images = (None, *image_size, self._channels)
        return [(shape[1], shape[2]) for shape in self.compute_output_shape(images)]

    def _maps(self, input_shape):
        batch, height, width, channels = input_shape
        height, width = (n + -n % self.multiple for n in (height, width))
        maps = self.backbone.compute_output_shape((batch, height, width, channels))
        return maps if isinstance(maps, list) else [maps]
