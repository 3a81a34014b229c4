"""Going on with a run: what differs from the config that it was started with."""

import re
from typing import Any

from odapi.config.diff import Difference, diff
from odapi.errors import ConfigError

# Another model, or another set of optimizer variables: the saved ones do not fit.
_REFUSED = re.compile(
    r"model\.(?!.*post_processing)"
    r"|train_config\.(freeze_variables|update_trainable_variables)"
    r"|train_config\.optimizer\.use_moving_average$"
    r"|options\.precision"
)
# Another order of batches: the saved position in the data means nothing.
_OTHER_DATA = re.compile(
    r"train_input_reader|train_config\.batch_size|(\[?odapi\.)?options\]?\."
    r"(train_data|seed)$|options\.(train_data|seed)$"
)


def differences(saved: Any, config: Any) -> list[Difference]:
    """Returns where `config` differs from that of the checkpoint to go on from.

    Raises:
        ConfigError: They differ in what the weights or the optimizer depend on.
    """
    found = diff(saved, config)
    kinds = [c.train_config.optimizer.WhichOneof("optimizer") for c in (saved, config)]
    refused = [d for d in found if _REFUSED.search(d.path)]
    if kinds[0] != kinds[1]:
        refused.append(Difference("train_config.optimizer", *map(str, kinds)))
    if refused:
        raise ConfigError(
            refused[0].path,
            "differs from the run that is there: " + "; ".join(map(_line, refused)),
            hint="take another --model-dir for another model; or start from this run: "
            "train_config.fine_tune_checkpoint",
        )
    return found


def same_data(found: list[Difference]) -> bool:
    """Tells whether the position in the data still means the same."""
    return not any(_OTHER_DATA.search(d.path) for d in found)


def lines(found: list[Difference]) -> list[str]:
    """Returns what differs as lines of text."""
    if not found:
        return []
    shown = ["The config differs from that of the run; from now on:"]
    shown += [f"  {_line(d)}" for d in found]
    if not same_data(found):
        shown.append("  the data are started anew")
    return shown


def _line(difference: Difference) -> str:
    return f"{difference.path}: {difference.left} -> {difference.right}"
