# Tasks, corpora and checkpoints are fetched, checked and prepared. The content of the sources decides what is fetched again,
# and not their date.


rule download_dataset:
    input:
        ancient(inputs.data_source),
    output:
        manifest=f"{DATA}/tasks/{{name}}/manifest.json",
        splits=layout.splits("{name}"),
    log:
        f"{DATA}/logs/task_{{name}}.log",
    benchmark:
        f"{DATA}/logs/task_{{name}}.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("download_dataset")
    resources:
        **jobs.of("download_dataset", f"{DATA}/logs/task_{{name}}.tsv"),
    params:
        kind="--task",
        settings=settings.task,
        content=content.data,
        code=code.of_named_task("download_dataset", "examples"),
    message:
        "Read and split the task {wildcards.name}"
    shell:
        "python -m workflow_scripts.download_dataset {params.kind} {params.settings:q} --output {output.manifest:q} 2> {log:q}"


use rule download_dataset as download_corpus with:
    output:
        manifest=f"{DATA}/corpora/{{name}}/manifest.json",
        examples=f"{DATA}/corpora/{{name}}/texts.parquet",
    log:
        f"{DATA}/logs/corpus_{{name}}.log",
    benchmark:
        f"{DATA}/logs/corpus_{{name}}.tsv"
    resources:
        **jobs.of("download_corpus", f"{DATA}/logs/corpus_{{name}}.tsv"),
    params:
        kind="--corpus",
        settings=settings.corpus,
        content=content.data,
        code=code.of("download_dataset"),
    message:
        "Read the corpus {wildcards.name}"


rule download_extra_test_set:
    input:
        source=ancient(inputs.extra_test_source),
        task=f"{DATA}/tasks/{{name}}/manifest.json",
        splits=layout.splits("{name}"),
    output:
        examples=layout.extra_test_set("{name}", "{part}"),
    log:
        f"{DATA}/logs/extra_test_set_{{name}}_{{part}}.log",
    benchmark:
        f"{DATA}/logs/extra_test_set_{{name}}_{{part}}.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("download_extra_test_set")
    resources:
        **jobs.of("download_extra_test_set", f"{DATA}/logs/extra_test_set_{{name}}_{{part}}.tsv"),
    params:
        settings=settings.extra_test_set,
        content=content.extra_test_set,
        code=code.of_named_task("download_extra_test_set", "examples"),
    message:
        "Read the extra test set {wildcards.part} of the task {wildcards.name}"
    shell:
        "python -m workflow_scripts.download_extra_test_set --settings {params.settings:q} --name {wildcards.part:q}"
        " --task {input.task:q} --output {output.examples:q} 2> {log:q}"


rule download_model:
    input:
        ancient(inputs.checkpoint_source),
    output:
        manifest=f"{DATA}/models/{{name}}/manifest.json",
    log:
        f"{DATA}/logs/model_{{name}}.log",
    benchmark:
        f"{DATA}/logs/model_{{name}}.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("download_model")
    resources:
        **jobs.of("download_model", f"{DATA}/logs/model_{{name}}.tsv"),
    params:
        settings=settings.checkpoint,
        content=content.checkpoint,
        code=code.of("download_model"),
    message:
        "Fetch the model {wildcards.name}"
    shell:
        "python -m workflow_scripts.download_model --settings {params.settings:q} --output {output.manifest:q} 2> {log:q}"
