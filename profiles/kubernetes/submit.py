#!/usr/bin/env python3
"""Create a Kubernetes job from job.yaml beside this file, and print its name.

Arguments: threads, megabytes, minutes, GPUs, and the job script, which Snakemake appends.
"""

import subprocess
import sys
from pathlib import Path
from string import Template

threads, mem_mb, minutes, gpus, script = sys.argv[1:]
job = Template(Path(__file__).with_name("job.yaml").read_text(encoding="utf-8")).substitute(
    threads=threads, mem_mb=mem_mb, seconds=60 * int(minutes), gpus=gpus, script=script, folder=Path.cwd()
)
created = subprocess.run(
    ["kubectl", "create", "--output=name", "--filename=-"], input=job, text=True, stdout=subprocess.PIPE, check=False
)
print(created.stdout.strip().removeprefix("job.batch/"))
sys.exit(created.returncode)
