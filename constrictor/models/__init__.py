"""Models on disk and in memory: artifacts with manifests, architecture families, loading and saving, quantized modules."""
