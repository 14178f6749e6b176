from pathlib import Path

import torch

from constrictor.training.cost import Counter, Meter, _since, package_counters
from constrictor.training.state import count_weights, live_state


def _zone(powercap, name: str, energy: int, top: int = 1_000_000_000) -> None:
    (powercap / name).mkdir()
    (powercap / name / "energy_uj").write_text(f"{energy}\n")
    (powercap / name / "max_energy_range_uj").write_text(f"{top}\n")


def test_energy_of_packages_without_their_parts_and_over_a_wrap(tmp_path):
    _zone(tmp_path, "intel-rapl:0", 5_000_000)
    _zone(tmp_path, "intel-rapl:0:0", 1_000_000)
    _zone(tmp_path, "intel-rapl:1", 999_000_000)
    (tmp_path / "intel-rapl:2").mkdir()  # cannot be read
    counters = package_counters(tmp_path)
    begin = [counter.read() for counter in counters]
    assert begin == [5.0, 999.0]
    (tmp_path / "intel-rapl:0/energy_uj").write_text("7500000\n")
    (tmp_path / "intel-rapl:1/energy_uj").write_text("1000000\n")
    assert [_since(counter, start) for counter, start in zip(counters, begin, strict=True)] == [2.5, 2.0]


def test_no_counters_no_energy(tmp_path, monkeypatch):
    monkeypatch.setattr("constrictor.training.cost.POWERCAP", tmp_path)
    monkeypatch.setattr("constrictor.training.cost._gpu_counters", list)
    before, found, after = _peak_kib(), Meter().read(), _peak_kib()
    assert "energy_joules" not in found
    assert found["seconds"] >= 0
    assert 1024 * before <= found["peak_memory_bytes"] <= 1024 * after


def _peak_kib() -> int:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0])


def test_energy_is_summed_over_counters(tmp_path, monkeypatch):
    readings = iter([1.0, 4.0])
    monkeypatch.setattr("constrictor.training.cost.POWERCAP", tmp_path)
    monkeypatch.setattr("constrictor.training.cost._gpu_counters", lambda: [Counter(lambda: next(readings))])
    assert Meter().read()["energy_joules"] == 3.0


def test_counts_and_live_state_leave_frozen_weights_out():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    assert live_state(model).keys() == model.state_dict().keys()
    assert count_weights(model) == {"trainable_parameters": 24, "total_parameters": 24}
    model[0].requires_grad_(False)
    assert set(live_state(model)) == {
        "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"
    }  # fmt: skip
    assert count_weights(model) == {"trainable_parameters": 8, "total_parameters": 24}
