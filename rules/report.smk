# The comparison: one table and two figures for each task, and a target for each recipe.


rule compare:
    input:
        task=f"{DATA}/tasks/{{task}}/manifest.json",
        quality=inputs.quality,
        speed=inputs.speed,
        training=trainings.records,
        subsets=trainings.subsets,
    output:
        table=report(
            f"{REPORTS}/{{task}}/table.csv",
            category="{task}",
            labels={"what": "all numbers"},
            caption="../docs/captions/table.rst",
        ),
        quality_latency=report(
            f"{REPORTS}/{{task}}/quality_latency.svg",
            category="{task}",
            labels={"what": "quality against latency"},
            caption="../docs/captions/quality_latency.rst",
        ),
        stages=report(
            f"{REPORTS}/{{task}}/stages.svg",
            category="{task}",
            labels={"what": "stage by stage"},
            caption="../docs/captions/stages.rst",
        ),
        records=[f"{REPORTS}/{{task}}/records/{recipe}.json" for recipe in study.recipes],
        summary=f"{REPORTS}/{{task}}/table.md",
    log:
        f"{REPORTS}/{{task}}/logs/compare.log",
    benchmark:
        f"{REPORTS}/{{task}}/logs/compare.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("compare")
    resources:
        **jobs.of("compare", f"{REPORTS}/{{task}}/logs/compare.tsv"),
    params:
        settings=argument(canonical_json(plan.comparison)),
        results=f"{RESULTS}/{{task}}",
        folder=f"{REPORTS}/{{task}}",
        code=code.of_task("compare"),
    message:
        "Compare the models of {wildcards.task}"
    shell:
        "python -m workflow_scripts.compare --settings {params.settings:q} --task {input.task:q}"
        " --results {params.results:q} --subsets {input.subsets:q} --output {params.folder:q} 2> {log:q}"


# `snakemake cpu` builds and measures one recipe, and all that a grid has made of it.
for recipe_name, recipe_lineages in study.targets.items():

    rule:
        name:
            recipe_name
        input:
            inputs.outputs_of(recipe_lineages, ["model/manifest.json", "metrics.json", "latency.json"]),
        message:
            "The recipe is built and measured: {input}"
