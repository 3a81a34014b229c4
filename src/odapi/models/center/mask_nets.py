"""The networks of DeepMAC's mask head, by the names in configs."""

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

# Hourglasses of the mask head begin at full size.
_HOURGLASSES: dict[str, tuple[int, dict[str, bool]]] = {
    **{f"hourglass{n}": (n, {}) for n in (10, 20, 32, 52, 100)},
    # Without any halving, and without paths around it.
    "hourglass20_uniform_size": (20, {"halve": False}),
    "hourglass20_no_shortcut": (20, {"around": False}),
}
NETWORKS = (*_HOURGLASSES, *RESNETS, FULLY_CONNECTED, PROJECTION, f"{CONDITIONAL}N")


@dataclasses.dataclass(frozen=True)
class MaskShape:
    """What the mask head sees, and how large masks are.

    Args:
        side: Rows and columns of what is cut out of the maps for a box.
        whole: The head sees the whole map for each box instead.
        crop: Then, rows and columns of the masks that are cut out at the end.
        use_xy: It also sees where the cells lie, from the center of the box.
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
    """Which network predicts masks.

    Args:
        kind: One of `NETWORKS`, with a number in place of N.
        channels: Of its first convolution.
        use_embedding: It sees the object's vector.
        mask_size: Side of the crops, for fully connected layers.

    Raises:
        ValueError: No such network, or one that does not go with the other choices.
    """

    kind: str = "hourglass52"
    channels: int = 64
    use_embedding: bool = True
    mask_size: int = 32

    def __post_init__(self):
        known = (*_HOURGLASSES, *RESNETS, FULLY_CONNECTED, PROJECTION)
        if self.kind not in known and self.depth is None:
            raise ValueError(
                f"network_type {self.kind!r} is not known; there are "
                f"{', '.join(NETWORKS)}"
            )
        if self.has_no_weights and self.use_embedding:
            raise ValueError(
                f"{self.kind} is made by the embedding of an object and cannot see "
                "it as well: use_instance_embedding must be false"
            )
        if self.channels < 1:
            raise ValueError(
                f"num_init_channels must be 1 or more, got {self.channels}"
            )

    @property
    def depth(self) -> int | None:
        """Convolutions of a conditional head; None for other networks."""
        match = re.fullmatch(rf"{CONDITIONAL}(\d+)", self.kind)
        return int(match[1]) if match else None

    @property
    def has_no_weights(self) -> bool:
        """Whether the vector of an object is all that the network has."""
        return self.kind == PROJECTION or self.depth is not None

    def layer(
        self, pixels: int, embedding: int, seed: int = 0, dtype: str = "float32"
    ) -> keras.layers.Layer:
        """Returns the mask head, built.

        Args:
            pixels: Channels of a crop.
            embedding: Numbers in the vector of an object.
            seed: Of its weights.
            dtype: Dtype policy of its layers.

        Raises:
            ValueError: The vector has not as many numbers as the network needs.
        """
        if self.kind == PROJECTION:
            if pixels != embedding:
                raise ValueError(
                    f"{PROJECTION} needs dim and pixel_embedding_dim to be the same "
                    f"and use_xy to be false; a crop has {pixels} channels, dim is "
                    f"{embedding}"
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
        def own(hyperparams: Hyperparams) -> Hyperparams:
            return dataclasses.replace(hyperparams, seed=seed, dtype=dtype)

        if self.kind in RESNETS:
            make = own(RESNET_HYPERPARAMS)
            return MaskResNet(RESNETS[self.kind], self.channels, make, _PATH)
        if self.kind == FULLY_CONNECTED:
            make = Hyperparams(seed=seed, dtype=dtype)
            return FullyConnected(self.channels, self.mask_size, make, _PATH)
        layers, options = _HOURGLASSES[self.kind]
        plan = hourglass_plan(layers, self.channels, shrink=False, **options)
        return Hourglass(plan, own(HOURGLASS), _PATH, name="net", dtype=dtype)
