# Constrictor: makes transformer models small and fast, and proves it. See README.md.
from snakemake.utils import min_version

from constrictor.errors import exit_on_user_error
from constrictor.study.yaml_file import read_yaml

min_version("9.13")


if not workflow.overwrite_configfiles:
    with exit_on_user_error():
        read_yaml("config.yaml")  # Snakemake's own message would not give the line of a mistake

    configfile: "config.yaml"


include: "rules/common.smk"


wildcard_constraints:
    task=one_of(study.tasks),
    replicate=r"seed\d+(-fold\d+)?",
    name=one_of({**study.tasks, **study.corpora, **study.models, **study.subsets}),
    part="[^/]+",
    subset="[^/]+",


include: "rules/download.smk"
include: "rules/select.smk"
include: "rules/train.smk"
include: "rules/compress.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


onstart:
    before_first_job()


rule all:
    default_target: True
    input:
        expand(f"{REPORTS}/{{task}}/table.md", task=study.tasks),
        inputs.outputs_of(plan.lineages, ["metrics.json", "predictions.parquet"]),
        inputs.outputs_of(study.recipes.values(), ["model/manifest.json", "latency.json"]),
    message:
        "The comparison is complete: {input[0]}"
