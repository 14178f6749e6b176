from constrictor.scheduling.jobs import finished_jobs

DATA, NODE = "data/small/logs", "results/small/reviews"


def test_finished_jobs_are_recognised_by_their_tables(plan, table):
    names = ["task_reviews", "corpus_corn", "model_tiny", "subset_some", "folds_reviews", "fold0/subset_some"]
    for name in names:
        table(f"{DATA}/{name}.tsv")
    for name in ("finetune", "evaluate", "latency", "fair_baseline", "outputs_train", "outputs_some"):
        table(f"{NODE}/seed1/teacher/logs/{name}.tsv")
    table("reports/small/reviews/logs/compare.tsv")
    table(f"{DATA}/extra_test_set_reviews_more_of_it.tsv")
    found = {job.benchmark.as_posix(): (job.rule, job.wildcards) for job in finished_jobs(plan)}
    node = {"task": "reviews", "replicate": "seed1", "lineage": "teacher"}
    assert found == {
        f"{DATA}/task_reviews.tsv": ("download_dataset", {"name": "reviews"}),
        f"{DATA}/corpus_corn.tsv": ("download_corpus", {"name": "corn"}),
        f"{DATA}/model_tiny.tsv": ("download_model", {"name": "tiny"}),
        f"{DATA}/extra_test_set_reviews_more_of_it.tsv": (
            "download_extra_test_set",
            {"name": "reviews", "part": "more_of_it"},
        ),
        f"{DATA}/folds_reviews.tsv": ("make_folds", {"name": "reviews"}),
        f"{DATA}/subset_some.tsv": ("select_subset", {"fold": "", "name": "some"}),
        f"{DATA}/fold0/subset_some.tsv": ("select_subset", {"fold": "fold0/", "name": "some"}),
        **{
            f"{NODE}/seed1/teacher/logs/{rule}.tsv": (rule, node)
            for rule in ("finetune", "evaluate", "latency", "fair_baseline")
        },
        **{
            f"{NODE}/seed1/teacher/logs/outputs_{name}.tsv": ("teacher_outputs", {**node, "subset": name})
            for name in ("train", "some")
        },
        "reports/small/reviews/logs/compare.tsv": ("compare", {"task": "reviews"}),
    }


def test_what_the_study_has_no_more_is_no_job_of_it(plan, table):
    table(f"{DATA}/task_others.tsv")
    table(f"{DATA}/subset_lost.tsv")
    table(f"{NODE}/seed1/teacher/old/logs/prune.tsv")
    table(f"{NODE}/seed3/teacher/logs/finetune.tsv")
    table(f"{NODE}/seed1/teacher/logs/outputs_lost.tsv")
    assert list(finished_jobs(plan)) == []
