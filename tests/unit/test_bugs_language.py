"""The oddities of the BUGS language, each as a small program: what it becomes, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

import deriver
from deriver.bugs import Translation, translate
from deriver.errors import ModelError


def read(program: str, **data: object) -> Translation:
    return translate(program, {name.replace("__", "."): np.array(each, float) for name, each in data.items()})


def lines(program: str, **data: object) -> list[str]:
    return [line.strip() for line in read(program, **data).text.split("\n")]


def refusal(program: str, **data: object) -> str:
    with pytest.raises(ModelError) as caught:
        read(program, **data)
    return str(caught.value)


NORMAL = "m ~ dnorm(0, 0.01) tau ~ dgamma(1, 1)"


def test_a_loop_is_a_plate_named_by_its_size() -> None:
    found = lines("model { for (i in 1:N) { y[i] ~ dnorm(m, tau) } " + NORMAL + " }", N=3, y=[1, 2, 4])
    assert "i = 1..N" in found
    assert "y[i] ~ Normal(m, prec=tau)" in found
    assert "tau ~ Gamma(shape=1, rate=1)" in found


def test_nested_indexing_of_data_is_a_group_column() -> None:
    program = """model { for (i in 1:4) { y[i] ~ dnorm(a[g[i]], tau) }
      for (k in 1:2) { a[k] ~ dnorm(0, 1) } tau ~ dgamma(1, 1) }"""
    found = read(program, y=[1, 2, 3, 4], g=[1, 2, 2, 1])
    assert "g : i -> k" in found.text
    assert "y[i] ~ Normal(a[g[i]], prec=tau)" in found.text
    assert found.data["g"].tolist() == [1, 2, 2, 1]


def test_indexing_within_indexing_is_looked_up_in_the_data() -> None:
    program = """model { for (i in 1:4) { y[i] ~ dnorm(a[school[pupil[i]]], tau) }
      for (k in 1:2) { a[k] ~ dnorm(0, 1) } tau ~ dgamma(1, 1) }"""
    found = read(program, y=[1, 2, 3, 4], pupil=[3, 1, 2, 3], school=[2, 2, 1])
    assert "y[i] ~ Normal(a[school[i]], prec=tau)" in found.text
    assert found.data["school"].tolist() == [1, 2, 2, 1]


def test_ragged_bounds_are_a_ragged_plate() -> None:
    program = """model { for (i in 1:3) { a[i] ~ dnorm(0, 1)
      for (j in 1:n[i]) { y[i,j] ~ dnorm(a[i], tau) } } tau ~ dgamma(1, 1) }"""
    nan = float("nan")
    found = read(program, n=[2, 1, 3], y=[[1, 2, nan], [3, nan, nan], [4, 5, 6]])
    assert "j = 1..n[i]" in found.text
    assert "y[i,j] ~ Normal(a[i], prec=tau)" in found.text
    result = deriver.run(found.model, dict(found.data), chains=2, warmup=20, draws=20, seed=1, progress=False)
    assert result.idata.posterior["a"].shape == (2, 20, 3)


def test_offsets_into_one_long_array_are_a_group_column() -> None:
    program = """model { for (i in 1:2) { a[i] ~ dnorm(0, 1)
      for (k in off[i]:(off[i+1] - 1)) { y[k] ~ dnorm(a[i], tau) } } tau ~ dgamma(1, 1) }"""
    found = read(program, off=[1, 3, 6], y=[1, 2, 3, 4, 5])
    assert "y[k] ~ Normal(a[a_of[k]], prec=tau)" in found.text
    assert found.data["a_of"].tolist() == [1, 1, 2, 2, 2]


def test_inprod_and_sum_run_over_a_plate() -> None:
    program = """model { for (i in 1:3) { y[i] ~ dnorm(inprod(x[i,], b[]), tau) }
      for (k in 1:2) { b[k] ~ dnorm(0, 1) } total <- sum(b[]) centre <- mean(b[1:2]) tau ~ dgamma(1, 1) }"""
    found = lines(program, y=[1, 2, 3], x=[[1, 2], [1, 3], [1, 5]])
    assert "y[i] ~ Normal(sum(k: x[i,k] * b[k]), prec=tau)" in found
    assert "total = sum(k: b[k])" in found
    assert "centre = sum(k: b[k]) / 2" in found


def test_a_sum_over_a_part_has_a_mask() -> None:
    program = """model { for (i in 1:3) { y[i] ~ dnorm(sum(b[1:i]), tau) b[i] ~ dnorm(0, 1) } tau ~ dgamma(1, 1) }"""
    found = read(program, y=[1, 2, 3])
    assert "sum(i2: within[i2,i] * b[i2])" in found.text
    assert found.data["within"].tolist() == [[1, 1, 1], [0, 1, 1], [0, 0, 1]]


def test_inprod_of_shifted_slices() -> None:
    program = """model { y ~ dnorm(inprod(x[2:3], b[1:2]), 1) for (k in 1:2) { b[k] ~ dnorm(0, 1) } z ~ dnorm(b[1], 1)
      for (k in 1:2) { w[k] ~ dnorm(b[k], 1) } }"""
    found = read(program, y=1, x=[7, 8, 9], z=1, w=[1, 2])
    assert "y ~ Normal(sum(k: x[k] * b[k]), prec=1)" in found.text
    assert found.data["x"].tolist() == [8, 9]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("logit(p[i])", "logit(p[i]) = a"),
        ("log(p[i])", "log(p[i]) = a"),
        ("probit(p[i])", "p[i] = normal_cdf(a)"),
        ("cloglog(p[i])", "p[i] = 1 - 1 / exp(exp(a))"),
    ],
)
def test_links_on_the_left(left: str, right: str) -> None:
    data = {"y": [1, 0, 1]}
    family = "dpois" if left.startswith("log(") else "dbern"
    program = f"model {{ for (i in 1:3) {{ y[i] ~ {family}(p[i]) {left} <- a }} a ~ dnorm(0, 1) }}"
    assert right in lines(program, **data)


def test_a_data_block_is_computed() -> None:
    program = (
        """data { for (i in 1:3) { z[i] <- log(y[i]) } top <- max(y[]) }
      model { for (i in 1:3) { z[i] ~ dnorm(m, tau) } """
        + NORMAL
        + "}"
    )
    found = read(program, y=[1, 2, 4])
    assert "z[i] ~ Normal(m, prec=tau)" in found.text
    assert found.data["z"] == pytest.approx(np.log([1, 2, 4]))


def test_a_definition_from_data_that_is_also_drawn_is_a_response() -> None:
    program = "model { for (i in 1:3) { z[i] <- sqrt(y[i]) z[i] ~ dnorm(m, tau) } " + NORMAL + " }"
    assert read(program, y=[1, 4, 9]).data["z"].tolist() == [1, 2, 3]


def test_a_recursion_of_data_is_computed() -> None:
    program = (
        """model { c[1] <- y[1] for (i in 2:4) { c[i] <- c[i-1] + y[i] }
      for (i in 1:4) { w[i] ~ dnorm(m * c[i], tau) } """
        + NORMAL
        + "}"
    )
    assert read(program, y=[1, 2, 3, 4], w=[1, 1, 1, 1]).data["c"].tolist() == [1, 3, 6, 10]


def test_truncation() -> None:
    found = lines("model { y ~ dnorm(m, 1) m ~ dnorm(0, 1) T(0, ) }", y=1)
    assert "m ~ Normal(0, prec=1) T(0, inf)" in found
    found = lines("model { y ~ dnorm(m, 1) m ~ dnorm(0, 1) I( , 3) }", y=1)
    assert "m ~ Normal(0, prec=1) T(-inf, 3)" in found


def test_bounds_beside_random_parameters_are_events() -> None:
    found = lines("model {\n y ~ dnorm(m, 1)\n m ~ dnorm(a, 1) I(0, )\n a ~ dnorm(0, 1)\n}", y=1)
    assert "m_above ~ Bernoulli(is_positive(m - 0))" in found
    message = refusal("model {\n y ~ dnorm(m, 1)\n m ~ dnorm(a, 1) C(0, )\n a ~ dnorm(0, 1)\n}", y=1)
    assert "line 3: `C(,)` means censoring here" in message
    assert "^" * len("C(0, )") in message


def test_length_and_dim_of_data_are_numbers() -> None:
    program = (
        """model { for (i in 1:length(y)) { y[i] ~ dnorm(m, tau) } n.rows[1:2] <- dim(x) 
      for (k in 1:n.rows[2]) { w[k] ~ dnorm(m, tau) } """
        + NORMAL
        + "}"
    )
    found = lines(program, y=[1, 2, 3], x=[[1, 2], [3, 4], [5, 6]], w=[1, 2])
    assert "i = 1..3" in found
    assert "k = 1..2" in found


def test_empty_subscripts_are_whole_vectors() -> None:
    program = """model { for (i in 1:3) { y[i,1:2] ~ dmnorm(mu[], Q[,]) } mu[1:2] ~ dmnorm(m0[], P[,])
      Q[1:2,1:2] ~ dwish(R[,], 3) V[1:2,1:2] <- inverse(Q[,]) first <- mu[1] }"""
    eye = [[1, 0], [0, 1]]
    found = lines(program, y=[[1, 2], [3, 4], [5, 7]], m0=[0, 0], P=eye, R=eye)
    assert "y[i] ~ Normal(mu, prec=Q)" in found
    assert "Q ~ Wishart(rate=R, df=3)" in found
    assert "V = inv(Q)" in found
    assert "first = mu[1]" in found


def test_a_component_in_a_loop_is_picked_by_a_unit_vector() -> None:
    program = """model { for (i in 1:3) { for (k in 1:2) { y[i,k] ~ dnorm(b[k], tau) } }
      b[1:2] ~ dmnorm(m0[], P[,]) tau ~ dgamma(1, 1) }"""
    found = read(program, y=[[1, 2], [3, 4], [5, 7]], m0=[0, 0], P=[[1, 0], [0, 1]])
    assert "y[i,k] ~ Normal(unit[k]' * b, prec=tau)" in found.text
    assert found.data["unit"].tolist() == [[1, 0], [0, 1]]


def test_fixed_and_free_elements_of_one_array() -> None:
    program = """model { for (i in 1:4) { y[i] ~ dnorm(a[g[i]], tau) } a[1] <- 0.5
      for (k in 2:3) { a[k] ~ dnorm(0, 1) } tau ~ dgamma(1, 1) }"""
    found = read(program, y=[1, 2, 3, 4], g=[1, 2, 3, 1])
    assert "a[k] = a_fixed[k] + a_is_2[k] * a_free[a_k_at[k]]" in found.text
    assert found.data["a_fixed"].tolist() == [0.5, 0, 0]
    assert found.data["a_is_2"].tolist() == [0, 1, 1]
    assert found.data["a_k_at"].tolist() == [1, 1, 2]
    result = deriver.run(found.model, dict(found.data), chains=2, warmup=50, draws=50, seed=1, progress=False)
    assert result.idata.posterior["a_free"].shape == (2, 50, 2)


def test_a_lag_of_the_node_itself() -> None:
    program = """model { x[1] ~ dnorm(0, 1) for (t in 2:T) { x[t] ~ dnorm(x[t-1], tau) }
      for (t in 1:T) { y[t] ~ dnorm(x[t], 1) } tau ~ dgamma(1, 1) }"""
    found = lines(program, T=4, y=[1, 2, 3, 4])
    assert "x[t] ~ Normal(0, prec=1) for t in 1..1" in found
    assert "x[t] ~ Normal(x[t-1], prec=tau) for t in 2..4" in found


def test_a_lag_of_data_is_data() -> None:
    program = "model { for (t in 2:4) { y[t] ~ dnorm(m * y[t-1], tau) } " + NORMAL + " }"
    found = read(program, y=[5, 6, 8, 7])
    assert found.data["y"].tolist() == [6, 8, 7]
    assert "prec=tau) for t in 2..4" in found.text
    result = deriver.run(
        found.model, dict(found.data), chains=2, warmup=50, draws=400, seed=1, progress=False
    )
    assert float(result.idata.posterior["m"].mean()) == pytest.approx(1.09, abs=0.15)


def test_a_mixture() -> None:
    program = """model { for (i in 1:3) { y[i] ~ dnorm(mu[z[i]], tau) z[i] ~ dcat(p[]) }
      for (k in 1:2) { mu[k] ~ dnorm(0, 0.01) } p[1:2] ~ ddirch(alpha[]) tau ~ dgamma(1, 1) }"""
    found = lines(program, y=[1, 2, 30], alpha=[1, 1])
    assert "y[i] ~ Normal(mu[z[i]], prec=tau)" in found
    assert "z[i] ~ Categorical(p)" in found


def test_step_is_one_at_zero_and_equals_is_exact() -> None:
    found = lines("model { y ~ dnorm(m, 1) m ~ dnorm(0, 1) s <- step(m) e <- equals(m, 2) }", y=1)
    assert "s = 1 - is_positive(-m)" in found
    assert "e = (1 - is_positive(-(m - 2))) * (1 - is_positive(-(2 - m)))" in found


def test_names_with_dots_and_words_of_ours() -> None:
    found = read(
        "model { y.obs ~ dnorm(for.in, 1) for.in ~ dnorm(lambda, 1) lambda ~ dnorm(0, 1) }", y__obs=1
    )
    assert found.names == {"y_obs": "y.obs", "for_in": "for.in", "lam": "lambda"}
    assert "y_obs is y.obs" in found.text


def test_a_missing_response_stays_missing() -> None:
    found = read("model { for (i in 1:3) { y[i] ~ dnorm(m, tau) } " + NORMAL + " }", y=[1, float("nan"), 3])
    assert np.isnan(found.data["y"]).tolist() == [False, True, False]


def test_unused_data_are_left_out() -> None:
    found = read("model { y ~ dnorm(m, 1) m ~ dnorm(0, 1) }", y=1, extra=[1, 2])
    assert set(found.data) == {"y"}


def test_censored_times_count_by_their_survival() -> None:
    program = """model { for (i in 1:4) { c[i] ~ dinterval(t[i], cut[i]) t[i] ~ dweib(r, mu) }
      r ~ dexp(0.1) mu ~ dgamma(1, 1) }"""
    nan = float("nan")
    found = read(program, c=[0, 1, 0, 1], t=[2, nan, 3, nan], cut=[9, 5, 9, 4])
    assert "t_seen[i_seen] ~ Weibull(shape=r, rate=mu)" in found.text
    assert "t_above[i_above] ~ Poisson(mu * cut[i_above]^r)" in found.text
    assert found.data["t_seen"].tolist() == [2, 3]
    assert found.data["cut"].tolist() == [5, 4]
    assert found.data["t_above"].tolist() == [0, 0]


def test_a_censored_normal_below_its_cut() -> None:
    program = """model { for (i in 1:2) { c[i] ~ dinterval(t[i], 5) t[i] ~ dnorm(m, tau) } """ + NORMAL + "}"
    found = lines(program, c=[1, 0], t=[7, float("nan")])
    assert "t_below[i_below] ~ Bernoulli(1 - normal_cdf((m - 5) * sqrt(tau)))" in found


@pytest.mark.parametrize(
    ("program", "parts"),
    [
        (
            "model {\n y ~ dnorm(m, 1)\n m ~ dnchisqr(1, 2)\n}",
            ("line 3: `dnchisqr` has no counterpart", "dgamma"),
        ),
        ("model {\n y ~ dnorm(m 1)\n}", ("line 2: found `1`", "^")),
        (
            "model {\n y ~ dnrom(m, 1)\n m ~ dnorm(0, 1)\n}",
            ("line 2: there is no distribution `dnrom`", "`dnorm`"),
        ),
        ("model {\n y ~ dnorm(mm, 1)\n m ~ dnorm(0, 1)\n}", ("line 2: `mm` is neither stated nor", "`m`")),
        ("model {\n y ~ dnorm(cut(m), 1)\n m ~ dnorm(0, 1)\n}", ("line 2: `cut` of random", "leave it out")),
        ("model {\n for (i in 1:N) {\n y[i] ~ dnorm(m, 1) }\n m ~ dnorm(0, 1)\n}", ("rest on `N`", "line 2")),
        (
            "model {\n y ~ dnorm(m, 1, 2)\n m ~ dnorm(0, 1)\n}",
            ("line 2: `dnorm` has 3 arguments", "2: real and"),
        ),
        ("model {\n y ~ dnorm(m, -1)\n m ~ dnorm(0, 1)\n}", ("line 2", "precision of `y` is never positive")),
    ],
)
def test_what_cannot_be_read_names_its_line(program: str, parts: tuple[str, ...]) -> None:
    message = refusal(program, y=1)
    for part in parts:
        assert part in message


def test_every_mistake_of_the_syntax_is_told() -> None:
    message = refusal("model {\n y ~ dnorm(m, )\n m <- \n b ~ dnorm(0, 1)\n c ~~ 1\n}", y=1)
    assert "line 2" in message
    assert "line 5" in message


def test_an_element_stated_twice_is_refused() -> None:
    program = """model { for (i in 1:3) { y[i] ~ dnorm(a[i], 1) }
      a[2] <- 0
      for (k in 1:3) { a[k] ~ dnorm(0, 1) } }"""
    assert "line 3: `a[2]` is stated twice" in refusal(program, y=[1, 2, 3])


def test_an_element_that_no_statement_gives_is_refused() -> None:
    program = """model { for (i in 1:4) { y[i] ~ dnorm(a[g[i]], 1) }
      a[1] <- 0
      for (k in 3:4) { a[k] ~ dnorm(0, 1) } }"""
    assert "line 1: not every element of `a`" in refusal(program, y=[1, 2, 3, 4], g=[1, 2, 3, 4])
    assert "a_free" in read(program, y=[1, 2, 3, 4], g=[1, 3, 3, 4]).text


def test_data_outside_of_the_loops_do_not_count() -> None:
    """A triangle of an array is modelled: the other elements are missing, whatever the data hold there."""
    program = "model { for (i in 1:3) { for (j in 1:i) { y[i,j] ~ dnorm(m, tau) } } " + NORMAL + " }"
    found = read(program, y=[[1, 9, 9], [2, 3, 9], [4, 5, 6]])
    assert np.nansum(found.data["y"]) == 21
    assert np.isnan(found.data["y"]).sum() == 3


def test_a_mean_over_a_part_that_changes_is_refused() -> None:
    program = "model { for (i in 1:3) { y[i] ~ dnorm(mean(b[1:i]), 1) b[i] ~ dnorm(0, 1) } }"
    assert "a mean over a part whose length changes" in refusal(program, y=[1, 2, 3])


def test_a_mean_over_two_dimensions() -> None:
    program = """model { for (i in 1:2) { for (j in 1:3) { b[i,j] ~ dnorm(0, 1) y[i,j] ~ dnorm(b[i,j], 1) } }
      all <- mean(b[,]) most <- mean(b[,2:3]) }"""
    found = lines(program, y=[[1, 2, 3], [4, 5, 6]])
    assert "all = sum(i: sum(j: b[i,j])) / 6" in found
    assert "most = sum(i: sum(j: within[j] * b[i,j])) / 4" in found


def test_the_same_element_in_every_turn_of_a_loop_is_refused() -> None:
    assert "more than once" in refusal("model { for (i in 1:3) { y ~ dnorm(m, 1) } m ~ dnorm(0, 1) }", y=1)
