# make run      set up, build and measure the study, print the comparison, write the report
# make test     set up, all tests but the longest study
# make help     what else there is

PYTHON ?= python3
STUDY  ?= config.yaml
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help setup run plan explain debug test test-all test-fast test-slurm test-faults check docs dag clean

help:
	@grep -E '^# make' Makefile | cut -c3-
	@echo "make setup    the virtual environment alone"
	@echo "make debug    the same study on a tenth of the data, one epoch a training (some five minutes)"
	@echo "make test-all   all tests, with a study in which every method occurs (some five minutes more)"
	@echo "make test-fast  unit tests only"
	@echo "make test-slurm  the small study through a SLURM that is started on this machine (root; four to six minutes)"
	@echo "make test-faults  kills, full disks, damaged files and the like (quarter of an hour; as root all of them); writes docs/reliability.md"
	@echo "make plan     what a run would do, why, and at what cost; after a run, what was planned and what it took"
	@echo "make explain FILE=results/…  where a file came from, and how to make it again"
	@echo "make check    linters, the type checker and the import contract"
	@echo "make docs     docs/configuration.md and schemas/study.schema.json, from the code"
	@echo "make dag      docs/images/dag.svg (needs graphviz)"
	@echo "make run STUDY=studies/other.yaml runs another study"

# The lock is complete, so nothing is resolved; torch alone brings what its build for this machine needs.
$(VENV)/run.stamp: envs/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Constrictor needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@echo "Setting up $(VENV) (some minutes, once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint envs/lock.txt $$(grep '^torch==' envs/lock.txt)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --requirement envs/lock.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp envs/lock-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --requirement envs/lock-dev.txt
	@touch $@

setup: $(VENV)/run.stamp

# The study is read first: Snakemake would not report in which line it is no YAML.
run: setup
	@reports=reports/$$($(BIN)/python -m constrictor.study.read $(STUDY)) || exit 1; \
	$(BIN)/snakemake --configfile $(STUDY) || exit 1; \
	newest=$$(ls -t $$reports/*/table.md | head -n 1); \
	if [ ! -f $$reports/report.html ] || [ "$$newest" -nt $$reports/report.html ]; then \
	    $(BIN)/snakemake --configfile $(STUDY) --report $$reports/report.html > /dev/null 2> $$reports/report.log \
	        || { cat $$reports/report.log; exit 1; }; fi; \
	echo; cat $$reports/*/table.md; echo; \
	echo "Tables and pictures: $$reports/   Report to open in a browser: $$reports/report.html"; \
	if grep -qF "too busy to trust" $$reports/*/table.md; then \
	    echo "The machine was too busy to trust all speeds: the tables mark what was disturbed, and say how to time it again."; fi

plan: setup
	@$(BIN)/python -m workflow_scripts.plan --configfile $(STUDY)

explain: setup
	@$(if $(FILE),,$(error Name a file: make explain FILE=results/…/metrics.json))$(BIN)/python -m workflow_scripts.explain $(FILE)

debug:
	@$(MAKE) --no-print-directory run STUDY=studies/debug.yaml

# Two processes, each with the tests of some modules, the longest first (tests/conftest.py has the order).
test: $(VENV)/test.stamp
	@HF_HUB_OFFLINE=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -n 2 --no-loadscope-reorder -m "not long and not slurm and not faults"

test-all: $(VENV)/test.stamp
	@HF_HUB_OFFLINE=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -m "not slurm and not faults"

test-fast: $(VENV)/test.stamp
	@HF_HUB_OFFLINE=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -m "not slurm and not faults" --ignore tests/workflow --ignore tests/faults

# Needs Debian's packages slurmctld, slurmd, slurm-client and munge; reports what is missing and skips without them.
test-slurm: $(VENV)/test.stamp
	@HF_HUB_OFFLINE=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -m slurm -rs tests/slurm

# The short run of the kills is left out: the long one has its kills too.
test-faults: $(VENV)/test.stamp
	@HF_HUB_OFFLINE=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/pytest -rs -s --deselect "tests/faults/test_killed_study.py::test_killed_study_ends_with_the_artifacts_of_an_undisturbed_one[3]" \
	    tests/faults --write-table docs/reliability.md

check: $(VENV)/test.stamp
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/snakefmt --check Snakefile rules
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/snakemake --lint

docs: setup
	@$(BIN)/python -m constrictor.study.schema

dag: setup
	@$(BIN)/snakemake --rulegraph dot 2> /dev/null | tred | dot -Grankdir=LR -Tsvg > docs/images/dag.svg

clean:
	rm -rf data/*/ results/*/ reports/*/ .snakemake
