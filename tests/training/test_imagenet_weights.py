"""The published weights that an extractor starts from."""

import pytest

from odapi.checkpoints import pretrained
from odapi.config.load import load_config
from odapi.training.initialize import initialize
from small_models import small_config

_EXTRACTOR = "model.ssd.feature_extractor"


class _AskedError(Exception):
    """Stands for the download."""


@pytest.fixture
def asked_for(monkeypatch):
    """Returns the application and the arguments that a config downloads."""

    class Detector:
        def variables_for(self, part):
            return {}

    def download(application, **arguments):
        raise _AskedError(application, arguments)

    monkeypatch.setattr(pretrained, "download", download)

    def ask(config):
        with pytest.raises(_AskedError) as asked:
            initialize(config, Detector())
        return asked.value.args

    return ask


@pytest.mark.parametrize(
    "kind, multiplier, expected",
    [
        ("ssd_mobilenet_v2_keras", 0.35, ("MobileNetV2", {"alpha": 0.35})),
        # This backbone multiplies its channels twice.
        ("ssd_mobilenet_v1_keras", 1.0, ("MobileNet", {"alpha": 1.0})),
        ("ssd_mobilenet_v1_fpn_keras", 0.5, ("MobileNet", {"alpha": 0.25})),
        ("ssd_resnet50_v1_fpn_keras", 1.0, ("ResNet50", {})),
        ("ssd_resnet101_v1_fpn_keras", 1.0, ("ResNet101", {})),
        ("ssd_resnet152_v1_fpn_keras", 1.0, ("ResNet152", {})),
    ],
)
def test_weights_of_keras_applications(asked_for, kind, multiplier, expected):
    config = small_config(
        "ssd",
        f"{_EXTRACTOR}.type={kind}",
        f"{_EXTRACTOR}.depth_multiplier={multiplier}",
        "options.backbone_weights=imagenet",
    )
    assert asked_for(config) == expected


@pytest.mark.parametrize(
    "kind, multiplier, expected",
    [
        ("mobilenet_v2_fpn", 0.5, ("MobileNetV2", {"alpha": 0.5})),
        ("resnet_v1_101_fpn", 1.0, ("ResNet101", {})),
        ("resnet_v2_50", 1.0, ("ResNet50V2", {})),
    ],
)
def test_weights_for_center_net(asked_for, kind, multiplier, expected):
    extractor = f'type: "{kind}" depth_multiplier: {multiplier}'
    text = f"model {{ center_net {{ feature_extractor {{ {extractor} }} }} }}"
    config = load_config(text, ["options.backbone_weights=imagenet"])
    assert asked_for(config) == expected


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("faster_rcnn_resnet101_keras", "ResNet101"),
        ("faster_rcnn_resnet152_fpn_keras", "ResNet152"),
        ("faster_rcnn_inception_resnet_v2_keras", "InceptionResNetV2"),
    ],
)
def test_weights_for_two_stages(asked_for, kind, expected):
    text = f'model {{ faster_rcnn {{ feature_extractor {{ type: "{kind}" }} }} }}'
    config = load_config(text, ["options.backbone_weights=imagenet"])
    assert asked_for(config) == (expected, {})
