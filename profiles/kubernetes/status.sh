#!/bin/sh
# Prints success, failed or running for a job's name. A job that was deleted has failed; a cluster that does not answer has not.
found=$(kubectl get job "$1" --ignore-not-found \
    --output='jsonpath={.metadata.name} {.status.conditions[?(@.status=="True")].type}') || { echo running; exit 0; }
case "$found" in
    "" | *Failed*) echo failed ;;
    *Complete*) echo success ;;
    *) echo running ;;
esac
