"""Packaged models, data, reference posteriors and demos."""
