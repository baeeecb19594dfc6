"""Reference posterior of the sleepstudy demonstration, by quadrature; writes one entry of references.json.

Data: reaction times of 18 subjects on ten days (Belenky et al. 2003). See wishart_curves.py for the method.
"""

import numpy as np

from datasets import read_balanced
from growth_curves import check_likelihood, summarise_curves
from report import as_records, print_table, update_entry
from wishart_curves import wishart_posterior

KEY = "sleepstudy/wishart"


def main() -> None:
    """Compute, check, print and write the posterior."""
    _, days, reaction = read_balanced("sleepstudy.csv", "subject", "days", "reaction")
    curves = summarise_curves(days, reaction, 1e5)
    check_likelihood(days, reaction, curves)
    estimates = wishart_posterior(curves, np.diag([100.0, 10.0]), 3, 0.001, 0.001)
    print_table(KEY, estimates)
    update_entry(
        KEY,
        source="exact: subject effects and population means integrated out in closed form; trapezoidal "
        "rule in 2 log variances, atanh(rho) and log sigma2",
        command="python benchmarks/references/sleepstudy.py",
        priors="X = [1, days]; mu ~ N(0, 1e5 I); inv(Sigma) ~ Wish(inv(S nu), nu), nu = 3, "
        "S = diag(100, 10); sigma2 ~ IG(0.001, 1000), that is shape 0.001 and scale 0.001",
        parameters=as_records(estimates),
    )


if __name__ == "__main__":
    main()
