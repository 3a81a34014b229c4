"""Flags of the programs of the TF Object Detection API, and what replaces each.

A script that is moved over from `model_main_tf2.py` or another of these programs gets
the new name of each flag, instead of "No such option".
"""

from collections.abc import Iterator, Sequence
from typing import Any

_RUN = "the argument CHECKPOINT: a run folder, a checkpoint folder or an export"
_MODEL = "the argument MODEL: a run folder, a checkpoint folder or an export"
_DATA = (
    "a dataset is one argument, such as coco:PATH, voc:PATH?split=train or "
    "tfrecord:GLOB: odapi data convert SPEC --to tfrecord --output DIR"
)
_CLASSES = "odapi data convert SPEC --label-map FILE ... selects classes"
_NO_TF1 = "not needed: only TF1 used it"
_DEVICES = "not needed: devices are those of the backend, see odapi doctor"
_CONTEXT = "not needed: an export has all inputs of its model; see docs/context.md"
_EVALUATES = "not needed: odapi train evaluates its checkpoints itself"
_OID = "not supported; evaluate with odapi eval RUN --eval-data SPEC"

# Flags of equal meaning: what replaces them in a subcommand; "": in all others.
_TABLE: tuple[tuple[str, dict[str, str]], ...] = (
    (
        "pipeline_config_path pipeline_config_file",
        {
            "train": "the argument CONFIG",
            "config check": "the argument CONFIG",
            "config show": "the argument CONFIG",
            "config diff": "the arguments A and B",
            "data inspect": "the argument CONFIG",
            "zoo import": "--config",
            "eval": "not needed: the run folder or export contains its config; "
            "--set changes fields",
            "export": "not needed: the run folder contains its config; --set changes "
            "fields",
            "predict": "not needed: the run folder or export contains its config; "
            "--set changes fields",
            "": "odapi train CONFIG --model-dir DIR",
        },
    ),
    (
        "train_config_path input_config_path model_config_path eval_config_path",
        {"": "one pipeline.config with all parts: odapi train CONFIG --model-dir DIR"},
    ),
    (
        "model_dir train_dir",
        {
            "train": "--model-dir",
            "eval": _RUN,
            "export": _RUN,
            "predict": _MODEL,
            "tools predict": _MODEL,
            "zoo import": "the argument CHECKPOINT: the training folder",
            "": "odapi train CONFIG --model-dir DIR",
        },
    ),
    (
        "checkpoint_dir",
        {
            "train": "odapi eval CHECKPOINT evaluates; training evaluates its "
            "checkpoints itself",
            "eval": _RUN,
            "export": _RUN,
            "predict": _MODEL,
            "tools predict": _MODEL,
            "zoo import": "the argument CHECKPOINT: the folder or a prefix in it",
            "": "odapi eval CHECKPOINT",
        },
    ),
    (
        "trained_checkpoint_dir trained_checkpoint_prefix ckpt_path inference_graph",
        {
            "train": "--set train_config.fine_tune_checkpoint=PATH",
            "eval": _RUN,
            "export": _RUN,
            "predict": _MODEL,
            "tools predict": _MODEL,
            "tools infer-detections": "--inference-graph",
            "zoo import": "the argument CHECKPOINT: the folder or a prefix in it",
            "": "odapi export CHECKPOINT OUTPUT",
        },
    ),
    (
        "output_directory output_dir output_path export_dir eval_dir output_metrics "
        "output_tf_record_path_prefix output_tfrecord_path path_to_output_dir "
        "output_annotations",
        {
            "export": "the argument OUTPUT",
            "zoo export-checkpoint": "the argument OUTPUT",
            "train": "--model-dir",
            "config check": "not needed: results are printed; see --json",
            "config show": "not needed: the config is printed",
            "config diff": "not needed: results are printed; see --json",
            "doctor": "not needed: results are printed; see --json",
            "zoo list": "not needed: results are printed; see --json",
            "tools create-cococameratraps": "--output-tfrecord-prefix",
            "tools generate-detections": "--detection-output-tfrecord",
            "tools generate-embeddings": "--embedding-output-tfrecord",
            "tools add-context": "--output-tfrecord",
            "tools infer-detections": "--output-tfrecord-path",
            "data augment": "--gallery",
            "tune": "--model-dir",
            "runs list": "the argument FOLDER",
            "runs compare": "--plot",
            "": "--output",
        },
    ),
    (
        "num_train_steps",
        {
            "train": "--num-steps",
            "quickstart": "--set train_config.num_steps=N",
            "": "odapi train CONFIG --model-dir DIR --num-steps N",
        },
    ),
    (
        "train_batch_size",
        {
            "train": "--batch-size",
            "": "odapi train CONFIG --model-dir DIR --batch-size N",
        },
    ),
    (
        "checkpoint_every_n iterations_per_loop",
        {"": "odapi train ... --set options.checkpoints.every_n_steps=N"},
    ),
    (
        "eval_on_train_data eval_training_data",
        {"": "odapi eval CHECKPOINT --eval-data SPEC, with the training dataset"},
    ),
    (
        "sample_1_of_n_eval_examples sample_1_of_n_eval_on_train_examples",
        {"": "odapi eval ... --set eval_input_reader[0].sample_1_of_n_examples=N"},
    ),
    (
        "eval_timeout max_eval_retries run_once mode",
        {"eval": "not needed: odapi eval evaluates once", "": _EVALUATES},
    ),
    ("record_summaries", {"": "not needed: odapi train always writes event files"}),
    (
        "use_tpu tpu_name tpu_zone gcp_project num_workers num_clones clone_on_cpu "
        "worker_replicas ps_tasks master task",
        {"": _DEVICES},
    ),
    (
        "config_override",
        {
            verb: "--set PATH=VALUE"
            for verb in ("train", "eval", "predict", "export", "quickstart")
            + ("zoo import", "config check", "config show", "config diff")
            + ("data inspect",)
        }
        | {"": "odapi train ... --set PATH=VALUE"},
    ),
    (
        "input_type",
        {
            "export": "--input-type",
            "": "odapi export CHECKPOINT OUTPUT --input-type TYPE",
        },
    ),
    (
        "use_side_inputs side_input_shapes side_input_types side_input_names",
        {"": _CONTEXT},
    ),
    ("input_shape", {"": "odapi export CHECKPOINT OUTPUT --batch-size N; sizes vary"}),
    (
        "write_inference_graph additional_output_tensor_names input_placeholder_name "
        "add_postprocessing_op",
        {"": _NO_TF1},
    ),
    ("use_bfloat16", {"": "odapi train ... --set options.precision=BFLOAT16"}),
    (
        "max_detections",
        {
            "": "odapi export ... --set model.ssd.post_processing"
            ".batch_non_max_suppression.max_total_detections=N"
        },
    ),
    (
        "detections_per_class max_classes_per_detection",
        {
            "": "odapi export ... --set model.ssd.post_processing"
            ".batch_non_max_suppression.max_detections_per_class=N"
        },
    ),
    (
        "ssd_use_regular_nms use_regular_nms",
        {"": "not needed: non-maximum suppression (NMS) is always per class"},
    ),
    (
        "centernet_include_keypoints",
        {"": "not needed: keypoints are exported if the model has them"},
    ),
    (
        "keypoint_label_map_path",
        {"": "odapi train ... --set model.center_net.keypoint_label_map_path=PATH"},
    ),
    (
        "label_map_path input_label_map input_class_labelmap",
        {
            "train": "--set train_input_reader.label_map_path=PATH",
            "eval": "--set eval_input_reader[0].label_map_path=PATH",
            "zoo import": "--label-map",
            "data inspect": "--label-map",
            "data convert": "--label-map",
            "data split": "--label-map",
            "data keypoints": "--label-map",
            "": _CLASSES,
        },
    ),
    (
        "train_image_dir val_image_dir test_image_dir train_annotations_file "
        "val_annotations_file testdev_annotations_file train_keypoint_annotations_file "
        "val_keypoint_annotations_file train_densepose_annotations_file "
        "val_densepose_annotations_file data_dir annotations_dir set year "
        "input_box_annotations_csv input_images_directory input_annotations "
        "input_image_label_annotations_csv input_tfrecord_paths "
        "path_to_download_data splits_to_process video_path_format_string",
        {"": _DATA},
    ),
    (
        "include_masks mask_type faces_only ignore_difficult_instances "
        "discard_image_pixels examples_for_context",
        {"": f"not needed: all fields of the dataset are kept; {_DATA}"},
    ),
    (
        "classes_to_use remove_non_person_annotations remove_non_person_images",
        {"": _CLASSES},
    ),
    (
        "validation_set_size",
        {"": "odapi data split SPEC --output DIR --shares 80/10/10"},
    ),
    (
        "num_shards",
        {
            "data convert": "--shards",
            "data split": "--shards",
            "": "odapi data convert SPEC --to tfrecord --output DIR --shards N",
        },
    ),
    (
        "seconds_per_sequence hop_between_sequences json_hierarchy_file "
        "annotation_type",
        {"": "not supported"},
    ),
    (
        "input_annotations_boxes input_annotations_labels input_predictions "
        "input_annotations_segm input_annotations_vrd input_relationship_labelmap",
        {"": _OID},
    ),
    (
        "model",
        {
            "train": "the argument CONFIG",
            "eval": _RUN,
            "export": _RUN,
            "predict": _MODEL,
            "tools predict": _MODEL,
            "": "odapi predict MODEL IMAGES",
        },
    ),
    ("verify_weights", {"": "odapi train ... --set options.backbone_weights=imagenet"}),
)
FLAGS = {flag: answers for flags, answers in _TABLE for flag in flags.split()}


