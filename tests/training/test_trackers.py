import pytest

from constrictor.errors import ConstrictorError
from constrictor.training import trackers
from constrictor.training.trackers import VARIABLE, wanted_trackers


def test_nothing_is_tracked_where_nothing_is_requested(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert wanted_trackers(tmp_path / "logs") == []
    assert not (tmp_path / "logs").exists()


def test_tracker_that_is_not_installed_is_refused_with_the_line_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "tensorboard,wandb")
    monkeypatch.setattr(trackers, "find_spec", lambda name: object() if name == "tensorboard" else None)
    with pytest.raises(ConstrictorError, match=r"tracker 'wandb' is not installed.*pip install wandb"):
        wanted_trackers(tmp_path)


def test_trackers_stay_offline_below_the_logs_and_what_is_set_already_goes_first(tmp_path, monkeypatch):
    environment = {VARIABLE: "wandb,mlflow,tensorboard", "MLFLOW_TRACKING_URI": "sqlite:///mine.db"}
    monkeypatch.setattr(trackers.os, "environ", environment)
    monkeypatch.setattr(trackers, "find_spec", lambda name: object())
    assert wanted_trackers(tmp_path / "logs") == ["wandb", "mlflow", "tensorboard"]
    assert environment["WANDB_MODE"] == "offline"
    assert environment["WANDB_DIR"] == str(tmp_path / "logs")
    assert environment["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / "logs/tensorboard")
    assert environment["MLFLOW_TRACKING_URI"] == "sqlite:///mine.db"
