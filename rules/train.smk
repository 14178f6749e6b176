# Training: fine-tune on labels; record a teacher's outputs; distil students from them.


rule finetune:
    input:
        start=inputs.initial_model,
        task=inputs.task_manifest,
        validation=inputs.validation,
        training=trainings.files,
    output:
        manifest=f"{NODE}/model/manifest.json",
        training=f"{NODE}/training.json",
    log:
        f"{NODE}/logs/finetune.log",
    benchmark:
        f"{NODE}/logs/finetune.tsv"
    wildcard_constraints:
        lineage=lineages_ending_in(plan.steps("finetune")),
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("finetune")
    resources:
        **jobs.of("finetune", f"{NODE}/logs/finetune.tsv"),
    params:
        settings=settings.step,
        plan=trainings.plan_json,
        seed=settings.seed,
        code=code.of_task("finetune", trains=True),
    message:
        "Fine-tune {wildcards.lineage} on {wildcards.task} ({wildcards.replicate})"
    shell:
        "python -m workflow_scripts.finetune --settings {params.settings:q} --start {input.start:q} --plan {params.plan:q}"
        " --task {input.task:q} --validation {input.validation:q} --output {output.manifest:q}"
        " --seed {params.seed} --code {params.code} --threads {threads} 2> {log:q}"


rule teacher_outputs:
    input:
        teacher=f"{NODE}/model/manifest.json",
        examples=inputs.labelled_subset,
    output:
        outputs=f"{NODE}/outputs/{{subset}}.parquet",
    log:
        f"{NODE}/logs/outputs_{{subset}}.log",
    benchmark:
        f"{NODE}/logs/outputs_{{subset}}.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("teacher_outputs")
    resources:
        **jobs.of("teacher_outputs", f"{NODE}/logs/outputs_{{subset}}.tsv"),
    params:
        code=code.of_task("teacher_outputs"),
    message:
        "Label {wildcards.subset} with {wildcards.lineage} ({wildcards.task}, {wildcards.replicate})"
    shell:
        "python -m workflow_scripts.teacher_outputs --teacher {input.teacher:q} --examples {input.examples:q}"
        " --output {output.outputs:q} --threads {threads} 2> {log:q}"


rule distil:
    input:
        teacher=inputs.parent_model,
        student=inputs.initial_model,
        task=inputs.task_manifest,
        validation=inputs.validation,
        training=trainings.files,
    output:
        manifest=f"{NODE}/model/manifest.json",
        training=f"{NODE}/training.json",
    log:
        f"{NODE}/logs/distil.log",
    benchmark:
        f"{NODE}/logs/distil.tsv"
    wildcard_constraints:
        lineage=lineages_ending_in(plan.steps("distil")),
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("distil")
    resources:
        **jobs.of("distil", f"{NODE}/logs/distil.tsv"),
    params:
        settings=settings.step,
        plan=trainings.plan_json,
        seed=settings.seed,
        code=code.of_task("distil", trains=True),
    message:
        "Distil {wildcards.lineage} on {wildcards.task} ({wildcards.replicate})"
    shell:
        "python -m workflow_scripts.distil --settings {params.settings:q} --teacher {input.teacher:q}"
        " --student {input.student:q} --plan {params.plan:q} --task {input.task:q} --validation {input.validation:q}"
        " --output {output.manifest:q} --seed {params.seed} --code {params.code} --threads {threads} 2> {log:q}"
