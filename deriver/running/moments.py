"""Running moments of a field too large to keep every draw of.

Part of stage run.  Input: the values of a node after each sweep, (chains, elements).  Output: ``FieldMoments``: means,
standard deviations, Monte Carlo errors, R-hat and quantiles of each element, in memory that does not grow with the
draws.

Means and variances are Welford's (1962), of each half of each chain, so that split R-hat (Gelman and Rubin 1992; not
rank-normalised) can be formed.  Monte Carlo errors are those of batch means, with batches of about the square root of
the number of draws (Flegal and Jones 2010, Annals of Statistics 38).  Quantiles are read from a histogram of
``BINS`` bins: an element's first draws set its centre c and scale s, and z = (x - c)/s is counted by z/(3 + |z|), which
takes the whole line.  A quantile is off by at most the bin that it lies in, about 0.1 sd in the middle and 0.3 sd at
2 sd; interpolated, by 0.02 sd or so where the density is smooth.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from deriver.running.mixing import r_hat_of_moments
from deriver.running.streaming import Stream

BINS = 64
PILOT = 20
SOFTNESS = 3.0
QUANTILES = (0.025, 0.5, 0.975)
# Elements whose histograms are summed at a time.
PART = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMoments:
    """What is kept of a node, each of the shape of one draw; ``quantiles`` at 2.5, 50 and 97.5 % before that."""

    mean: np.ndarray
    sd: np.ndarray
    mcse: np.ndarray
    ess: np.ndarray
    r_hat: np.ndarray
    quantiles: np.ndarray
    chains: int
    draws: int


class Accumulator:
    """Takes the draws of one node, one after another."""

    def __init__(self, extents: tuple[int, ...], chains: int, draws: int) -> None:
        """Make room for a node of that shape; ``draws`` are those asked for."""
        self.extents, self.chains, self.asked = extents, chains, draws
        count = int(np.prod(extents, dtype=int))
        self.done = 0
        self._half = max(draws // 2, 1)
        self._mean = np.zeros((2, chains, count))
        self._squares = np.zeros((2, chains, count))
        self._length = np.zeros(2, dtype=int)
        self._batch = max(int(np.sqrt(draws)), 1)
        self._sum = np.zeros((chains, count))
        self._batches = 0
        self._batch_mean = np.zeros(count)
        self._batch_squares = np.zeros(count)
        self._pilot = int(np.clip(draws // 10, 2, PILOT))
        self._histogram: Histogram | None = None

    def add(self, value: np.ndarray) -> None:
        """Take one draw of every chain: an array (chains, *shape)."""
        flat = np.asarray(value, dtype=float).reshape(self.chains, -1)
        half = int(self.done >= self._half)
        self.done += 1
        self._length[half] += 1
        change = flat - self._mean[half]
        self._mean[half] += change / self._length[half]
        change *= flat - self._mean[half]
        self._squares[half] += change
        self._add_to_batch(flat)
        if self._histogram is not None:
            self._histogram.add(flat)
        elif self.done >= self._pilot:
            self._histogram = Histogram(*self._pooled(), self.chains * self.asked)

    def _add_to_batch(self, flat: np.ndarray) -> None:
        self._sum += flat
        if self.done % self._batch:
            return
        for own in self._sum / self._batch:
            self._batches += 1
            change = own - self._batch_mean
            self._batch_mean += change / self._batches
            self._batch_squares += change * (own - self._batch_mean)
        self._sum[...] = 0.0

    def _pooled(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and the standard deviation of all draws so far."""
        lengths = np.repeat(self._length, self.chains)[:, None]
        means = self._mean.reshape(2 * self.chains, -1)
        mean = (lengths * means).sum(axis=0) / lengths.sum()
        squares = self._squares.sum(axis=(0, 1)) + (lengths * (means - mean) ** 2).sum(axis=0)
        return mean, np.sqrt(squares / max(int(lengths.sum()) - 1, 1))

    def result(self) -> FieldMoments:
        """Return the moments of the draws so far."""
        mean, sd = self._pooled()
        with np.errstate(all="ignore"):
            variance = self._batch_squares / max(self._batches - 1, 1) / max(self._batches, 1)
            mcse = np.sqrt(variance) if self._batches > 1 else np.full_like(mean, np.nan)
            ess = np.minimum((sd / mcse) ** 2, self.chains * self.done)
        sketch = self._histogram
        quantiles = np.full((3, mean.size), np.nan) if sketch is None else sketch.quantiles(QUANTILES)
        return FieldMoments(
            mean=self._shaped(mean), sd=self._shaped(sd), mcse=self._shaped(mcse), ess=self._shaped(ess),
            r_hat=self._shaped(self._r_hat()), quantiles=quantiles.reshape(3, *self.extents), chains=self.chains,
            draws=self.done,
        )  # fmt: skip

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        return values.reshape(self.extents)

    def _r_hat(self) -> np.ndarray:
        """Return split R-hat; after an interrupt in the second half of the chains, that of their first halves."""
        whole = self._length[1] >= self._half
        parts = 2 if whole else 1
        length = int(self._length[:parts].min())
        if parts * self.chains < 2 or length < 2:
            return np.full(self._mean.shape[2], np.nan)
        with np.errstate(all="ignore"):
            variances = self._squares[:parts] / (self._length[:parts, None, None] - 1)
            flat = (parts * self.chains, -1)
            return r_hat_of_moments(self._mean[:parts].reshape(flat), variances.reshape(flat), length)


