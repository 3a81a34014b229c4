"""Classifier of tracks, which trains re-identification embeddings."""

import keras
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.initializers import Constant, Initializer
from odapi.layers.norm import Norm
from odapi.layers.reduced_precision import Dense

# As in the original, its statistics include padding.
_NORM = Norm("sync_batch", momentum=0.99, epsilon=0.001, scale=True)


class TrackClassifier(keras.layers.Layer):
    """Predicts the logits of all tracks of the training dataset from an embedding.

    Args:
        num_tracks: Number of tracks in the dataset.
        embedding_size: Length of an embedding.
        num_layers: Number of fully connected layers; norm and ReLU follow each but
            the last.
        hyperparams: Seed and dtype policy of all layers.

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
            return Dense(
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
        """Creates the variables; the input shape is known from `embedding_size`."""
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
