"""Programs that follow a training: the trainer's own integrations, writing below the node's logs, offline."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from constrictor.errors import ConstrictorError

# The workflow puts the study's `trackers` here: a variable of the environment reruns nothing.
VARIABLE = "CONSTRICTOR_TRACKERS"


def wanted_trackers(logs: Path) -> list[str]:
    """The trackers that the study names, with the folder that they write to.

    Args:
        logs: the folder for what they write. Their own variables of the environment go first.

    Raises:
        ConstrictorError: if one of them is not installed.
    """
    names = [name for name in os.environ.get(VARIABLE, "").split(",") if name]
    for name in names:
        if find_spec(name) is None:
            raise ConstrictorError(
                f"the tracker '{name}' is not installed. Install it into the environment that runs the trainings: "
                f"pip install {name}. Or take it out of the study's 'trackers'."
            )
    places = {
        "tensorboard": {"TENSORBOARD_LOGGING_DIR": str(logs / "tensorboard")},
        "wandb": {"WANDB_MODE": "offline", "WANDB_DIR": str(logs), "WANDB_PROJECT": "constrictor"},
        "mlflow": {"MLFLOW_TRACKING_URI": f"sqlite:///{logs.absolute() / 'mlflow.db'}"},
    }
    for name in names:
        logs.mkdir(parents=True, exist_ok=True)
        for variable, value in places[name].items():
            os.environ.setdefault(variable, value)
    return names