class Histogram:
    """Counts of the draws of each element in bins of z/(3 + |z|), with z the draw on the scale of its first draws."""

    def __init__(self, centre: np.ndarray, scale: np.ndarray, most: int) -> None:
        """Make empty bins for as many elements; ``most`` is the largest count that there can be."""
        self.centre = centre
        self.scale = np.where(scale > 0, scale, 1.0)
        self.counts = np.zeros((centre.size, BINS), dtype=np.uint16 if most < 2**16 else np.uint32)
        self._first = np.arange(centre.size) * BINS

    def add(self, flat: np.ndarray) -> None:
        """Count one draw of every chain (chains, elements)."""
        counts = self.counts.ravel()
        for own in flat:
            z = (own - self.centre) / self.scale
            z /= SOFTNESS + np.abs(z)
            place = np.clip((z + 1) * (BINS / 2), 0, BINS - 1).astype(np.intp)
            counts[self._first + place] += 1

    def quantiles(self, shares: tuple[float, ...]) -> np.ndarray:
        """Return the quantiles, (shares, elements)."""
        found = np.full((len(shares), len(self.counts)), np.nan)
        for begin in range(0, len(self.counts), PART):
            part = slice(begin, begin + PART)
            found[:, part] = self._quantiles(self.counts[part], shares)
        return self.centre + self.scale * found

    def _quantiles(self, counts: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
        """Return quantiles of z, interpolated in their bins."""
        below = np.cumsum(counts, axis=1, dtype=float)
        found = np.full((len(shares), len(counts)), np.nan)
        rows = np.flatnonzero(below[:, -1] > 0)
        for number, share in enumerate(shares):
            wanted = share * below[rows, -1]
            place = np.minimum((below[rows] < wanted[:, None]).sum(axis=1), BINS - 1)
            inside = counts[rows, place]
            rest = (wanted - below[rows, place] + inside) / np.maximum(inside, 1)
            soft = (place + np.clip(rest, 0.0, 1.0)) / (BINS / 2) - 1
            soft = np.clip(soft, -1 + 1e-9, 1 - 1e-9)
            found[number, rows] = SOFTNESS * soft / (1 - np.abs(soft))
        return found


def bytes_per_element(chains: int, draws: int) -> int:
    """Return how much memory an element of a field takes while its draws are taken."""
    counts = 2 if chains * draws < 2**16 else 4
    return 8 * (2 * 2 * chains + chains + 6) + 8 * 4 * chains + counts * BINS


class Watcher:
    """Gives the nodes of each draw to their accumulators and streams; a draw is taken whole, or not at all."""

    def __init__(
        self, extents: Mapping[str, tuple[int, ...]], chains: int, draws: int,
        streams: Mapping[str, Stream] | None = None,
    ) -> None:  # fmt: skip
        self._streams = streams or {}
        self._fields = {name: Accumulator(shape, chains, draws) for name, shape in extents.items()}

    def __call__(self, number: int, nodes: Mapping[str, np.ndarray]) -> None:
        """Take one draw; the sampler's ``visit``."""
        with _interrupt_afterwards():
            for name, field in self._fields.items():
                field.add(nodes[name])
            for name, stream in self._streams.items():
                stream.add(number, nodes[name])

    def results(self) -> dict[str, FieldMoments]:
        """Return the moments of every field."""
        return {name: field.result() for name, field in self._fields.items()}


@contextlib.contextmanager
def _interrupt_afterwards() -> Iterator[None]:
    """Hold an interrupt (Ctrl-C) back until the block is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, frame: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if held:
        raise KeyboardInterrupt
