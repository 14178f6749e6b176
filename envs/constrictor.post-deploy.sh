#!/usr/bin/env bash
# Run by Snakemake after it has made the conda environment: the same pinned packages as in `make setup`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pip install --constraint "$here/lock.txt" "$(grep '^torch==' "$here/lock.txt")"
pip install --no-deps --requirement "$here/lock.txt"
pip install --no-deps --no-build-isolation --editable "$here/.."
