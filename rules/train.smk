# Training: fine-tune on labels; write down what a teacher says; distil students from that.


rule finetune:
    input:
        start=start_model,
        task=task_manifest,
        train=task_file("train.parquet"),
        validation=task_file("validation.parquet"),
    output:
        manifest=f"{NODE}/model/manifest.json",
        training=f"{NODE}/training.json",
    log:
        f"{NODE}/logs/finetune.log",
    benchmark:
        f"{NODE}/logs/finetune.tsv"
    wildcard_constraints:
        lineage=lineages_of("finetune"),
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(building)
    resources:
        **resources_for(building, f"{NODE}/logs/finetune.tsv"),
    params:
        settings=step_settings,
        seed=seed_of,
        code=code_of("finetune", parts=["model"]),
    message:
        "Fine-tune {wildcards.lineage} on {wildcards.task} ({wildcards.replicate})"
    shell:
        "python -m workflow_scripts.finetune --settings {params.settings:q} --start {input.start:q} --task {input.task:q}"
        " --output {output.manifest:q} --seed {params.seed} --code {params.code} --threads {threads} 2> {log:q}"


rule teacher_outputs:
    input:
        teacher=f"{NODE}/model/manifest.json",
        examples=lambda wildcards: examples_file(wildcards, wildcards.subset),
    output:
        outputs=f"{NODE}/outputs/{{subset}}.parquet",
    log:
        f"{NODE}/logs/outputs_{{subset}}.log",
    benchmark:
        f"{NODE}/logs/outputs_{{subset}}.tsv"
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(labelling)
    resources:
        **resources_for(labelling, f"{NODE}/logs/outputs_{{subset}}.tsv"),
    params:
        code=code_of("teacher_outputs"),
    message:
        "Let {wildcards.lineage} label {wildcards.subset} of {wildcards.task} ({wildcards.replicate})"
    shell:
        "python -m workflow_scripts.teacher_outputs --teacher {input.teacher:q} --examples {input.examples:q}"
        " --output {output.outputs:q} --threads {threads} 2> {log:q}"


rule distil:
    input:
        teacher=parent_model,
        student=start_model,
        task=task_manifest,
        validation=task_file("validation.parquet"),
        examples=lesson_examples,
        outputs=lesson_outputs,
    output:
        manifest=f"{NODE}/model/manifest.json",
        training=f"{NODE}/training.json",
    log:
        f"{NODE}/logs/distil.log",
    benchmark:
        f"{NODE}/logs/distil.tsv"
    wildcard_constraints:
        lineage=lineages_of("distil"),
    conda:
        "../envs/constrictor.yaml"
    threads: threads_for(building)
    resources:
        **resources_for(building, f"{NODE}/logs/distil.tsv"),
    params:
        settings=step_settings,
        seed=seed_of,
        code=code_of("distil", parts=["model"]),
    message:
        "Distil {wildcards.lineage} on {wildcards.task} ({wildcards.replicate})"
    shell:
        "python -m workflow_scripts.distil --settings {params.settings:q} --teacher {input.teacher:q}"
        " --student {input.student:q} --examples {input.examples:q} --outputs {input.outputs:q} --task {input.task:q}"
        " --output {output.manifest:q} --seed {params.seed} --code {params.code} --threads {threads} 2> {log:q}"
