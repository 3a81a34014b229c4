"""The option --backend of subcommands that run a model."""

from typing import TYPE_CHECKING, Annotated

import typer

from odapi.console import write_line

if TYPE_CHECKING:
    from odapi.runtime.backend_choice import Choice

Backend = Annotated[
    str | None,
    typer.Option(
        help="tensorflow, jax or torch. Default: KERAS_BACKEND, else what is installed."
    ),
]


def select_backend(name: str | None, quiet: bool = False) -> None:
    """Takes over the option; the backend is named on standard error when it starts.

    Args:
        name: The value of the option.
        quiet: Whether it is not named.

    Raises:
        ConfigError: The name is unknown.
        MissingPackageError: The backend is not installed.
    """
    from odapi.runtime.backend import when_started
    from odapi.runtime.backend_choice import use

    if name is not None:
        use(name)
    when_started(_ignore if quiet else _show)


def select_export_backend(name: str | None) -> None:
    """Selects the backend that exports, whatever the training ran on.

    Raises:
        ConfigError: The option names another one.
        MissingPackageError: The backend is not installed.
    """
    import os

    from odapi.errors import ConfigError
    from odapi.exporters.formats import exporter_of
    from odapi.runtime.backend_choice import OPTION, VARIABLE

    exporter = exporter_of("saved_model")
    select_backend(name)
    if name not in (None, exporter.backend):
        raise ConfigError(
            OPTION,
            f"is {name}, and models are exported on {exporter.backend}",
            hint=f"leave out {OPTION}: checkpoints are the same on every backend",
        )
    os.environ[VARIABLE] = exporter.backend


def _ignore(choice: "Choice") -> None:
    pass


def _show(choice: "Choice") -> None:
    write_line(f"Backend: {choice.name} ({choice.reason})", stderr=True)