def refuse(ctx: Any, args: Sequence[str]) -> None:
    """Ends with exit code 2 if arguments have flags of the original.

    Also answers options of this command that are written with underscores.

    Args:
        ctx: Context of typer.
        args: Arguments of the command.
    """
    known = {
        name
        for parameter in ctx.command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    verb = " ".join(ctx.command_path.split()[1:])
    if hasattr(ctx.command, "commands"):  # Options of a group precede its subcommand.
        args = [*args[:1]]
    found = dict(_answers(args, known, verb))
    if not found:
        return
    width = max(map(len, found))
    lines = [f"  {flag:<{width}}  {answer}" for flag, answer in found.items()]
    of = f"odapi {verb}".strip()
    ctx.fail(
        f"No such option: {', '.join(found)}\n"
        f"What to write instead in {of}:\n" + "\n".join(lines)
    )


def _answers(
    args: Sequence[str], known: set[str], verb: str
) -> Iterator[tuple[str, str]]:
    for argument in args:
        if argument == "--":
            return
        flag = argument.partition("=")[0]
        if not flag.startswith("-") or flag in known:
            continue
        name = flag.lstrip("-").replace("-", "_")
        ours = "--" + name.replace("_", "-")
        if ours in known and len(name) > 1:
            yield flag, ours
            continue
        answers = FLAGS.get(name) or FLAGS.get(name.removeprefix("no"))
        if answers:
            yield flag, answers.get(verb) or answers[""]
