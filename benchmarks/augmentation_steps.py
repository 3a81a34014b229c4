"""Time of each augmentation on one image, beside the same step in TensorFlow.

    python -m benchmarks.augmentation_steps [--step NAME]

A decoded image of 640 x 480 pixels with 20 boxes is augmented and resized to
320 x 320, on one core; `resize only` is the time without a step. TensorFlow runs the
same work as a tf.data pipeline in float32, as the original does. Steps that the
original does not have, or that fail in it, have no second number.
`benchmarks.input_pipeline` writes the table to its result.
"""

import argparse
import os
import time

import numpy as np

HEIGHT, WIDTH, SIZE, BOXES = 480, 640, 320, 20

# Steps of data_augmentation_options as proto text, always applied.
STEPS = {
    "resize only": "",
    "random_horizontal_flip": "probability: 1",
    "random_distort_color": "",
    "adjust_gamma": "gamma: 0.7",
    "random_rgb_to_gray": "probability: 1",
    "random_pixel_value_scale": "",
    "random_black_patches": "",
    "random_jpeg_quality": "",
    "random_patch_gaussian": "min_patch_size: 150",
    "normalize_image": "original_maxval: 255",
    "subtract_channel_mean": "means: [124, 117, 104]",
    "autoaugment_image": "",
    "random_image_scale": "",
    "random_jitter_boxes": "",
    "random_pad_image": "",
    "random_crop_pad_image": "min_object_covered: 0.5",
    "random_crop_to_aspect_ratio": "",
    "random_resize_method": "target_height: 400 target_width: 400",
    "resize_image": "new_height: 400 new_width: 400",
    "ssd_random_crop_pad": "",
    "ssd_random_crop_fixed_aspect_ratio": "",
    "ssd_random_crop_pad_fixed_aspect_ratio": "",
    "random_self_concat_image": (
        "concat_vertical_probability: 1 concat_horizontal_probability: 1"
    ),
    "drop_label_probabilistically": "label: 1 drop_probability: 0.5",
    "remap_labels": "original_labels: [1, 2] new_label: 3",
    "random_downscale_to_target_pixels": (
        "min_target_pixels: 100000 max_target_pixels: 200000"
    ),
}
# Augmentations of odapi, likewise.
OWN = {
    "random_mosaic": "",
    "random_mixup": "probability: 1",
    "random_copy_paste": "probability: 1",
    "random_erasing": "probability: 1",
    "random_blur": "probability: 1 motion_probability: 0.5",
    "random_noise": "probability: 1",
    "random_perspective": "max_rotation: 10 max_shear: 3",
    "random_perspective, tilted": "max_rotation: 10 max_perspective: 0.2",
}
_ROUNDS, _SECONDS = 5, 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--step", help="measure only this one")
    args = parser.parse_args()
    print("\n".join(table(args.step)))


def table(only: str | None = None) -> list[str]:
    """Returns the lines of the table; one step only, if given."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from benchmarks.augmentation_steps_tf import tf_runner

    lines = [
        "## Single steps, milliseconds per image",
        "",
        "| step | odapi | TensorFlow | ratio |",
        "|---|---:|---:|---:|",
    ]
    for name in [only] if only else [*STEPS, *OWN]:
        ours, theirs = our_runner(name), tf_runner(name)
        times = [(_time(ours), _time(theirs) if theirs else 0) for _ in range(_ROUNDS)]
        # The fastest round is the one least disturbed by other load.
        fast, slow = np.min(times, axis=0) * 1e3
        cells = (f"{slow:.2f}", f"{slow / fast:.1f}") if theirs else ("-", "-")
        lines.append(f"| {name} | {fast:.2f} | {cells[0]} | {cells[1]} |")
    return [
        *lines,
        "",
        f"One image of {WIDTH} x {HEIGHT} with {BOXES} boxes, augmented and resized to",
        f"{SIZE} x {SIZE} on one core, the fastest of {_ROUNDS} rounds. A dash: the",
        "original has no such step, or it fails in TF2.",
        "",
    ]


def our_runner(name: str):
    """Returns a function that augments and resizes one image."""
    from odapi.data.augment.chain import augment
    from odapi.data.augment.partners import Partners
    from odapi.data.image.resize import FixedShape

    augmentations, resizer = _augmentations(name), FixedShape(SIZE, SIZE)
    image, boxes, classes = make_sample()
    sample = {"image": image, "image_id": "a", "boxes": boxes, "classes": classes}
    rng = np.random.default_rng(0)
    # Combined with itself, at the size of the resizer, as in a training.
    partners = Partners(lambda _: sample, lambda _: 0, sample, resizer.true_size)

    def run() -> None:
        resizer(augment(sample, rng, augmentations, partners=partners))

    return run


def _augmentations(name: str):
    from odapi.build.train_augmentations import build_train_augmentations
    from odapi.config.load import load_config

    step = name.partition(",")[0]
    if name in OWN:
        text = f"[odapi.options] {{ augmentations {{ {step} {{ {OWN[name]} }} }} }}"
    elif name == "resize only":
        return ()
    else:
        text = f"train_config {{ data_augmentation_options {{ {step} {{ "
        text += f"{STEPS[name]} }} }} }}"
    return build_train_augmentations(load_config(text))


def make_sample() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns an image with smooth shapes, boxes and classes."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    waves = [np.sin(x / 40 + i) + np.cos(y / 30 - i) for i in range(3)]
    image = 128 + 50 * np.stack(waves, axis=-1) + rng.normal(0, 6, (HEIGHT, WIDTH, 3))
    low = rng.uniform(0, 0.6, (BOXES, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.05, 0.4, (BOXES, 2))], axis=1)
    classes = rng.integers(0, 3, BOXES).astype(np.int32)
    return image.clip(0, 255).astype(np.uint8), boxes.astype(np.float32), classes


def _time(run) -> float:
    """Returns the seconds of a call."""
    run()
    calls, start = 0, time.perf_counter()
    while time.perf_counter() - start < _SECONDS:
        run()
        calls += 1
    return (time.perf_counter() - start) / calls


if __name__ == "__main__":
    main()
