import pytest

from constrictor.errors import ConstrictorError
from constrictor.training.device import Arithmetic, Device, arithmetic

OLD_CPU, NEW_CPU = Device(False), Device(True)
PASCAL, TURING = Device(False, (6, 1)), Device(False, (7, 5))
AMPERE, HOPPER = Device(True, (8, 0)), Device(True, (9, 0))


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [
        ("auto", OLD_CPU, Arithmetic()),
        ("auto", NEW_CPU, Arithmetic(bf16=True)),
        ("auto", PASCAL, Arithmetic()),
        ("auto", TURING, Arithmetic(fp16=True)),
        ("auto", AMPERE, Arithmetic(bf16=True, tf32=True)),
        ("auto", HOPPER, Arithmetic(bf16=True, tf32=True)),
        ("fp32", NEW_CPU, Arithmetic()),
        ("fp32", AMPERE, Arithmetic()),
        ("tf32", AMPERE, Arithmetic(tf32=True)),
        ("bf16", OLD_CPU, Arithmetic(bf16=True)),
        ("bf16", TURING, Arithmetic(bf16=True)),
        ("fp16", PASCAL, Arithmetic(fp16=True)),
        ("fp16", HOPPER, Arithmetic(fp16=True, tf32=True)),
    ],
)
def test_arithmetic(precision, device, expected):
    assert arithmetic(precision, device) == expected


@pytest.mark.parametrize(("precision", "device"), [("fp16", NEW_CPU), ("tf32", NEW_CPU), ("tf32", TURING)])
def test_what_a_device_cannot_is_refused(precision, device):
    with pytest.raises(ConstrictorError, match=f"'precision: {precision}' .*Use 'auto'"):
        arithmetic(precision, device)
