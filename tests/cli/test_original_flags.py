"""Flags of the TF Object Detection API name their replacement in every command."""

import json
import re

import pytest
from typer.testing import CliRunner

from command_tree import COMMANDS
from odapi.cli import main as cli
from odapi.cli.original_flags import FLAGS
from odapi.cli.original_programs import PROGRAMS


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def _answers(done):
    """Returns the flags of the message with their answers."""
    lines = done.output.partition("What to write")[2].splitlines()[1:]
    return dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in lines)


def test_the_whole_message():
    done = run("train", "--pipeline_config_path=a.config", "--model_dir", "b",
               "--num-train-steps", "5", "--alsologtostderr")  # fmt: skip
    assert done.exit_code == 2
    assert done.output == (
        "Usage: odapi train [OPTIONS] [CONFIG]\n"
        "Try 'odapi train -h' for help.\n"
        "\n"
        "Error: No such option: --pipeline_config_path, --model_dir, "
        "--num-train-steps\n"
        "What to write instead in odapi train:\n"
        "  --pipeline_config_path  the argument CONFIG\n"
        "  --model_dir             --model-dir\n"
        "  --num-train-steps       --num-steps\n"
    )


@pytest.mark.parametrize(
    ("command", "flag", "answer"),
    [
        ("export", "--input_type", "--input-type"),
        ("export", "--output_directory", "the argument OUTPUT"),
        (
            "export",
            "--trained_checkpoint_dir",
            "the argument CHECKPOINT: a run folder, a checkpoint folder or an export",
        ),
        (
            "eval",
            "--checkpoint_dir",
            "the argument CHECKPOINT: a run folder, a checkpoint folder or an export",
        ),
        (
            "predict",
            "--trained-checkpoint-dir",
            "the argument MODEL: a run folder, a checkpoint folder or an export",
        ),
        ("predict", "--output_directory", "--output"),
        ("predict", "--model_dir",
         "the argument MODEL: a run folder, a checkpoint folder or an export"),
        ("predict", "--min_score", "--min-score"),
        ("train", "-model_dir", "--model-dir"),
        ("data convert", "--label_map_path", "--label-map"),
        ("data convert", "--num_shards", "--shards"),
        ("data convert", "--noinclude_masks",
         "not needed: all fields of the dataset are kept; a dataset is one argument, "
         "such as coco:PATH, voc:PATH?split=train or tfrecord:GLOB: odapi data convert "
         "SPEC --to tfrecord --output DIR"),
        ("zoo import", "--pipeline_config_path", "--config"),
        ("doctor", "--num_train_steps",
         "odapi train CONFIG --model-dir DIR --num-steps N"),
    ],
)  # fmt: skip
def test_answers(command, flag, answer):
    done = run(*command.split(), flag, "x")
    assert done.exit_code == 2
    assert _answers(done) == {flag: answer}


def test_every_flag_of_the_programs_of_the_original_has_an_answer(shared):
    programs = json.loads((shared / "spec/flags.json").read_text("utf-8"))
    flags = {row["flag"].lstrip("-") for rows in programs.values() for row in rows}
    tools = {p for c in COMMANDS if c[0] == "tools" for p in _options(c)}
    assert {f for f in flags - set(FLAGS) if f"--{f}" not in tools} == set()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_answers_name_options_that_exist(command):
    dashed = {f"--{flag.replace('_', '-')}" for flag in FLAGS} - _options(command)
    done = run(*command, *(f"--{flag}" for flag in sorted(FLAGS)), *sorted(dashed))
    assert done.exit_code == 2
    answers = _answers(done)
    flags = {f"--{flag}" for flag in FLAGS} - _options(command)
    assert flags | dashed <= set(answers)
    for answer in answers.values():
        of = re.search(r"odapi ([a-z]+(?: (?:convert|split))?)", answer)
        known = _options(tuple(of[1].split()) if of else command)
        assert {o for o in re.findall(r"--[a-z-]+", answer) if o not in known} == set()


def _options(command):
    return {o for p in COMMANDS[command].params for o in p.opts}


def test_a_flag_before_the_subcommand_is_answered_too():
    done = run("--model_dir", "x", "train")
    assert done.exit_code == 2
    expected = {"--model_dir": "odapi train CONFIG --model-dir DIR"}
    assert _answers(done) == expected


def test_values_after_two_dashes_are_no_flags():
    done = run("doctor", "--", "--model_dir")
    assert done.exit_code == 2 and "What to write" not in done.output


def test_a_mistyped_option_names_the_closest():
    done = run("train", "a.config", "--model-dir", "b", "--num-step", "5")
    assert done.exit_code == 2
    assert "No such option: --num-step" in done.output
    assert "--num-steps" in done.output


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("model_main_tf2.py", "odapi train CONFIG --model-dir DIR, odapi eval DIR"),
        ("exporter-main-v2", "odapi export CHECKPOINT OUTPUT"),
        ("research/object_detection/model_main_tf2.py",
         "odapi train CONFIG --model-dir DIR, odapi eval DIR"),
        ("detect", "odapi predict MODEL IMAGES"),
        ("help", "odapi -h, odapi COMMAND -h"),
    ],
)  # fmt: skip
def test_programs_of_others_name_our_command(program, answer):
    done = run(program, "--pipeline_config_path=a")
    assert done.exit_code == 2
    assert done.output == (
        "Usage: odapi [OPTIONS] COMMAND [ARGS]...\nTry 'odapi -h' for help.\n\n"
        f"Error: No such command '{program}'. Write instead: {answer}\n"
    )


@pytest.mark.parametrize("answer", sorted(set(PROGRAMS.values())))
def test_commands_of_programs_exist(answer):
    for command in re.findall(
        r"odapi ((?:data |zoo |config |tools )?[a-z][a-z-]+)", answer
    ):
        assert tuple(command.split()) in COMMANDS
