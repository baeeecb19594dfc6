"""Derivations for people: text, Markdown, LaTeX, JSON, and the graph of a model."""

from deriver.show.graph import draw_graph, write_graph
from deriver.show.render import render

__all__ = ["draw_graph", "render", "write_graph"]
