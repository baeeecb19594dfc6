"""Random well-formed models and everything that is checked of each: the strategy, the checks, the batches."""
