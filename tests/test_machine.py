import pytest

from constrictor import machine as subject


@pytest.fixture
def machine(monkeypatch):
    def make(gpu=False, bf16=False, int8=False):
        instructions = [*(["avx512_bf16"] if bf16 else []), *(["avx512_vnni"] if int8 else [])]
        monkeypatch.setattr(subject, "has_gpu", lambda: gpu)
        monkeypatch.setattr(subject, "processor", lambda: {"instructions": instructions})

    return make


@pytest.mark.parametrize(
    ("precision", "format", "has", "said"),
    [
        ("fp32", "torch", {}, None),
        ("fp16", "torch", {"bf16": True, "int8": True}, "2 to 4 times slower"),
        ("fp16", "torch", {"gpu": True}, None),
        ("bf16", "torch", {}, "no bf16 products"),
        ("bf16", "torch", {"bf16": True}, None),
        ("int8", "torch-int8", {}, "no int8 dot product"),
        ("int8", "onnx", {"gpu": True}, "no int8 dot product"),
        ("int8", "torch-int8", {"int8": True}, None),
        ("llm_int8", "bitsandbytes", {"bf16": True, "int8": True}, "made for GPUs"),
        ("llm_int8", "bitsandbytes", {"gpu": True}, None),
        ("nf4", "bitsandbytes", {}, "without bf16 products"),
        ("fp4", "bitsandbytes", {"bf16": True}, None),
        ("nf4", "bitsandbytes", {"gpu": True}, None),
    ],
)
def test_what_a_machine_is_slow_at_is_said(machine, precision, format, has, said):
    machine(**has)
    found = subject.slow_here(precision, format)
    assert found is None if said is None else said in found
