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

from deriver.families.deferred import special

FEWEST_DRAWS = 4
TAILS = (0.05, 0.95)
# Numbers are taken in parts, so that what is computed beside them stays small.
PART = 2**21

Measure = Callable[[np.ndarray], tuple[np.ndarray, ...]]


def measure(draws: np.ndarray) -> dict[str, np.ndarray]:
    """Return ``ess_bulk``, ``ess_tail``, ``r_hat`` and ``mcse`` of (chains, draws, numbers); NaN where undefined."""
    bulk, worst = mixing(draws)
    return {
        "ess_bulk": bulk, "ess_tail": _in_parts(_tail_size, draws)[0], "r_hat": worst,
        "mcse": _in_parts(_mean_error, draws)[0],
    }  # fmt: skip


def mixing(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bulk effective sample size, and R-hat, of each number of (chains, draws, numbers).

    The first is that of normal scores of the ranks, the second that of those scores, or of the scores of the distance
    to the median where it is larger; NaN for one chain.
    """
    bulk, worst = _in_parts(_bulk_and_r_hat, draws)
    return bulk, worst


def _in_parts(function: Measure, draws: np.ndarray) -> np.ndarray:
    """Apply measures to some numbers at a time; NaN where there are too few draws, or one is not a number.

    The function takes (numbers, chains, draws), the last axis contiguous, and returns an array for each measure.
    """
    chains, length, count = draws.shape
    found = np.full((2, count), np.nan)
    if length < FEWEST_DRAWS:
        return found
    step = max(PART // (chains * length), 1)
    for begin in range(0, count, step):
        part = np.moveaxis(np.asarray(draws[:, :, begin : begin + step], dtype=float), 2, 0)
        whole = ~np.isnan(part).any(axis=(1, 2))
        with np.errstate(all="ignore"):
            measures = function(np.ascontiguousarray(part[whole]))
        for row, values in zip(found, measures, strict=False):
            row[begin : begin + step][whole] = values
    return found


def _split(draws: np.ndarray) -> np.ndarray:
    """Return the halves of the chains as chains; of an odd number the middle draw is left out."""
    half = draws.shape[2] // 2
    return np.concatenate([draws[:, :, :half], draws[:, :, -half:]], axis=1)


def _normal_scores(draws: np.ndarray) -> np.ndarray:
    """Return normal quantiles of (rank - 3/8) / (size + 1/4) over all chains; ties have their mean rank."""
    flat = draws.reshape(len(draws), -1)
    size = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ordered = np.take_along_axis(flat, order, axis=1)
    scores = np.empty_like(flat)
    np.put_along_axis(scores, order, _scores_of(np.arange(1.0, size + 1), size)[None], axis=1)
    for k in np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1)):
        _, place, counts = np.unique(flat[k], return_inverse=True, return_counts=True)
        mean_ranks = np.cumsum(counts) - (counts - 1) / 2
        scores[k] = _scores_of(mean_ranks, size)[place.ravel()]
    return scores.reshape(draws.shape)


def _scores_of(ranks: np.ndarray, size: int) -> np.ndarray:
    return special.ndtri((ranks - 0.375) / (size + 0.25))


def _bulk_and_r_hat(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    halves = _split(draws)
    scores = _normal_scores(halves)
    sizes = _effective_size(scores)
    if draws.shape[1] < 2:
        return sizes, np.full(len(draws), np.nan)
    flat = halves.reshape(len(draws), -1)
    folded = np.abs(halves - np.median(flat, axis=1)[:, None, None])
    bulk, tail = _plain_r_hat(scores), _plain_r_hat(_normal_scores(folded))
    unknown = np.isnan(folded).any(axis=(1, 2))
    return sizes, np.where(~unknown & (tail > bulk), tail, bulk)


def _plain_r_hat(draws: np.ndarray) -> np.ndarray:
    """Return R-hat of chains as they are (neither split nor ranked)."""
    return r_hat_of_moments(draws.mean(axis=2).T, draws.var(axis=2, ddof=1).T, draws.shape[2])


def r_hat_of_moments(means: np.ndarray, variances: np.ndarray, length: int) -> np.ndarray:
    """Return R-hat from the means and variances of chains of that length, each (chains, numbers)."""
    between = length * means.var(axis=0, ddof=1)
    return np.sqrt((between / variances.mean(axis=0) + length - 1) / length)


def _tail_size(draws: np.ndarray) -> tuple[np.ndarray]:
    sizes = []
    for quantile in np.quantile(draws.reshape(len(draws), -1), TAILS, axis=1):
        sizes.append(_effective_size(_split((draws <= quantile[:, None, None]).astype(float))))
    return (np.where(sizes[1] < sizes[0], sizes[1], sizes[0]),)


def _mean_error(draws: np.ndarray) -> tuple[np.ndarray]:
    return (draws.std(axis=(1, 2), ddof=1) / np.sqrt(_effective_size(_split(draws))),)


def _effective_size(draws: np.ndarray) -> np.ndarray:
    """Return the number of draws divided by the autocorrelation time, with Geyer's initial monotone sequence."""
    count, chains, length = draws.shape
    rho = _autocorrelations(draws)
    pairs = rho[:, : 2 * (length // 2)].reshape(count, length // 2, 2).sum(axis=2)
    last = _last_pair(pairs, length)
    below = np.arange(pairs.shape[1]) < last[:, None]
    falling = np.where(below, np.minimum.accumulate(np.where(below, pairs, np.inf), axis=1), 0.0)
    rows = np.arange(count)
    even, ends = rho[rows, 2 * last], pairs[rows, last]
    extra = np.where((ends >= 0) | (even > 0), even, 0.0)
    time = np.maximum(-1.0 + 2.0 * falling.sum(axis=1) + extra, 1.0 / np.log10(chains * length))
    constant = np.ptp(draws, axis=(1, 2)) < np.finfo(float).resolution
    return np.where(constant, chains * length, chains * length / time)


def _last_pair(pairs: np.ndarray, length: int) -> np.ndarray:
    """Return the pair of autocorrelations that ends each sum: the first that is not positive, or the last one."""
    final = max((length - 3) // 2, 0)
    stops = ~(pairs[:, : final + 1] > 0)
    return np.where(stops.any(axis=1), stops.argmax(axis=1), final)


def _autocorrelations(draws: np.ndarray) -> np.ndarray:
    """Return the autocorrelations (numbers, lags) of all chains together, by lag."""
    _, chains, length = draws.shape
    centred = draws - draws.mean(axis=2, keepdims=True)
    spectrum = np.fft.rfft(centred, n=_fast_length(2 * length), axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).mean(axis=1)
    covariance = np.fft.irfft(power, n=_fast_length(2 * length), axis=1)[:, :length] / length
    variance = covariance[:, :1]
    total = variance.copy()
    if chains > 1:
        total += draws.mean(axis=2).var(axis=1, ddof=1)[:, None]
    rho = 1.0 - (variance * length / (length - 1) - covariance) / total
    rho[:, 0] = 1.0
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
