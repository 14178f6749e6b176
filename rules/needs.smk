# What each job asks of the machine or the queue: threads, memory, time and GPU.
from constrictor.scheduling.gpu_lease import visible_gpus
from constrictor.scheduling.resources import Work, measured, needs
from constrictor.scheduling.workload import Workload

# A profile says how many GPUs jobs may have at a time (`resources: gpu=8`); where none does, it is those of this machine.
if "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", len(visible_gpus()))
workload = Workload(plan, Path(DATA), has_gpus=workflow.global_resources["gpu"].value > 0)


def threads_for(work):
    """Input function: the threads of a job. `work` maps wildcards to what it has to do."""
    return lambda wildcards: needs(work(wildcards)).threads


def resources_for(work, benchmark):
    """Memory, time and GPU of a job, as functions that ask for more in a later attempt.

    What an earlier run of the same job was seen to need, in its `benchmark`, goes before the estimate.
    """

    def memory(wildcards, attempt):
        return needs(work(wildcards), attempt, measured(Path(benchmark.format(**wildcards)), "max_rss")).mem_mb

    return {
        "mem_mb": memory,
        "runtime": lambda wildcards, attempt: needs(work(wildcards), attempt).runtime,
        "gpu": lambda wildcards: needs(work(wildcards)).gpu,
    }


def reading(wildcards):
    """The work of a job that handles tables and no model."""
    return Work("read")


def fetching(wildcards):
    """The work of fetching a checkpoint."""
    return workload.fetching(wildcards.name)


def building(wildcards):
    """The work of the step at the end of a lineage."""
    return workload.building(wildcards.lineage, wildcards.task)


def labelling(wildcards):
    """The work of a teacher that labels a subset."""
    return workload.predicting("label", wildcards.lineage, wildcards.task, wildcards.subset)


def evaluating(wildcards):
    """The work of an evaluation."""
    return workload.predicting("evaluate", wildcards.lineage, wildcards.task)


def timing(wildcards):
    """The work of timing a model in turn with the baselines."""
    return workload.timing(wildcards.lineage, wildcards.task)


def comparing(wildcards):
    """The work of the comparison."""
    return Work("compare")
