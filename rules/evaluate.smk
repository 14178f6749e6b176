# Measurement: quality on held-out data, and speed, size and memory in turn with the baselines.


rule evaluate:
    input:
        model=f"{NODE}/model/manifest.json",
        task=task_manifest,
        validation=task_file("validation.parquet"),
        test=task_file("test.parquet"),
        extra_test_sets=extra_test_sets,
    output:
        metrics=f"{NODE}/metrics.json",
        predictions=f"{NODE}/predictions.parquet",
    log:
        f"{NODE}/logs/evaluate.log",
    benchmark:
        f"{NODE}/logs/evaluate.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(evaluating)
    resources:
        **resources_for(evaluating, f"{NODE}/logs/evaluate.tsv"),
    params:
        code=code_of("evaluate"),
    message:
        "Evaluate {wildcards.lineage} on {wildcards.task} ({wildcards.replicate})"
    shell:
        "python -m workflow_scripts.evaluate --model {input.model:q} --task {input.task:q} --metrics {output.metrics:q}"
        " --predictions {output.predictions:q} --extra-test-sets {input.extra_test_sets:q} --threads {threads} 2> {log:q}"


rule fair_baseline:
    input:
        model=f"{NODE}/model/manifest.json",
        task=task_manifest,
        validation=task_file("validation.parquet"),
    output:
        found=f"{NODE}/fair_baseline.json",
    log:
        f"{NODE}/logs/fair_baseline.log",
    benchmark:
        f"{NODE}/logs/fair_baseline.tsv"
    conda:
        "../envs/constrictor.yaml"
    # All cores, so that nothing else runs on the machine meanwhile.
    threads: workflow.cores
    resources:
        **resources_for(timing, f"{NODE}/logs/fair_baseline.tsv"),
    params:
        settings=study.report.latency.canonical(),
        code=code_of("fair_baseline", "constrictor.evaluation.latency_worker"),
    message:
        "Find the fastest way to run {wildcards.lineage} ({wildcards.task}, {wildcards.replicate})"
    shell:
        "python -m workflow_scripts.fair_baseline --settings {params.settings:q} --model {input.model:q}"
        " --task {input.task:q} --output {output.found:q} --threads {threads} 2> {log:q}"


rule latency:
    input:
        model=f"{NODE}/model/manifest.json",
        task=task_manifest,
        validation=task_file("validation.parquet"),
        baselines=baseline_models,
        fair_baseline=fair_baseline,
    output:
        latency=f"{NODE}/latency.json",
    log:
        f"{NODE}/logs/latency.log",
    benchmark:
        f"{NODE}/logs/latency.tsv"
    conda:
        "../envs/constrictor.yaml"
    # All cores, so that nothing else runs on the machine meanwhile.
    threads: workflow.cores
    resources:
        **resources_for(timing, f"{NODE}/logs/latency.tsv"),
    params:
        settings=study.report.latency.canonical(),
        baselines=named_baselines,
        code=code_of("latency", "constrictor.evaluation.latency_worker"),
    message:
        "Time {wildcards.lineage} ({wildcards.task}, {wildcards.replicate})"
    shell:
        "python -m workflow_scripts.latency --settings {params.settings:q} --model {input.model:q}"
        " --baselines {params.baselines:q} --fair-baseline {input.fair_baseline:q} --task {input.task:q}"
        " --output {output.latency:q} --threads {threads} 2> {log:q}"
