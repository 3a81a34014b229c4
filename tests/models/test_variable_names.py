"""Names of variables in checkpoints: existing checkpoints depend on every one.

The expected names are files, one per model, recorded before the classes of
`odapi.models` got their present names; each line is "path shape".
"""

import pathlib

import pytest

from odapi.build.detector import build_detector
from small_models import small_config

_FOLDER = pathlib.Path(__file__).parent / "variable_names"
_RCNN = "model.faster_rcnn"
_PREDICTOR = f"{_RCNN}.second_stage_box_predictor.mask_rcnn_box_predictor"
_CENTER = "model.center_net"
# Family of `small_models` and overrides, by the name of the expected file.
MODELS = {
    "ssd": ("ssd",),
    "fpn": ("fpn",),
    "efficientdet": ("bifpn",),
    "center_net": ("center",),
    "faster_rcnn": ("rcnn",),
    "mask_rcnn": (
        "rcnn",
        f"{_RCNN}.number_of_stages=3",
        f"{_PREDICTOR}.predict_instance_masks=true",
        f"{_PREDICTOR}.conv_hyperparams={{ regularizer {{ }} initializer {{ }} }}",
    ),
    "context_rcnn": (
        "rcnn",
        f"{_RCNN}.context_config={{ max_num_context_features: 4 }}",
    ),
    "deepmac": (
        "center",
        f"{_CENTER}.deepmac_mask_estimation={{ network_type: 'hourglass10' "
        "num_init_channels: 8 dim: 8 pixel_embedding_dim: 4 mask_size: 16 "
        "classification_loss { weighted_sigmoid { } } }",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_variables_keep_the_names_of_existing_checkpoints(name):
    detector = build_detector(small_config(*MODELS[name]))
    lines = [f"{k} {tuple(v.shape)}" for k, v in detector.named_variables().items()]
    assert lines == (_FOLDER / f"{name}.txt").read_text().splitlines()
