"""How well chains have mixed: R-hat, effective sample sizes and Monte Carlo errors, of many numbers at once.

Part of stage run.  Input: draws of shape (chains, draws, numbers).  Output: a value for each number.  The formulas are
those of Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Rank-normalization, folding, and localization: an
improved R-hat, Bayesian Analysis 16(2): chains split in halves, ranks turned to normal scores, Geyer's (1992) initial
monotone sequence.  NumPy and one function of SciPy are all that it needs, so that a run need not import ArviZ, with
which ``tests/unit/test_run_mixing.py`` compares every number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtri

FEWEST_DRAWS = 4
TAILS = (0.05, 0.95)
# Numbers are taken in parts, so that what is computed beside them stays small.
PART = 2**21

Measure = Callable[[np.ndarray], np.ndarray]


def measure(draws: np.ndarray) -> dict[str, np.ndarray]:
    """Return ``ess_bulk``, ``ess_tail``, ``r_hat`` and ``mcse`` of (chains, draws, numbers); NaN where undefined."""
    every = {"ess_bulk": bulk_size, "ess_tail": tail_size, "r_hat": r_hat, "mcse": mean_error}
    return {name: function(draws) for name, function in every.items()}


def bulk_size(draws: np.ndarray) -> np.ndarray:
    """Return the bulk effective sample size of each number: that of normal scores of the ranks."""
    return _in_parts(lambda part: _effective_size(_normal_scores(_split(part))), draws)


def tail_size(draws: np.ndarray) -> np.ndarray:
    """Return the tail effective sample size: the lesser of those of the 5 % and the 95 % quantile."""
    return _in_parts(_tail_size, draws)


def r_hat(draws: np.ndarray) -> np.ndarray:
    """Return the rank-normalised split R-hat, the larger of that of the draws and of their distance to the median."""
    return _in_parts(_r_hat, draws, chains=2)


def mean_error(draws: np.ndarray) -> np.ndarray:
    """Return the Monte Carlo standard error of each mean."""
    return _in_parts(_mean_error, draws)


def _in_parts(function: Measure, draws: np.ndarray, chains: int = 1) -> np.ndarray:
    """Apply a measure to some numbers at a time; NaN where there are too few draws, or one is not a number."""
    count = draws.shape[2]
    found = np.full(count, np.nan)
    if draws.shape[0] < chains or draws.shape[1] < FEWEST_DRAWS:
        return found
    step = max(PART // max(draws.shape[0] * draws.shape[1], 1), 1)
    for begin in range(0, count, step):
        part = np.asarray(draws[:, :, begin : begin + step], dtype=float)
        whole = ~np.isnan(part).any(axis=(0, 1))
        with np.errstate(all="ignore"):
            found[begin : begin + step][whole] = function(part[:, :, whole])
    return found


def _split(draws: np.ndarray) -> np.ndarray:
    """Return the halves of the chains as chains; of an odd number the middle draw is left out."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, -half:]])


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    """Return normal quantiles of (rank - 3/8) / (size + 1/4) over all chains; ties have their mean rank."""
    flat = draws.reshape(-1, draws.shape[2])
    size = len(flat)
    order = np.argsort(flat, axis=0)
    ordered = np.take_along_axis(flat, order, axis=0)
    scores = np.empty_like(flat)
    np.put_along_axis(scores, order, _scores_of(np.arange(1.0, size + 1), size)[:, None], axis=0)
    for k in np.flatnonzero((ordered[1:] == ordered[:-1]).any(axis=0)):
        _, place, counts = np.unique(flat[:, k], return_inverse=True, return_counts=True)
        mean_ranks = np.cumsum(counts) - (counts - 1) / 2
        scores[:, k] = _scores_of(mean_ranks, size)[place.ravel()]
    return scores.reshape(draws.shape)


def _scores_of(ranks: np.ndarray, size: int) -> np.ndarray:
    return ndtri((ranks - 0.375) / (size + 0.25))


