"""Which individual an embedding belongs to: the classifier that trains embeddings."""

import keras
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.initializers import Constant, Initializer
from odapi.layers.norm import Norm

# As in the original, padding counts in its statistics.
_NORM = Norm("sync_batch", momentum=0.99, epsilon=0.001, scale=True)


class TrackClassifier(keras.layers.Layer):
    """Scores every individual of the training data for an embedding.

    Args:
        num_tracks: Individuals in all of the data.
        embedding_size: Numbers in an embedding.
        num_layers: Fully connected layers; norm and ReLU follow each but the last.
        hyperparams: Seed and type of all layers.

    Source: Zhang et al. 2020 (https://arxiv.org/abs/2004.01888), section 3.3.
    """

    def __init__(
        self,
        num_tracks: int,
        embedding_size: int,
        num_layers: int,
        hyperparams: Hyperparams,
        **kwargs,
    ):
        super().__init__(name="track_classifier", dtype=hyperparams.dtype, **kwargs)
        for name, value in (
            ("num_track_ids", num_tracks),
            ("reid_embed_size", embedding_size),
            ("num_fc_layers", num_layers),
        ):
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, got {value}")
        self.embedding_size = embedding_size

        def dense(units, name, dtype):
            draw, seed = hyperparams.initializer, hyperparams.seed
            return keras.layers.Dense(
                units,
                name=name,
                dtype=dtype,
                kernel_initializer=Initializer(draw, seed, f"track_classifier/{name}"),
                bias_initializer=Constant(0.0),
            )

        inner = range(num_layers - 1)
        self.dense = [
            dense(embedding_size, f"fc_{n}", hyperparams.dtype) for n in inner
        ]
        self.norms = [_NORM.layer(f"fc_{n}_norm", hyperparams.dtype) for n in inner]
        self.predict = dense(num_tracks, "predict", "float32")

    def build(self, input_shape=None):
        """Creates the variables; the size of an embedding is known."""
        shape = (None, None, self.embedding_size)
        for dense, norm in zip(self.dense, self.norms, strict=True):
            dense.build(shape)
            norm.build((None, None, 1, self.embedding_size))
        self.predict.build(shape)

    def call(self, embeddings, training=False):
        """Returns logits `[b, n, tracks]` of embeddings `[b, n, embedding_size]`."""
        x = embeddings
        for dense, norm in zip(self.dense, self.norms, strict=True):
            x = norm(dense(x)[:, :, None], training=training)
            x = ops.relu(x[:, :, 0])
        return self.predict(x)
