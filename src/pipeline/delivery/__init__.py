"""Send messages: an async client guarded by limits, Arrow batches in and out; no Spark."""
