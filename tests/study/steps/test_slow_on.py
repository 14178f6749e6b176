import pytest

from constrictor.machine import Machine
from constrictor.study.plan import Plan
from constrictor.study.read import read_study

FAST = {"gpu": False, "int8_dot_product": True, "bf16_products": True}


@pytest.mark.parametrize(
    ("step", "before", "has", "reason"),
    [
        ({"method": "fp16"}, "", FAST, "2 to 4 times slower"),
        ({"method": "fp16"}, "", {"gpu": True}, None),
        ({"method": "fp16"}, "/onnx", {}, None),
        ({"method": "bf16"}, "", {}, "no bf16 products"),
        ({"method": "bf16"}, "", {"bf16_products": True}, None),
        ({"method": "dynamic"}, "", {}, "no int8 dot product"),
        ({"method": "static"}, "", {"gpu": True}, "no int8 dot product"),  # torch's int8 is for processors
        ({"method": "dynamic"}, "/onnx", {"gpu": True}, "no int8 dot product"),
        ({"method": "dynamic"}, "", {"int8_dot_product": True}, None),
        ({"method": "llm_int8"}, "", FAST, "made for GPUs"),
        ({"method": "llm_int8"}, "", {"gpu": True}, None),
        ({"method": "nf4"}, "", {}, "without bf16 products"),
        ({"method": "fp4"}, "", {"bf16_products": True}, None),
        ({"method": "nf4"}, "", {"gpu": True}, None),
        ({"method": "weight_only", "bits": 8}, "/onnx", {}, "no int8 dot product"),
        ({"method": "weight_only", "bits": 4}, "/onnx", {}, None),
        ({"method": "weight_only", "bits": 8, "matrices": False}, "/onnx", {}, None),
        ({"method": "qat"}, "", {}, None),
        ({"stage": "export", "format": "openvino", "precision": "bf16"}, "/onnx", {}, "no bf16 products"),
        ({"stage": "export", "format": "openvino", "precision": "bf16"}, "/onnx", FAST, None),
    ],
)
def test_models_that_are_slow_on_a_machine_are_named_with_the_reason(changed, monkeypatch, step, before, has, reason):
    machine = Machine(**{"gpu": False, "int8_dot_product": False, "bf16_products": False, **has})
    monkeypatch.setattr("constrictor.study.plan.this_machine", lambda: machine)
    lineage = f"teacher{before}/last"
    steps = {"steps.last": {"stage": "quantize", **step}}
    found = Plan(read_study(changed({**steps, "recipes": {"baseline": "teacher", "last": lineage}}))).slow_here
    assert list(found) == ([lineage] if reason else [])
    assert reason is None or reason in found[lineage]


def test_a_later_export_does_not_hide_the_reason(changed, monkeypatch):
    machine = Machine(gpu=False, int8_dot_product=False, bf16_products=False)
    monkeypatch.setattr("constrictor.study.plan.this_machine", lambda: machine)
    recipes = {"baseline": "teacher", "mobile": "teacher/onnx/int8/mobile"}
    study = changed({"steps.mobile": {"stage": "export", "format": "ort"}, "recipes": recipes})
    assert list(Plan(read_study(study)).slow_here) == ["teacher/onnx/int8", "teacher/onnx/int8/mobile"]
