"""From normalized images to the maps of stride 4 that the heads of CenterNet see."""

import keras

from odapi.models.center.task import STRIDE
from odapi.models.single_stage.feature_extractor import FeatureExtractor


class CenterExtractor(FeatureExtractor):
    """A backbone and a decoder, or a backbone that gives such maps by itself.

    The maps have a cell for every 4 x 4 pixels, also where the size of the images
    does not divide by the stride of the backbone; the original refuses those, or
    gives maps that reach over the image.

    Args:
        backbone: From images to feature maps, named "backbone".
        neck: From these to a list of maps, named "neck"; None: they are the maps.
    """

    def __init__(
        self,
        backbone: keras.layers.Layer,
        neck: keras.layers.Layer | None,
        **kwargs,
    ):
        super().__init__(backbone, neck, **kwargs)

    def call(self, images, training=False):
        """Returns maps `[b, ceil(h / 4), ceil(w / 4), c]`, one a stage."""
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
        """How many maps there are, each of which the heads look at in training."""
        return len(self.compute_output_shape((None, 64, 64, 3)))
