from constrictor.scheduling.estimate import Estimate
from constrictor.scheduling.summary import MOST_CAUSES, plan_text

MISSING, FOLLOWS = "Missing output files: a", "Input files updated by another job: b"


def test_a_plan_lists_jobs_causes_and_costs(node_job):
    to_run = [
        (node_job("distil", "teacher/kd"), MISSING, Estimate(90, 1500, "last run")),
        (node_job("evaluate", "teacher/kd"), FOLLOWS, Estimate(10, 600, "similar jobs")),
        (node_job("evaluate", "teacher/kd/int8"), FOLLOWS, Estimate(20, 700, "model size")),
    ]
    done = [
        (node_job("finetune", "teacher"), 100.0, Estimate(120, 2200, "last run")),
        (node_job("evaluate", "teacher"), 8.0, Estimate(10, 600, "last run")),
        (node_job("evaluate", "teacher", "seed2"), None, Estimate(12, 600, "last run")),
        (node_job("latency", "teacher"), None, Estimate(60, 1600, "last run")),
    ]
    assert plan_text("small", to_run, done, chain=110) == (
        "Study small: 3 jobs to run, 4 reused\n"
        "\n"
        "Why\n"
        "     1  outputs are missing\n"
        "     2  an input is made by another job of this run\n"
        "\n"
        "To run\n"
        "  rule      jobs        time  memory  estimated from\n"
        "  distil       1  1 min 30 s  1.5 GB  last run\n"
        "  evaluate     2      30.0 s  0.7 GB  similar jobs (1), model size (1)\n"
        "  all          3   2 min 0 s  1.5 GB  in sequence; critical path 1 min 50 s\n"
        "\n"
        "Done and reused\n"
        "  rule      jobs                              estimated        took  memory\n"
        "  finetune     1                             1 min 40 s   2 min 0 s  2.2 GB\n"
        "  evaluate     2           8.0 s for 1 that took 10.0 s      22.0 s  0.6 GB\n"
        "  latency      1                                      –   1 min 0 s  1.6 GB\n"
        "  all          4  1 min 48 s for 2 that took 2 min 10 s  3 min 22 s  2.2 GB"
    )


def test_a_finished_study_shows_no_plan(node_job):
    text = plan_text("small", [], [(node_job("finetune", "teacher"), None, Estimate(120, 2200, "last run"))], 0)
    assert text.startswith("Study small: 0 jobs to run, 1 reused\n\nDone and reused\n")
    assert "Why" not in text
    assert "To run" not in text


def test_the_plan_of_a_large_study_is_short(node_job):
    to_run = [
        (node_job("prune", f"teacher/step{number}"), f"Updated input files: {number}.csv", Estimate(1, 1, "model size"))
        for number in range(1000)
    ]
    text = plan_text("large", to_run, [], 1)
    assert text.startswith("Study large: 1,000 jobs to run, 0 reused")
    assert len(text.splitlines()) < MOST_CAUSES + 12
    assert f"{1000 - MOST_CAUSES:>6}  for {1000 - MOST_CAUSES} other causes" in text
