import argparse
import json
import shlex
import subprocess
from pathlib import Path

import pytest

from constrictor.scheduling.job_settings import JobSettings
from constrictor.scheduling.long_arguments import LONGEST, argument
from constrictor.scheduling.wildcards import wildcards_of
from constrictor.study.tasks import AnyTask
from workflow_scripts._script import json_of

REVIEWS = wildcards_of({"name": "reviews"})


def test_a_filter_of_thousands_of_values_reaches_the_script(larger):
    """Linux refuses a command with an argument of more than 128 KiB."""
    ids = [f"{number:064x}" for number in range(2_200)]
    found = JobSettings(larger({"tasks.reviews.filter": {"sha": ids}})).task(REVIEWS)
    subprocess.run(["bash", "-c", f"true {shlex.quote(found)}"], check=True)
    assert json_of(AnyTask)(found).filter == {"sha": ids}


def test_other_content_is_another_parameter_and_equal_content_the_same():
    first, second = (json.dumps([number] * LONGEST) for number in (1, 2))
    assert argument(first) == argument(first) != argument(second)
    assert Path(argument(first)[1:]).read_text(encoding="utf-8") == first


def test_a_short_parameter_is_written_out():
    assert argument("{}") == "{}"
    assert not Path(".snakemake").exists()


def test_quotes_count_as_a_shell_writes_them():
    text = json.dumps("'" * (LONGEST // 4))
    assert argument(text).startswith("@")


def test_a_lost_file_is_named():
    with pytest.raises(argparse.ArgumentTypeError, match=r"lost\.json"):
        json_of(AnyTask)("@lost.json")
