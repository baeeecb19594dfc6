"""Derivations for people: text, Markdown, LaTeX, JSON, and the graph of a model."""

from deriver.show.render import render

__all__ = ["render"]
