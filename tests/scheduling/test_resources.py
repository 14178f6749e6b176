import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from constrictor.scheduling.resources import resources_of
from constrictor.scheduling.work import OPERATIONS_PER_SECOND, Work, seconds_of

STAGES = ["read", "fetch", "train", "label", "evaluate", "convert", "time", "compare"]
MINILM = {"parameters": 22_713_728, "layers": 6}
works = st.builds(
    Work,
    stage=st.sampled_from(STAGES),
    parameters=st.integers(0, 10**11),
    layers=st.integers(1, 100),
    batch=st.integers(0, 512),
    length=st.integers(8, 4096),
    rows=st.integers(0, 10**7),
    gpu=st.booleans(),
)


@given(works, st.integers(1, 4))
def test_a_later_attempt_requests_more_memory_and_more_time_up_to_a_day(work, attempt):
    first, now, later = resources_of(work), resources_of(work, attempt), resources_of(work, attempt + 1)
    assert now.mem_mb == pytest.approx(first.mem_mb * 1.5 ** (attempt - 1), abs=attempt * 2)
    assert later.runtime == pytest.approx(min(1440, 2 * now.runtime), abs=2)
    assert (later.threads, later.gpu) == (first.threads, first.gpu)


@given(works, st.sampled_from(["parameters", "batch", "length", "rows"]), st.integers(1, 1000))
def test_more_work_never_requests_less(work, what, more):
    small, large = resources_of(work), resources_of(work._replace(**{what: getattr(work, what) + more}))
    assert all(less <= greater for less, greater in zip(small, large, strict=True))


@given(works)
def test_one_gpu_is_requested_or_none(work):
    assert resources_of(work).gpu == int(work.gpu)
    assert resources_of(work).threads >= 1


def test_memory_of_a_training_by_hand():
    # BERT base, 16 rows of 128 tokens: 12 layers of width 768 hold 12 * (34 * 768 + 5 * 12 * 128) * 2 bytes a token. The
    # estimate knows the parameters alone, 110 million with the embeddings: a width of sqrt(110e6 / 144) = 874.
    width = math.sqrt(110e6 / 144)
    a_token = 12 * (34 * width + 5 * (width / 64) * 128) * 2
    weights = 6 * 4 * 110e6
    wanted = 1600 + (weights + 16 * 128 * a_token) / 1e6
    assert resources_of(Work("train", 110_000_000, 12, batch=16)).mem_mb == math.ceil(wanted)


def test_time_of_a_training_by_hand():
    operations = 6 * 110e6 * 128 * 100_000
    minutes = operations / 16e12 / 60
    work = Work("train", 110_000_000, rows=100_000, gpu=True)
    assert resources_of(work).runtime == math.ceil(15 + minutes)
    assert resources_of(work._replace(stage="evaluate")).runtime == math.ceil(15 + minutes / 3)
    assert resources_of(work._replace(gpu=False)).runtime > resources_of(work).runtime


@pytest.mark.parametrize(
    ("work", "peak_mb", "seconds"),
    [
        (Work("train", **MINILM, batch=32, rows=20_472), 2159, 174),
        (Work("label", **MINILM, rows=40_000), 927, 60),
        (Work("evaluate", **MINILM, rows=1706), 669, 19),
        (Work("convert", **MINILM, batch=32), 961, 19),
        (Work("time", **MINILM, batch=32, rows=1188), 1601, 66),
    ],
)
def test_the_request_covers_what_the_default_study_used_and_not_wildly_more(work, peak_mb, seconds):
    request = resources_of(work)
    assert peak_mb * 1.2 < request.mem_mb < peak_mb * 2.6
    assert seconds < request.runtime * 60


def test_a_measured_peak_replaces_the_estimate_and_still_grows():
    work = Work("train", 110_000_000)
    assert resources_of(work, measured_mb=2000).mem_mb == 2000 * 1.3 + 300
    assert resources_of(work, 2, measured_mb=2000).mem_mb == (2000 * 1.3 + 300) * 1.5
    assert resources_of(work, measured_mb=2000).runtime == resources_of(work).runtime


@pytest.mark.parametrize("device", ["core", "gpu"])
def test_a_request_reckons_with_slower_hardware_than_an_estimate(device):
    assert OPERATIONS_PER_SECOND[device].requested < OPERATIONS_PER_SECOND[device].expected
    work = Work("train", 10**8, rows=1000, gpu=device == "gpu")
    assert seconds_of(work, 2, "requested") > 3 * seconds_of(work, 2, "expected")


def test_a_gpu_does_not_become_faster_with_threads():
    work = Work("train", 10**8, rows=1000)
    assert seconds_of(work, 4, "expected") == seconds_of(work, 1, "expected") / 4
    assert seconds_of(work._replace(gpu=True), 4, "expected") == seconds_of(work._replace(gpu=True), 1, "expected")
