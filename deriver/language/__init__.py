"""The model language: text or Python to a model, and a model back to text.

``parse_model`` and ``ModelBuilder`` make the same ``Model``; ``print_model`` gives text that parses back to it.
The families stand in ``distributions`` and the functions of the builder in ``terms``.
"""

from deriver.language import distributions, terms
from deriver.language.builder import ModelBuilder
from deriver.language.distributions import Distribution
from deriver.language.printer import print_expression, print_model
from deriver.language.read import parse_expression, parse_model
from deriver.language.terms import Term

__all__ = [
    "Distribution",
    "ModelBuilder",
    "Term",
    "distributions",
    "parse_expression",
    "parse_model",
    "print_expression",
    "print_model",
    "terms",
]
