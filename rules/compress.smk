# Compression: prune, quantize, export. Each turns a model into a child that is sparser, smaller or faster.


rule prune:
    input:
        unpack(recovery_lessons),
        parent=parent_model,
        task=task_manifest,
        validation=task_file("validation.parquet"),
        calibration=calibration_examples,
    output:
        manifest=f"{NODE}/model/manifest.json",
        training=f"{NODE}/training.json",
    log:
        f"{NODE}/logs/prune.log",
    benchmark:
        f"{NODE}/logs/prune.tsv"
    wildcard_constraints:
        lineage=lineages_of("prune"),
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(building)
    resources:
        **resources_for(building, f"{NODE}/logs/prune.tsv"),
    params:
        settings=step_settings,
        soft_targets=soft_targets,
        seed=seed_of,
        code=code_of("prune", parts=["model"]),
    message:
        "Prune {wildcards.lineage} on {wildcards.task} ({wildcards.replicate})"
    shell:
        "python -m workflow_scripts.prune --settings {params.settings:q} {params.soft_targets} --parent {input.parent:q}"
        " --calibration {input.calibration:q} --examples {input.examples:q} --outputs {input.outputs:q} --teacher {input.teacher:q}"
        " --task {input.task:q} --output {output.manifest:q} --seed {params.seed} --code {params.code} --threads {threads}"
        " 2> {log:q}"


rule quantize:
    input:
        unpack(recovery_lessons),
        parent=parent_model,
        task=task_manifest,
        splits=recovery_needs,
        calibration=calibration_examples,
    output:
        manifest=f"{NODE}/model/manifest.json",
    log:
        f"{NODE}/logs/quantize.log",
    benchmark:
        f"{NODE}/logs/quantize.tsv"
    wildcard_constraints:
        lineage=lineages_of("quantize"),
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(building)
    resources:
        **resources_for(building, f"{NODE}/logs/quantize.tsv"),
    params:
        settings=step_settings,
        soft_targets=soft_targets,
        seed=seed_of,
        code=code_of("quantize", parts=["model"]),
    message:
        "Quantize {wildcards.lineage} ({wildcards.task}, {wildcards.replicate})"
    shell:
        "python -m workflow_scripts.quantize --settings {params.settings:q} {params.soft_targets}"
        " --parent {input.parent:q} --calibration {input.calibration:q} --examples {input.examples:q}"
        " --outputs {input.outputs:q} --teacher {input.teacher:q} --task {input.task:q} --output {output.manifest:q}"
        " --seed {params.seed} --code {params.code} --threads {threads} 2> {log:q}"


rule export:
    input:
        parent=parent_model,
        task=task_manifest,
        validation=task_file("validation.parquet"),
    output:
        manifest=f"{NODE}/model/manifest.json",
    log:
        f"{NODE}/logs/export.log",
    benchmark:
        f"{NODE}/logs/export.tsv"
    wildcard_constraints:
        lineage=lineages_of("export"),
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(building)
    resources:
        **resources_for(building, f"{NODE}/logs/export.tsv"),
    params:
        settings=step_settings,
        code=code_of("export"),
    message:
        "Export {wildcards.lineage} ({wildcards.task}, {wildcards.replicate})"
    shell:
        "python -m workflow_scripts.export --settings {params.settings:q} --parent {input.parent:q} --task {input.task:q}"
        " --output {output.manifest:q} 2> {log:q}"
