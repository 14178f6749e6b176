# Folds and subsets are selected from what was prepared.


if study.replicates.folds:

    rule make_folds:
        input:
            task=f"{DATA}/tasks/{{name}}/manifest.json",
            splits=layout.splits("{name}"),
        output:
            layout.folds("{name}"),
        log:
            f"{DATA}/logs/folds_{{name}}.log",
        benchmark:
            f"{DATA}/logs/folds_{{name}}.tsv"
        conda:
            "../envs/constrictor.yaml"
        threads: jobs.threads("make_folds")
        resources:
            **jobs.of("make_folds", f"{DATA}/logs/folds_{{name}}.tsv"),
        params:
            settings=settings.folding,
            code=code.of_named_task("make_folds"),
        message:
            "Split the task {wildcards.name} into folds"
        shell:
            "python -m workflow_scripts.make_folds --settings {params.settings:q} --task {input.task:q} 2> {log:q}"


rule select_subset:
    input:
        pool=inputs.pool,
        task=inputs.task_of_pool,
        held_out=inputs.held_out,
    output:
        examples=f"{DATA}/subsets/{{fold}}{{name}}.parquet",
    log:
        f"{DATA}/logs/{{fold}}subset_{{name}}.log",
    benchmark:
        f"{DATA}/logs/{{fold}}subset_{{name}}.tsv"
    wildcard_constraints:
        fold=r"(fold\d+/)?",  # a task's subsets are selected in each fold
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("select_subset")
    resources:
        **jobs.of("select_subset", f"{DATA}/logs/{{fold}}subset_{{name}}.tsv"),
    params:
        settings=settings.subset,
        code=code.of_subset("select_subset"),
    message:
        "Select the subset {wildcards.fold}{wildcards.name}"
    shell:
        "python -m workflow_scripts.select_subset --settings {params.settings:q} --pool {input.pool:q} --task {input.task:q}"
        " --held-out {input.held_out:q} --output {output.examples:q} 2> {log:q}"
