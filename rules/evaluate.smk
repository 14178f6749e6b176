# Measurement: quality on held-out data, and speed, size and memory in turn with the baselines.


rule evaluate:
    input:
        model=f"{NODE}/model/manifest.json",
        task=inputs.task_manifest,
        validation=inputs.validation,
        test=inputs.test,
        extra_test_sets=inputs.extra_test_sets,
    output:
        metrics=f"{NODE}/metrics.json",
        predictions=f"{NODE}/predictions.parquet",
    log:
        f"{NODE}/logs/evaluate.log",
    benchmark:
        f"{NODE}/logs/evaluate.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("evaluate")
    resources:
        **jobs.of("evaluate", f"{NODE}/logs/evaluate.tsv"),
    params:
        extra_test_sets=inputs.named_extra_test_sets,
        code=code.of_task("evaluate"),
    message:
        "Evaluate {wildcards.lineage} on {wildcards.task} ({wildcards.replicate})"
    shell:
        "python -m workflow_scripts.evaluate --model {input.model:q} --task {input.task:q}"
        " --splits validation={input.validation:q} test={input.test:q} --extra-test-sets {params.extra_test_sets:q}"
        " --metrics {output.metrics:q} --predictions {output.predictions:q} --threads {threads} 2> {log:q}"


rule fair_baseline:
    input:
        baselines=inputs.baseline_models,
        examples=inputs.validation,
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
        **jobs.of("fair_baseline", f"{NODE}/logs/fair_baseline.tsv"),
    params:
        settings=study.report.latency.canonical(),
        baselines=inputs.named_baselines,
        code=code.of_task("fair_baseline", "constrictor.evaluation.latency_worker"),
    message:
        "Find the fastest way to run {wildcards.lineage} ({wildcards.task}, {wildcards.replicate})"
    shell:
        "python -m workflow_scripts.fair_baseline --settings {params.settings:q}"
        " --baselines {params.baselines:q} --examples {input.examples:q} --output {output.found:q} --threads {threads} 2> {log:q}"


rule latency:
    input:
        model=f"{NODE}/model/manifest.json",
        examples=inputs.validation,
        baselines=inputs.baseline_models,
        fair_baseline=inputs.fair_baseline,
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
        **jobs.of("latency", f"{NODE}/logs/latency.tsv"),
    params:
        settings=study.report.latency.canonical(),
        baselines=inputs.named_baselines,
        code=code.of_task("latency", "constrictor.evaluation.latency_worker"),
    message:
        "Time {wildcards.lineage} ({wildcards.task}, {wildcards.replicate})"
    shell:
        "python -m workflow_scripts.latency --settings {params.settings:q} --model {input.model:q}"
        " --baselines {params.baselines:q} --fair-baseline {input.fair_baseline:q} --examples {input.examples:q}"
        " --output {output.latency:q} --threads {threads} 2> {log:q}"
