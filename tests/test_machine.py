import pytest

from constrictor import machine as subject
from constrictor.machine import Machine


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ([], Machine(gpu=False, int8_dot_product=False, bf16_products=False)),
        (["avx2", "avx512f"], Machine(gpu=False, int8_dot_product=False, bf16_products=False)),
        (["avx512_vnni"], Machine(gpu=False, int8_dot_product=True, bf16_products=False)),
        (["asimddp", "bf16"], Machine(gpu=False, int8_dot_product=True, bf16_products=True)),
        (["amx_bf16"], Machine(gpu=False, int8_dot_product=False, bf16_products=True)),
    ],
)
def test_instructions_decide_what_is_fast(monkeypatch, instructions, expected):
    monkeypatch.setattr(subject, "has_gpu", lambda: False)
    monkeypatch.setattr(subject, "processor", lambda: {"instructions": instructions})
    assert subject.this_machine() == expected


def test_a_gpu_counts(monkeypatch):
    monkeypatch.setattr(subject, "has_gpu", lambda: True)
    assert subject.this_machine().gpu
