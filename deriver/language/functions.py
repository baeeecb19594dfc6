"""The functions of the model language: names, number of arguments, and which may stand on the left.

A table for the parser (arity), the shape rules and the interval rules; no function here computes anything.
"""

from __future__ import annotations

# Function -> smallest and largest number of arguments.
FUNCTIONS: dict[str, tuple[int, int]] = {
    "exp": (1, 1),
    "log": (1, 1),
    "sqrt": (1, 1),
    "abs": (1, 1),
    "max": (2, 8),
    "min": (2, 8),
    "inv": (1, 1),
    "det": (1, 1),
    "tr": (1, 1),
    "diag": (1, 1),
    "eye": (1, 1),
    "ones": (1, 2),
    "exchangeable": (2, 2),
    "logit": (1, 1),
    "expit": (1, 1),
    "lgamma": (1, 1),
    "normal_cdf": (1, 1),
    "is_positive": (1, 1),
    "floor": (1, 1),
}

ALIASES = {"ilogit": "expit", "inverse": "inv", "trace": "tr", "identity": "eye"}

# Names that people bring from other languages, and what to write here.
FOREIGN = {
    "inprod": "write x' * y for the inner product of two vectors",
    "pow": "write x^a for a power",
    "t": "write x' for a transpose",
    "dot": "write x' * y for the inner product of two vectors",
    "inv_logit": "write expit(x)",
    "Phi": "write normal_cdf(x)",
    "phi": "write normal_cdf(x)",
    "pnorm": "write normal_cdf(x)",
    "step": "write is_positive(x) for 1 where x > 0, else 0",
    "invlogit": "write expit(x)",
    "round": "write floor(x + 1/2) for the nearest whole number",
    "trunc": "write floor(x) for the whole number below a positive x",
    "ceil": "write -floor(-x) for the whole number above x",
    "logdet": "write log(det(S))",
    "mean": "write sum(j: x[i,j]) / J[i]",
    "softmax": "define the parts, p[i,k] = exp(v[i,k]) / sum(k: exp(v[i,k])), and write p[i,:]",
    "rep": "write ones(p) for a vector of ones",
    "cbind": "write [a; b] for a vector, [a, b; c, d] for a matrix",
    "quad_form": "write x' * A * x",
    "transpose": "write x' for a transpose",
    "I": "write eye(p) for the identity matrix",
}

# transform on the left -> the function that takes the node back to the name written.
INVERSE_TRANSFORMS = {"log": "exp", "inv": "inv", "logit": "expit", "sqrt": "square"}

OF_NUMBERS = frozenset({"logit", "expit", "normal_cdf", "is_positive", "floor"})
# Functions of a number or of a vector, component by component.
ELEMENTWISE = frozenset({"exp", "log", "sqrt", "abs", "lgamma"})

BLOCKS = ("plates", "given", "data", "process", "parameters")

WORDS = frozenset({"model", *BLOCKS, "for", "in", "where", "and", "sum", "inf"})
