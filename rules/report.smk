# The comparison: one table and two pictures a task, and a target for each recipe.


rule compare:
    input:
        task=f"{DATA}/tasks/{{task}}/manifest.json",
        quality=measurements_of(plan.lineages, ["model/manifest.json", "metrics.json", "predictions.parquet"]),
        speed=measurements_of(dict.fromkeys(study.recipes.values()), ["latency.json"]),
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
    threads: threads_for(comparing)
    resources:
        **resources_for(comparing, f"{REPORTS}/{{task}}/logs/compare.tsv"),
    params:
        settings=canonical_json(plan.comparison),
        results=f"{RESULTS}/{{task}}",
        folder=f"{REPORTS}/{{task}}",
        code=code_of("compare"),
    message:
        "Compare the models of {wildcards.task}"
    shell:
        "python -m workflow_scripts.compare --settings {params.settings:q} --task {input.task:q}"
        " --results {params.results:q} --output {params.folder:q} 2> {log:q}"


# `snakemake cpu` builds and measures one recipe, and all that a grid has made of it.
for recipe_name, recipe_lineages in study.targets.items():

    rule:
        name:
            recipe_name
        input:
            wanted_files(recipe_lineages, ["model/manifest.json", "metrics.json", "latency.json"]),
        message:
            "The recipe is built and measured: {input}"
