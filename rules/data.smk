# Data: tasks and corpora are read and checked, checkpoints fetched, subsets selected.


rule download_dataset:
    input:
        local_file,
    output:
        manifest=f"{DATA}/tasks/{{name}}/manifest.json",
        splits=[f"{DATA}/tasks/{{name}}/{split}.parquet" for split in SPLITS],
    log:
        f"{DATA}/logs/task_{{name}}.log",
    benchmark:
        f"{DATA}/logs/task_{{name}}.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(reading)
    resources:
        **resources_for(reading, f"{DATA}/logs/task_{{name}}.tsv"),
    params:
        kind="--task",
        settings=lambda wildcards: task_settings(wildcards.name),
        code=code_of("download_dataset", parts=["examples"]),
    message:
        "Read and split the task {wildcards.name}"
    shell:
        "python -m workflow_scripts.download_dataset {params.kind} {params.settings:q} --output {output.manifest:q} 2> {log:q}"


use rule download_dataset as download_corpus with:
    output:
        manifest=f"{DATA}/corpora/{{name}}/manifest.json",
        texts=f"{DATA}/corpora/{{name}}/texts.parquet",
    log:
        f"{DATA}/logs/corpus_{{name}}.log",
    benchmark:
        f"{DATA}/logs/corpus_{{name}}.tsv"
    resources:
        **resources_for(reading, f"{DATA}/logs/corpus_{{name}}.tsv"),
    params:
        kind="--corpus",
        settings=lambda wildcards: study.corpora[wildcards.name].canonical(),
        code=code_of("download_dataset", parts=["examples"]),
    message:
        "Read the corpus {wildcards.name}"


rule download_extra_test_set:
    input:
        source=local_extra_test_set,
        task=f"{DATA}/tasks/{{name}}/manifest.json",
        splits=[f"{DATA}/tasks/{{name}}/{split}.parquet" for split in SPLITS],
    output:
        examples=f"{DATA}/tasks/{{name}}/extra_test_sets/{{part}}.parquet",
    log:
        f"{DATA}/logs/extra_test_set_{{name}}_{{part}}.log",
    benchmark:
        f"{DATA}/logs/extra_test_set_{{name}}_{{part}}.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(reading)
    resources:
        **resources_for(reading, f"{DATA}/logs/extra_test_set_{{name}}_{{part}}.tsv"),
    params:
        settings=lambda wildcards: task_settings(wildcards.name, wildcards.part),
        code=code_of("download_extra_test_set", parts=["examples"]),
    message:
        "Read the extra test {wildcards.part} of the task {wildcards.name}"
    shell:
        "python -m workflow_scripts.download_extra_test_set --settings {params.settings:q} --name {wildcards.part:q}"
        " --task {input.task:q} --output {output.examples:q} 2> {log:q}"


if study.replicates.folds:

    rule cut_folds:
        input:
            task=f"{DATA}/tasks/{{name}}/manifest.json",
            splits=[f"{DATA}/tasks/{{name}}/{split}.parquet" for split in SPLITS],
        output:
            [
                f"{DATA}/tasks/{{name}}/fold{fold}/{file}"
                for fold in range(study.replicates.folds)
                for file in ("manifest.json", *(f"{split}.parquet" for split in SPLITS))
            ],
        log:
            f"{DATA}/logs/folds_{{name}}.log",
        benchmark:
            f"{DATA}/logs/folds_{{name}}.tsv"
        conda:
            "../envs/constrictor.yaml"
        threads: threads_for(reading)
        resources:
            **resources_for(reading, f"{DATA}/logs/folds_{{name}}.tsv"),
        params:
            settings=lambda wildcards: plan.folding(wildcards.name).canonical(),
            code=code_of("cut_folds", parts=["examples"]),
        message:
            "Cut the task {wildcards.name} into folds"
        shell:
            "python -m workflow_scripts.cut_folds --settings {params.settings:q} --task {input.task:q} 2> {log:q}"


rule download_model:
    input:
        local_weights,
    output:
        manifest=f"{DATA}/models/{{name}}/manifest.json",
    log:
        f"{DATA}/logs/model_{{name}}.log",
    benchmark:
        f"{DATA}/logs/model_{{name}}.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(fetching)
    resources:
        **resources_for(fetching, f"{DATA}/logs/model_{{name}}.tsv"),
    params:
        settings=lambda wildcards: study.models[wildcards.name].canonical(),
        code=code_of("download_model"),
    message:
        "Fetch the model {wildcards.name}"
    shell:
        "python -m workflow_scripts.download_model --settings {params.settings:q} --output {output.manifest:q} 2> {log:q}"


rule select_subset:
    input:
        pool=pool_of,
        held_out=held_out_of,
    output:
        examples=f"{DATA}/subsets/{{fold}}{{name}}.parquet",
    log:
        f"{DATA}/logs/{{fold}}subset_{{name}}.log",
    benchmark:
        f"{DATA}/logs/{{fold}}subset_{{name}}.tsv"
    wildcard_constraints:
        fold=r"(fold\d+/)?",  # a task's subsets are chosen in each fold
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(reading)
    resources:
        **resources_for(reading, f"{DATA}/logs/{{fold}}subset_{{name}}.tsv"),
    params:
        settings=lambda wildcards: study.subsets[wildcards.name].canonical(),
        code=code_of("select_subset"),
    message:
        "Select the subset {wildcards.fold}{wildcards.name}"
    shell:
        "python -m workflow_scripts.select_subset --settings {params.settings:q} --pool {input.pool:q}"
        " --held-out {input.held_out:q} --output {output.examples:q} 2> {log:q}"
