# Where models come from: take a fine-tuned checkpoint as it is, or fine-tune on labels; record a teacher's outputs; distil
# students from them.


# Named after its script: `checkpoint` alone is a word of Snakemake's.
rule take_checkpoint:
    input:
        start=inputs.initial_model,
        task=inputs.task_manifest,
        validation=inputs.validation,
    output:
        manifest=f"{NODE}/model/manifest.json",
    log:
        f"{NODE}/logs/take_checkpoint.log",
    benchmark:
        f"{NODE}/logs/take_checkpoint.tsv"
    wildcard_constraints:
        lineage=lineages_ending_in(plan.steps("checkpoint")),
    conda:
        "../envs/constrictor.yaml"
    threads: jobs.threads("take_checkpoint")
    resources:
        **jobs.of("take_checkpoint", f"{NODE}/logs/take_checkpoint.tsv"),
    params:
        settings=settings.step,
        seed=settings.seed,
        code=code.of_task("take_checkpoint"),
    message:
        "Take the checkpoint {wildcards.lineage} as it is, for {wildcards.task} ({wildcards.replicate})"
    shell:
        "python -m workflow_scripts.take_checkpoint --settings {params.settings:q} --start {input.start:q}"
        " --task {input.task:q} --validation {input.validation:q} --output {output.manifest:q} --seed {params.seed} 2> {log:q}"


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
