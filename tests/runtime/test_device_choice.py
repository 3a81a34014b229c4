"""`--device`: the environment of each backend, and refusals before work starts."""

import pytest

from odapi.errors import ConfigError
from odapi.runtime import device_choice
from odapi.runtime.device_choice import require_gpu, use_device

NAMES = ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "KERAS_TORCH_DEVICE")


@pytest.mark.parametrize(
    ("device", "visible", "expected"),
    [
        ("cpu", None, ("-1", "cpu", "cpu")),
        ("gpu", None, (None, None, None)),
        ("gpu", "2,3", ("2,3", None, None)),
        ("gpu:1", None, ("1", None, None)),
        ("gpu:1", "2,3", ("3", None, None)),
        ("gpu:0", "GPU-1f", ("GPU-1f", None, None)),
    ],
)
def test_the_environment_of_a_device(monkeypatch, device, visible, expected):
    environ = {"CUDA_VISIBLE_DEVICES": visible} if visible else {}
    monkeypatch.setattr(device_choice.os, "environ", environ)
    use_device(device)
    assert tuple(environ.get(name) for name in NAMES) == expected


@pytest.mark.parametrize("device", ["", "cuda", "cpu:0", "gpu:", "gpu:x", "GPU", "1"])
def test_other_names_are_refused(device):
    with pytest.raises(ConfigError) as raised:
        use_device(device)
    assert str(raised.value) == (
        f"--device: is {device!r}; allowed are cpu, gpu, and gpu:N for one GPU"
    )


def test_a_gpu_beyond_those_that_are_visible_is_refused(monkeypatch):
    monkeypatch.setattr(device_choice.os, "environ", {"CUDA_VISIBLE_DEVICES": "4,5"})
    with pytest.raises(ConfigError) as raised:
        use_device("gpu:2")
    assert str(raised.value) == (
        "--device: is gpu:2, but CUDA_VISIBLE_DEVICES=4,5 has GPUs 0 to 1"
    )


@pytest.mark.backend
def test_a_gpu_is_required_before_work_starts():
    import keras

    from odapi.runtime.devices import computes_on_cpu

    backend = keras.backend.backend()
    if not computes_on_cpu():
        require_gpu("gpu")
        return
    with pytest.raises(ConfigError) as raised:
        require_gpu("gpu:1")
    assert str(raised.value) == (
        f"--device: is gpu:1, but {backend} finds no such GPU\n"
        "  hint: odapi doctor lists the devices; --device cpu computes on the CPU"
    )
