"""Feature extractor of CenterNet: maps of stride 4 from normalized images."""

import keras

from odapi.models.center.task import STRIDE
from odapi.models.single_stage.feature_extractor import FeatureExtractor


class CenterExtractor(FeatureExtractor):
    """Backbone and decoder, or a backbone whose maps have stride 4.

    The maps have one cell per 4 x 4 pixels, even if the image size is not a multiple
    of the stride of the backbone; the original refuses such sizes or returns maps
    that are larger than the image.

    Args:
        backbone: Layer from images to feature maps, named "backbone".
        neck: Layer from these to a list of maps, named "neck"; None: the maps of the
            backbone are returned.
    """

    def __init__(
        self,
        backbone: keras.layers.Layer,
        neck: keras.layers.Layer | None,
        **kwargs,
    ):
        super().__init__(backbone, neck, **kwargs)

    def call(self, images, training=False):
        """Returns maps `[b, ceil(h / 4), ceil(w / 4), c]`, one per stage."""
        height, width = (-(-n // STRIDE) for n in images.shape[1:3])
        maps = super().call(images, training=training)
        return [
            x if tuple(x.shape[1:3]) == (height, width) else x[:, :height, :width]
            for x in maps
        ]

    def compute_output_shape(self, input_shape):
        """Returns the shapes of the maps, without running anything."""
        height, width = (
            None if n is None else -(-n // STRIDE) for n in input_shape[1:3]
        )
        return [
            (shape[0], height, width, shape[-1])
            for shape in super().compute_output_shape(input_shape)
        ]

    @property
    def num_stages(self) -> int:
        """Number of maps; the heads run on each of them in training."""
        return len(self.compute_output_shape((None, 64, 64, 3)))
