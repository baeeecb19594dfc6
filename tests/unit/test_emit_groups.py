"""Group columns into nodes that start before their plate, after it, or cover a part of it; nests of columns."""

from __future__ import annotations

import pytest

from tests.model_checks import check_model

HEAD = """
model groups

plates
  t = 1..T
  k = 1..K
  h = 1..H
"""
PARAMETERS = """
parameters
  s ~ IG(2, 1)
  v ~ IG(2, 1)
"""
CHAIN = """
process
  z[0] ~ N(0, 100)
  z[t] ~ N(z[t-1], v) for t in 1..T
"""
BODIES = {
    "before": "given\n  g : k -> t\ndata\n  y[k] ~ N(z[g[k]], s)" + CHAIN,
    "slope": "given\n  g : k -> t\n  x[k]\ndata\n  y[k] ~ N(x[k] * z[g[k]], s)" + CHAIN,
    "nested": "given\n  m : h -> k\n  g : k -> t\ndata\n  y[h] ~ N(z[g[m[h]]], s)" + CHAIN,
    "variance": "given\n  g : k -> t\n  w[t] > 0\ndata\n  y[k] ~ N(z[g[k]], s * w[g[k]])" + CHAIN,
    "two": "given\n  g : k -> t\n  m : k -> h\ndata\n  y[k] ~ N(z[g[k]] + a[m[k]], s)"
    + CHAIN
    + "  a[h] ~ N(0, v)\n",
    "beyond": "given\n  g : k -> t\ndata\n  y[k] ~ N(z[g[k]], s)\nprocess\n  z[0] ~ N(0, 100)\n"
    "  z[t] ~ N(z[t-1], v) for t in 1..T+1\n",
    "vector": "given\n  g : k -> t\n  x[k] : vector(p)\n  m : vector(p)\ndata\n  y[k] ~ N(x[k]' * z[g[k]], s)\n"
    "process\n  z[0] ~ N(m, 100 * eye(p))\n  z[t] ~ N(z[t-1], v * eye(p)) for t in 1..T\n",
    "defined": "given\n  g : k -> t\ndata\n  y[k] ~ N(z[g[k]], exp(u[g[k]]))\nprocess\n  z[0] ~ N(0, 100)\n"
    "  z[t] ~ N(z[t-1], v) for t in 1..T\n  u[0] ~ N(0, 1)\n  u[t] ~ N(u[t-1], s) for t in 1..T\n",
    "count": "given\n  g : k -> t\ndata\n  y[k] ~ Poisson(exp(z[g[k]]))" + CHAIN + "  e ~ N(0, s)\n",
}
OWN = {
    "from_zero": """
model from_zero
plates
  t = 0..T
  k = 1..K
given
  g : k -> t
data
  y[k] ~ N(z[g[k]], s)
process
  z[0] ~ N(0, 100)
  z[t] ~ N(z[t-1], v) for t in 1..T
""",
    "from_two": """
model from_two
plates
  t = 2..T
  k = 1..K
given
  T : integer >= 3
  g : k -> t
  x[t]
data
  y[k] ~ N(z[g[k]] * x[g[k]], s)
process
  z[1] ~ N(0, 100)
  z[t] ~ N(z[t-1], v) for t in 2..T
""",
}
SEVERAL = """
model several
plates
  i = 1..n
  l = 1..L
  t = 1..T
  j = 1..J[i]
  k = 1..K
given
  S : subset(i)
  R : subset(k)
  g : k -> i
  h : k -> l
  u : k -> t
  d : l -> i
  x[i,j] : vector(p)
  w[i] > 0
data
"""
MANY = {
    "two_columns": "  y[k] ~ N(z[g[k],u[k]], s)\nprocess\n  z[i,0] ~ N(0, 3)\n"
    "  z[i,t] ~ N(z[i,t-1], v) for t in 1..T\n",
    "two_columns_first": "  y[k,t] ~ N(a[g[k],h[k],t], s)\nprocess\n  a[i,l,t] ~ N(0, v)\n",
    "column_and_index": "  y[l] ~ N(a[d[l],l], s)\nprocess\n  a[i,l] ~ N(0, v)\n",
    "sum_of_nodes": "  y[i] ~ N(sum(k where g[k] = i: a[k]), s)\nprocess\n  a[k] ~ N(0, v)\n",
    "rows_in_subset": "  y[i,j] ~ N(x[i,j]' * b[i] + c[i], s * w[i]) for i in S\nprocess\n"
    "  b[i] ~ N(ones(p), v * eye(p))\n  c[i] ~ N(0, v)\n",
    "long_in_subset": "  y[k] ~ N(a[g[k]], s) for k in R\nprocess\n  a[i] ~ N(0, v)\n",
}
CASES = {name: HEAD + body + PARAMETERS for name, body in BODIES.items()}
CASES |= {name: text + PARAMETERS for name, text in OWN.items()}
CASES |= {name: SEVERAL + text + PARAMETERS for name, text in MANY.items()}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_groups_count_from_where_the_node_begins(name, seed, tmp_path):
    check_model(CASES[name], tmp_path, seed)
