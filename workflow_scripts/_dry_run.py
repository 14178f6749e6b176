"""What Snakemake would run: its own dry run in this process, read from the records that it logs."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from snakemake.cli import args_to_api, parse_args, parse_config
from snakemake_interface_logger_plugins.common import LogEvent

from constrictor.errors import ConstrictorError
from constrictor.scheduling.gpu_lease import visible_gpus
from constrictor.scheduling.jobs import Job
from constrictor.study.yaml_file import read_yaml


class Announced(NamedTuple):
    """A job that would run, with the reason, and the files that it reads and writes."""

    job: Job
    reason: str
    reads: Sequence[str]
    writes: Sequence[str]


class DryRun(NamedTuple):
    """What a call of Snakemake would do, and what it would do it with.

    Attributes:
        jobs: the jobs that would run, without targets, which do nothing.
        configuration: the study's files, and what the command line changes in them.
        cores: cores that one job may have.
        has_gpus: whether jobs may have a GPU.
    """

    jobs: list[Announced]
    configuration: tuple[list[Path], Mapping[str, Any]]
    cores: int
    has_gpus: bool


class _Listener(logging.Handler):
    """Keeps the jobs that Snakemake announces."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.jobs: list[Announced] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a job; leave everything else to the screen."""
        found = vars(record)
        if found.get("event") == LogEvent.JOB_INFO and found["benchmark"]:
            job = Job(found["rule_name"], dict(found["wildcards"]), Path(found["benchmark"]))
            self.jobs.append(Announced(job, found["reason"], found["input"], found["output"]))


def dry_run(arguments: Sequence[str]) -> DryRun:
    """Plan as ``snakemake --dry-run`` does.

    Args:
        arguments: those of Snakemake: configuration files, profiles, targets.

    Raises:
        ConstrictorError: with Snakemake's message, if it cannot plan.
        SystemExit: with the mistakes of the study, if there are some.
    """
    listener, screen = _Listener(), io.StringIO()
    records = logging.getLogger("snakemake")  # the parent of Snakemake's own logger, whose handlers it replaces
    records.addHandler(listener)
    try:
        with redirect_stderr(screen), redirect_stdout(screen):
            parser, options = parse_args(["--quiet", "host", "progress", "rules", "reason", "--dry-run", *arguments])
            files = [Path(file) for file in options.configfile or ["config.yaml"]]
            for file in files:
                read_yaml(file)  # Snakemake's own message would not give the line of a mistake
            planned = args_to_api(options, parser)
    except SystemExit as end:
        if isinstance(end.code, str):  # a mistake in the study: the message is complete
            raise
        planned = False  # a wrong argument
    finally:
        records.removeHandler(listener)
    if not planned:
        raise ConstrictorError(f"Snakemake cannot plan this:\n{screen.getvalue().strip()}")
    limits = dict(options.resources.unwrapped_items())  # those of the command line and of profiles
    has_gpus = limits.get("gpu", len(visible_gpus())) != 0
    return DryRun(listener.jobs, (files, parse_config(options.config)), options.cores or os.cpu_count() or 1, has_gpus)