def _r_hat(draws: np.ndarray) -> np.ndarray:
    halves = _split(draws)
    folded = np.abs(halves - np.median(halves, axis=(0, 1)))
    bulk, tail = plain_r_hat(_normal_scores(halves)), plain_r_hat(_normal_scores(folded))
    unknown = np.isnan(folded).any(axis=(0, 1))
    return np.where(~unknown & (tail > bulk), tail, bulk)


def plain_r_hat(draws: np.ndarray) -> np.ndarray:
    """Return R-hat of chains as they are (neither split nor ranked)."""
    return r_hat_of_moments(draws.mean(axis=1), draws.var(axis=1, ddof=1), draws.shape[1])


def r_hat_of_moments(means: np.ndarray, variances: np.ndarray, length: int) -> np.ndarray:
    """Return R-hat from the means and variances of chains of that length, each (chains, numbers)."""
    between = length * means.var(axis=0, ddof=1)
    return np.sqrt((between / variances.mean(axis=0) + length - 1) / length)


def _tail_size(draws: np.ndarray) -> np.ndarray:
    sizes = []
    for quantile in np.quantile(draws, TAILS, axis=(0, 1)):
        sizes.append(_effective_size(_split((draws <= quantile).astype(float))))
    return np.where(sizes[1] < sizes[0], sizes[1], sizes[0])


def _mean_error(draws: np.ndarray) -> np.ndarray:
    return draws.std(axis=(0, 1), ddof=1) / np.sqrt(_effective_size(_split(draws)))


def _effective_size(draws: np.ndarray) -> np.ndarray:
    """Return the number of draws divided by the autocorrelation time, with Geyer's initial monotone sequence."""
    chains, length, _ = draws.shape
    rho = _autocorrelations(draws)
    pairs = rho[: 2 * (length // 2)].reshape(length // 2, 2, -1).sum(axis=1)
    last = _last_pair(pairs, length)
    below = np.arange(len(pairs))[:, None] < last
    falling = np.where(below, np.minimum.accumulate(np.where(below, pairs, np.inf), axis=0), 0.0)
    columns = np.arange(rho.shape[1])
    even, ends = rho[2 * last, columns], pairs[last, columns]
    extra = np.where((ends >= 0) | (even > 0), even, 0.0)
    time = np.maximum(-1.0 + 2.0 * falling.sum(axis=0) + extra, 1.0 / np.log10(chains * length))
    constant = np.ptp(draws, axis=(0, 1)) < np.finfo(float).resolution
    return np.where(constant, chains * length, chains * length / time)


def _last_pair(pairs: np.ndarray, length: int) -> np.ndarray:
    """Return the pair of autocorrelations that ends each sum: the first that is not positive, or the last one."""
    final = max((length - 3) // 2, 0)
    stops = ~(pairs[: final + 1] > 0)
    return np.where(stops.any(axis=0), stops.argmax(axis=0), final)


def _autocorrelations(draws: np.ndarray) -> np.ndarray:
    """Return the autocorrelations (lags, numbers) of all chains together, by lag."""
    chains, length, _ = draws.shape
    centred = draws - draws.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, n=_fast_length(2 * length), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=0)
    covariance = np.fft.irfft(power, n=_fast_length(2 * length), axis=0)[:length] / length
    within = covariance[0] * length / (length - 1)
    total = covariance[0] + (draws.mean(axis=1).var(axis=0, ddof=1) if chains > 1 else 0.0)
    rho = 1.0 - (within - covariance) / total
    rho[0] = 1.0
    return rho


def _fast_length(least: int) -> int:
    """Return the least number that is no smaller and has no prime factor above 5."""
    found = 1 << (least - 1).bit_length()
    five = 1
    while five < found:
        three = five
        while three < found:
            power = 1 << max((-(-least // three) - 1).bit_length(), 0)
            found = min(found, three * power)
            three *= 3
        five *= 5
    return found


def shortest_interval(draws: np.ndarray, share: float = 0.95) -> tuple[float, float]:
    """Return the shortest interval that holds the share of the draws: that of highest density, if it is one."""
    ordered = np.sort(np.ravel(draws))
    inside = int(np.floor(share * len(ordered)))
    begin = int(np.argmin(ordered[inside:] - ordered[: len(ordered) - inside]))
    return float(ordered[begin]), float(ordered[begin + inside])
