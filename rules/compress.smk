# Compression: prune, quantize, export. Each turns a model into a child that is sparser, smaller or faster.


rule prune:
    input:
        parent=inputs.parent_model,
        task=inputs.task_manifest,
        validation=inputs.validation,
        calibration=inputs.calibration,
        training=trainings.files,
    output:
        manifest=f"{NODE}/model/manifest.json",
        training=f"{NODE}/training.json",
    log:
        f"{NODE}/logs/prune.log",
    benchmark:
        f"{NODE}/logs/prune.tsv"
    wildcard_constraints:
        lineage=lineages_ending_in(plan.steps("prune")),
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("prune")
    resources:
        **jobs.of("prune", f"{NODE}/logs/prune.tsv"),
    params:
        settings=settings.step,
        plan=trainings.plan_json,
        seed=settings.seed,
        code=code.of_task("prune", trains=True),
    message:
        "Prune {wildcards.lineage} on {wildcards.task} ({wildcards.replicate})"
    shell:
        "python -m workflow_scripts.prune --settings {params.settings:q} --parent {input.parent:q}"
        " --calibration {input.calibration:q} --plan {params.plan:q} --task {input.task:q} --validation {input.validation:q}"
        " --output {output.manifest:q} --seed {params.seed} --code {params.code} --threads {threads} 2> {log:q}"


rule quantize:
    input:
        parent=inputs.parent_model,
        task=inputs.task_manifest,
        validation=inputs.validation,
        calibration=inputs.calibration,
    output:
        manifest=f"{NODE}/model/manifest.json",
    log:
        f"{NODE}/logs/quantize.log",
    benchmark:
        f"{NODE}/logs/quantize.tsv"
    wildcard_constraints:
        lineage=lineages_ending_in(trainings.steps("quantize", trains=False)),
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("quantize")
    resources:
        **jobs.of("quantize", f"{NODE}/logs/quantize.tsv"),
    params:
        settings=settings.step,
        plan=trainings.plan_json,
        seed=settings.seed,
        code=code.of_task("quantize", trains=True),
    message:
        "Quantize {wildcards.lineage} ({wildcards.task}, {wildcards.replicate})"
    shell:
        "python -m workflow_scripts.quantize --settings {params.settings:q} --parent {input.parent:q}"
        " --calibration {input.calibration:q} --plan {params.plan:q} --task {input.task:q} --validation {input.validation:q}"
        " --output {output.manifest:q} --seed {params.seed} --code {params.code} --threads {threads} 2> {log:q}"


# Quantization-aware training also reads what a training reads, and writes its record.
use rule quantize as quantize_aware with:
    input:
        parent=inputs.parent_model,
        task=inputs.task_manifest,
        validation=inputs.validation,
        calibration=[],
        training=trainings.files,
    output:
        manifest=f"{NODE}/model/manifest.json",
        training=f"{NODE}/training.json",
    log:
        f"{NODE}/logs/quantize_aware.log",
    benchmark:
        f"{NODE}/logs/quantize_aware.tsv"
    wildcard_constraints:
        lineage=lineages_ending_in(trainings.steps("quantize", trains=True)),
    resources:
        **jobs.of("quantize_aware", f"{NODE}/logs/quantize_aware.tsv"),
    message:
        "Quantization-aware training of {wildcards.lineage} ({wildcards.task}, {wildcards.replicate})"


rule export:
    input:
        parent=inputs.parent_model,
        examples=inputs.validation,
    output:
        manifest=f"{NODE}/model/manifest.json",
    log:
        f"{NODE}/logs/export.log",
    benchmark:
        f"{NODE}/logs/export.tsv"
    wildcard_constraints:
        lineage=lineages_ending_in(plan.steps("export")),
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("export")
    resources:
        **jobs.of("export", f"{NODE}/logs/export.tsv"),
    params:
        settings=settings.step,
        code=code.of_task("export"),
    message:
        "Export {wildcards.lineage} ({wildcards.task}, {wildcards.replicate})"
    shell:
        "python -m workflow_scripts.export --settings {params.settings:q} --parent {input.parent:q}"
        " --examples {input.examples:q} --output {output.manifest:q} 2> {log:q}"
