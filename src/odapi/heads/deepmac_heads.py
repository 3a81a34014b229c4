"""DeepMAC's mask heads: from crops and instance embeddings to mask logits.

Source: Birodkar et al. 2021 (https://arxiv.org/abs/2104.00613).
"""

from collections.abc import Sequence

import keras
from keras import ops

from odapi.layers.hyperparams import Hyperparams
from odapi.layers.initializers import Constant, Initializer
from odapi.layers.norm import Norm
from odapi.layers.reduced_precision import Dense
from odapi.structures import Tensor

# Defaults of the small ResNets.
RESNET_HYPERPARAMS = Hyperparams(
    activation="relu", norm=Norm(momentum=0.99, epsilon=1.001e-5, scale=True)
)
_HIDDEN = 1024

# Per stage: channels as multiples of the first convolution's, and blocks.
RESNETS = {
    "resnet4": ((2, 2),),
    "resnet8": ((2, 4),),
    "resnet12": ((2, 6),),
    "resnet16": ((2, 8),),
    "resnet20": ((2, 8), (3, 2)),
}


class MaskHead(keras.layers.Layer):
    """Network over crops, optionally concatenated with the instance embedding.

    Args:
        net: Layer from `[n, h, w, c]` to a map, or to a list whose last map is used.
        use_embedding: Whether the embedding is concatenated to the channels of each
            cell.
        hyperparams: Hyperparams of the last convolution.
        seed: Seed of the random sampling in the loss.
    """

    def __init__(
        self,
        net: keras.layers.Layer,
        use_embedding: bool = True,
        hyperparams: Hyperparams | None = None,
        seed: int = 0,
        name: str = "mask_net",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        hyperparams = hyperparams or Hyperparams()
        self.net = net
        self.use_embedding = use_embedding
        self.project_out = hyperparams.conv(
            1, 1, f"{name}/project_out", use_bias=True, dtype="float32"
        )
        self.rng = keras.random.SeedGenerator(seed)

    def build(self, pixels_shape: Sequence, embedding_shape: Sequence):
        """Creates the variables, for crops `[n, h, w, c]`, embeddings `[n, e]`."""
        extra = embedding_shape[-1] if self.use_embedding else 0
        shape = (*pixels_shape[:3], pixels_shape[3] + extra)
        self.net.build(shape)
        found = self.net.compute_output_shape(shape)
        shape = found[-1] if isinstance(found, list) else found
        if shape[-1] == 1:
            self.project_out = keras.layers.Identity(name="project_out")
        self.project_out.build(tuple(shape))
        self.built = True

    def call(self, pixels: Tensor, embedding: Tensor, training: bool = False) -> Tensor:
        """Returns the mask logits, float32.

        Args:
            pixels: Crops `[n, h, w, c]`.
            embedding: Instance embeddings `[n, e]`.
            training: Whether norms use the statistics of the batch.

        Returns:
            `[n, h, w]`.
        """
        x = pixels
        if self.use_embedding:
            height, width = pixels.shape[1:3]
            maps = ops.broadcast_to(
                embedding[:, None, None, :],
                (ops.shape(embedding)[0], height, width, embedding.shape[-1]),
            )
            x = ops.concatenate([x, maps], axis=-1)
        maps = self.net(x)
        logits = self.project_out(maps[-1] if isinstance(maps, list) else maps)
        return ops.cast(ops.squeeze(logits, -1), "float32")


class ProjectionHead(keras.layers.Layer):
    """Inner product of pixel and instance embeddings; without weights."""

    def __init__(self, seed: int = 0, name: str = "mask_net", **kwargs):
        super().__init__(name=name, **kwargs)
        self.rng = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, pixels: Tensor, embedding: Tensor, training: bool = False) -> Tensor:
        """Returns logits `[n, h, w]`; see `MaskHead`."""
        return ops.einsum("nhwc,nc->nhw", pixels, embedding)


