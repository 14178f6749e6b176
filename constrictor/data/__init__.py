"""Sources, tasks, splits, corpora and subsets: from a study's description to Parquet files of examples."""
