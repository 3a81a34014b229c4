"""Our commands for programs of the TF Object Detection API and verbs of others."""

# Name of the program without ".py"; the command that does its work.
PROGRAMS = {
    "model_main_tf2": "odapi train CONFIG --model-dir DIR, odapi eval DIR",
    "model_main": "odapi train CONFIG --model-dir DIR, odapi eval DIR",
    "exporter_main_v2": "odapi export CHECKPOINT OUTPUT",
    "export_inference_graph": "odapi export CHECKPOINT OUTPUT",
    "export_tflite_graph_tf2": "odapi export CHECKPOINT OUTPUT --format tflite",
    "model_lib_v2": "odapi train CONFIG --model-dir DIR",
    "create_coco_tf_record": "odapi data convert coco:PATH --to tfrecord ...",
    "create_pascal_tf_record": "odapi data convert voc:PATH --to tfrecord ...",
    "create_pet_tf_record": "odapi data convert pets:PATH --to tfrecord ...",
    "create_kitti_tf_record": "odapi data convert kitti:PATH --to tfrecord ...",
    "create_oid_tf_record": "odapi data convert openimages:PATH --to tfrecord ...",
    "create_ava_actions_tf_record": "odapi data convert ava:CSV --to tfrecord ...",
    "generate_tfrecord": "odapi data convert csv:PATH --to tfrecord ...",
    "infer_detections": "odapi tools infer-detections ...",
    "detect": "odapi predict MODEL IMAGES",
    "infer": "odapi predict MODEL IMAGES",
    "val": "odapi eval CHECKPOINT",
    "test": "odapi eval CHECKPOINT",
    "fit": "odapi train CONFIG --model-dir DIR",
    "convert": "odapi data convert SPEC --to FORMAT --output DIR",
    "inspect": "odapi data inspect SPEC",
    "split": "odapi data split SPEC --output DIR",
    "import": "odapi zoo import CHECKPOINT",
    "download": "odapi zoo download NAME",
    "check": "odapi config check CONFIG",
    "diff": "odapi config diff A B",
    "help": "odapi -h, odapi COMMAND -h",
    "version": "odapi --version",
}


def command_of(program: str) -> str:
    """Returns the command that does the work of a program, "" if there is none."""
    name = program.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    return PROGRAMS.get(name.replace("-", "_"), "")
