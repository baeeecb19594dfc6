"""Frozen records of a model: expressions, declarations, statements and resolved nodes."""
