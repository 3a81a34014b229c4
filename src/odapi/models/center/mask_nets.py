"""Networks of DeepMAC's mask head, by their names in configs."""

import dataclasses
import re

import keras

from odapi.backbones.hourglass import DEFAULT_HYPERPARAMS as HOURGLASS
from odapi.backbones.hourglass import Hourglass, hourglass_plan
from odapi.heads.deepmac_heads import (
    RESNET_HYPERPARAMS,
    RESNETS,
    ConditionalHead,
    FullyConnected,
    MaskHead,
    MaskResNet,
    ProjectionHead,
)
from odapi.layers.hyperparams import Hyperparams

PROJECTION, CONDITIONAL, FULLY_CONNECTED = (
    "embedding_projection",
    "cond_inst",
    "fully_connected",
)
_NAME = "mask_net"
_PATH = f"{_NAME}/net"

# Number of layers and options; hourglasses of the mask head start at full size.
_HOURGLASSES: dict[str, tuple[int, dict[str, bool]]] = {
    **{f"hourglass{n}": (n, {}) for n in (10, 20, 32, 52, 100)},
    # Without downsampling, and without shortcuts.
    "hourglass20_uniform_size": (20, {"halve": False}),
    "hourglass20_no_shortcut": (20, {"shortcut": False}),
}
NETWORKS = (*_HOURGLASSES, *RESNETS, FULLY_CONNECTED, PROJECTION, f"{CONDITIONAL}N")


@dataclasses.dataclass(frozen=True)
class MaskShape:
    """Input of the mask head and size of its masks.

    Args:
        side: Rows and columns of the crop of a box.
        whole: Whether the input is the whole map for each box instead of a crop.
        crop: Rows and columns of the masks cropped from the output, if `whole`.
        use_xy: Whether the input includes coordinates relative to the box center.
    """

    side: int = 32
    whole: bool = False
    crop: int = 256
    use_xy: bool = True

    def __post_init__(self):
        for name, value in (
            ("mask_size", self.side),
            ("postprocess_crop_size", self.crop),
        ):
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, got {value}")


@dataclasses.dataclass(frozen=True)
class MaskNetwork:
    """Network of the mask head.

    Args:
        kind: One of `NETWORKS`, with a number in place of N.
        channels: Channels of the first convolution.
        use_embedding: Whether its input includes the instance embedding.
        mask_size: Rows and columns of the crops, for fully connected layers.

    Raises:
        ValueError: The network is unknown, or incompatible with the other options.
    """

    kind: str = "hourglass52"
    channels: int = 64
    use_embedding: bool = True
    mask_size: int = 32

    def __post_init__(self):
        known = (*_HOURGLASSES, *RESNETS, FULLY_CONNECTED, PROJECTION)
        if self.kind not in known and self.depth is None:
            raise ValueError(
                f"unknown network_type {self.kind!r}; available: {', '.join(NETWORKS)}"
            )
        if self.has_no_weights and self.use_embedding:
            raise ValueError(
                f"the instance embedding holds the weights of {self.kind} and cannot "
                "be an input as well: set use_instance_embedding: false"
            )
        if self.channels < 1:
            raise ValueError(
                f"num_init_channels must be 1 or more, got {self.channels}"
            )

    @property
    def depth(self) -> int | None:
        """Number of convolutions of a conditional head; None for other networks."""
        match = re.fullmatch(rf"{CONDITIONAL}(\d+)", self.kind)
        return int(match[1]) if match else None

    @property
    def has_no_weights(self) -> bool:
        """True if all weights of the network come from the instance embedding."""
        return self.kind == PROJECTION or self.depth is not None

    def layer(
        self, pixels: int, embedding: int, seed: int = 0, dtype: str = "float32"
    ) -> keras.layers.Layer:
        """Returns the mask head, built.

        Args:
            pixels: Channels of a crop.
            embedding: Length of an instance embedding.
            seed: Seed of the initial weights.
            dtype: Dtype policy of the layers.

        Raises:
            ValueError: The length of the embedding does not match the network.
        """
        if self.kind == PROJECTION:
            if pixels != embedding:
                raise ValueError(
                    f"{PROJECTION} needs dim equal to pixel_embedding_dim and use_xy: "
                    f"false; got crops of {pixels} channels and dim {embedding}"
                )
            return ProjectionHead(seed)
        if self.depth is not None:
            head = ConditionalHead(self.depth, self.channels, pixels, seed)
            if head.num_weights != embedding:
                raise ValueError(
                    f"{self.kind} on {pixels} channels needs dim {head.num_weights}, "
                    f"got {embedding}"
                )
            return head
        net = self._net(seed, dtype)
        plain = Hyperparams(seed=seed, dtype=dtype)
        head = MaskHead(net, self.use_embedding, plain, seed, _NAME)
        head.build((None, self.mask_size, self.mask_size, pixels), (None, embedding))
        return head

    def _net(self, seed: int, dtype: str) -> keras.layers.Layer:
        def seeded(hyperparams: Hyperparams) -> Hyperparams:
            return dataclasses.replace(hyperparams, seed=seed, dtype=dtype)

        if self.kind in RESNETS:
            make = seeded(RESNET_HYPERPARAMS)
            return MaskResNet(RESNETS[self.kind], self.channels, make, _PATH)
        if self.kind == FULLY_CONNECTED:
            make = Hyperparams(seed=seed, dtype=dtype)
            return FullyConnected(self.channels, self.mask_size, make, _PATH)
        layers, options = _HOURGLASSES[self.kind]
        plan = hourglass_plan(layers, self.channels, shrink=False, **options)
        return Hourglass(plan, seeded(HOURGLASS), _PATH, name="net", dtype=dtype)
