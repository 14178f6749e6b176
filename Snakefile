# Constrictor: makes transformer models small and fast, and proves it. README.md says how to use it.
from snakemake.utils import min_version

from constrictor.errors import exit_on_user_error
from constrictor.study.yaml_file import read_yaml

min_version("9.13")


if not workflow.overwrite_configfiles:
    with exit_on_user_error():
        read_yaml("config.yaml")  # Snakemake would not say where it is no YAML

    configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/needs.smk"
include: "rules/places.smk"
include: "rules/files.smk"


wildcard_constraints:
    task=one_of(study.tasks),
    replicate=r"seed\d+(-fold\d+)?",
    name=one_of({**study.tasks, **study.corpora, **study.models, **study.subsets}),
    part="[^/]+",
    subset="[^/]+",


include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/compress.smk"
include: "rules/evaluate.smk"
include: "rules/report.smk"


onstart:
    check_folders()
    for file in clamp_future_mtimes(places_read()):
        print(f"Note: {file} was dated ahead of this machine's clock, and is dated now.", file=sys.stderr)
    for lineage, reason in plan.slow_here.items():
        print(f"Note: {lineage} will be slow if it is run on this machine: {reason}", file=sys.stderr)


rule all:
    default_target: True
    input:
        expand(f"{REPORTS}/{{task}}/table.md", task=study.tasks),
        wanted_files(plan.lineages, ["metrics.json", "predictions.parquet"]),
        wanted_files(study.recipes.values(), ["model/manifest.json", "latency.json"]),
    message:
        "The comparison is complete: {input[0]}"
