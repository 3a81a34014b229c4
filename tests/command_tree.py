"""All subcommands of the command line, for tests that check each."""

import typer

from odapi.cli import main as cli


def _commands(group, path=()):
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _groups(group, path=()):
    yield path
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _groups(command, (*path, name))


ROOT = typer.main.get_command(cli.app)
COMMANDS = dict(_commands(ROOT))  # Path to command, without groups.
GROUPS = list(_groups(ROOT))  # Paths of groups; the first is ().