class ConditionalHead(keras.layers.Layer):
    """Conditional 1 x 1 convolutions, whose weights are the instance embedding.

    Args:
        depth: Number of convolutions, 1 or more.
        channels: Channels of each convolution but the last.
        inputs: Channels of the crops; equal to `channels` if `depth` is 1.
        seed: Seed of the random sampling in the loss.

    Raises:
        ValueError: `depth` is 1, and `inputs` differs from `channels`.

    Source: Tian et al. 2020 (https://arxiv.org/abs/2003.05664).
    """

    def __init__(
        self,
        depth: int,
        channels: int,
        inputs: int,
        seed: int = 0,
        name: str = "mask_net",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        if depth < 1:
            raise ValueError(f"depth must be 1 or more, got {depth}")
        if depth == 1 and inputs != channels:
            raise ValueError(
                f"with a depth of 1, num_init_channels must be {inputs}, the number of "
                f"input channels, got {channels}"
            )
        self.sizes = [inputs, *[channels] * (depth - 1), 1]
        self.rng = keras.random.SeedGenerator(seed)
        self.built = True

    @property
    def num_weights(self) -> int:
        """Required length of an instance embedding."""
        pairs = zip(self.sizes[:-1], self.sizes[1:], strict=True)
        return sum((before + 1) * after for before, after in pairs)

    def call(self, pixels: Tensor, embedding: Tensor, training: bool = False) -> Tensor:
        """Returns logits `[n, h, w]`; see `MaskHead`."""
        x, start = pixels, 0
        last = len(self.sizes) - 2
        pairs = zip(self.sizes[:-1], self.sizes[1:], strict=True)
        for n, (before, after) in enumerate(pairs):
            middle, end = start + before * after, start + (before + 1) * after
            kernel = ops.reshape(embedding[:, start:middle], (-1, before, after))
            bias = embedding[:, None, None, middle:end]
            x = ops.einsum("nhwi,nio->nhwo", x, kernel) + bias
            x = x if n == last else ops.relu(x)
            start = end
        return ops.squeeze(x, -1)


class MaskResNet(keras.layers.Layer):
    """1 x 1 convolution followed by pre-activation residual blocks.

    Args:
        stages: Channels, as a multiple of `base`, and number of blocks per stage.
        base: Channels of the first convolution.
        hyperparams: Hyperparams of all layers.
        path: Path in the model, on which the initial weights depend.
    """

    def __init__(
        self,
        stages: Sequence[tuple[int, int]],
        base: int,
        hyperparams: Hyperparams = RESNET_HYPERPARAMS,
        path: str = "net",
    ):
        super().__init__(name=path.rsplit("/", 1)[-1], dtype=hyperparams.dtype)
        self.input_layer = hyperparams.conv(
            base, 1, f"{path}/input_layer", use_bias=True
        )
        self.blocks = [
            _Block(base * factor, n == 0, f"{path}/stage_{s}_block_{n}", hyperparams)
            for s, (factor, blocks) in enumerate(stages)
            for n in range(blocks)
        ]

    def build(self, input_shape):
        """Creates the variables."""
        shape = tuple(input_shape)
        steps: list[keras.layers.Layer] = [self.input_layer, *self.blocks]
        for layer in steps:
            layer.build(shape)
            shape = layer.compute_output_shape(shape)

    def call(self, inputs):
        """Returns maps of the size of `inputs [n, h, w, c]`."""
        x = self.input_layer(inputs)
        for block in self.blocks:
            x = block(x)
        return x

    def compute_output_shape(self, input_shape):
        """Returns the shape of the output, without running anything."""
        return (*input_shape[:3], self.blocks[-1].filters)


class _Block(keras.layers.Layer):
    """Pre-activation residual block of CenterNet's small ResNets, without strides."""

    def __init__(self, filters: int, first: bool, path: str, make: Hyperparams):
        super().__init__(name=path.rsplit("/", 1)[-1], dtype=make.dtype)
        self.filters = filters
        self.shortcut = None
        if first:
            self.shortcut = make.conv(filters, 1, f"{path}/0_conv", use_bias=True)
        self.preact_bn = make.norm_layer("preact_bn")
        self.first = make.conv(filters, 3, f"{path}/1_conv", use_bias=False)
        self.first_bn = make.norm_layer("1_bn")
        self.second = make.conv(filters, 3, f"{path}/2_conv", use_bias=False)
        self.second_bn = make.norm_layer("2_bn")
        self.activate = make.activate

    def build(self, input_shape):
        """Creates the variables."""
        self.preact_bn.build(input_shape)
        if self.shortcut is not None:
            self.shortcut.build(input_shape)
        self.first.build(input_shape)
        shape = self.compute_output_shape(input_shape)
        for layer in (self.first_bn, self.second, self.second_bn):
            layer.build(shape)

    def call(self, inputs):
        """Returns `[n, h, w, filters]` of `inputs [n, h, w, c]`."""
        before = self.activate(self.preact_bn(inputs))
        shortcut = inputs if self.shortcut is None else self.shortcut(before)
        x = self.activate(self.first_bn(self.first(before)))
        return shortcut + self.activate(self.second_bn(self.second(x)))

    def compute_output_shape(self, input_shape):
        """Returns the shape of the output, without running anything."""
        return (*input_shape[:3], self.filters)


class FullyConnected(keras.layers.Layer):
    """Fully connected layers from the whole crop to the whole mask.

    Args:
        base: Channels of the first convolution, 1 x 1.
        mask_size: Rows and columns of crops and masks.
        hyperparams: Hyperparams of all layers.
        path: Path in the model, on which the initial weights depend.
    """

    def __init__(
        self, base: int, mask_size: int, hyperparams: Hyperparams, path: str = "net"
    ):
        super().__init__(name=path.rsplit("/", 1)[-1], dtype=hyperparams.dtype)
        self.mask_size = mask_size
        make = hyperparams
        self.input_layer = make.conv(base, 1, f"{path}/input_layer", use_bias=True)

        def dense(units, name):
            return Dense(
                units,
                name=name,
                kernel_initializer=Initializer(
                    make.initializer, make.seed, f"{path}/{name}"
                ),
                bias_initializer=Constant(0.0),
                dtype=make.dtype,
            )

        self.fc1, self.fc2 = dense(_HIDDEN, "fc1"), dense(mask_size**2, "fc2")
        self.activate = make.activate

    def build(self, input_shape):
        """Creates the variables."""
        self.input_layer.build(tuple(input_shape))
        inputs = self.mask_size**2 * self.input_layer.filters
        self.fc1.build((None, inputs))
        self.fc2.build((None, _HIDDEN))

    def call(self, inputs):
        """Returns `[n, h, w, 1]` of `inputs [n, h, w, c]`."""
        x = self.input_layer(inputs)
        x = ops.reshape(x, (-1, self.mask_size**2 * x.shape[-1]))
        x = self.fc2(self.activate(self.fc1(x)))
        return ops.reshape(x, (-1, self.mask_size, self.mask_size, 1))

    def compute_output_shape(self, input_shape):
        """Returns the shape of the output, without running anything."""
        return (input_shape[0], self.mask_size, self.mask_size, 1)
