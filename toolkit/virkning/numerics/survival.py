"""Time until an event: how many have had it by when, the mean time without it, and each person's share in the error.

Persons are followed until the event, until another event that makes it impossible, or until nobody knows any more. With
events of one kind these are the estimators of Kaplan and Meier; with several kinds, those of Aalen and Johansen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Causes = NDArray[np.int64]

# How a person's follow-up ended.
LOST, EVENT, COMPETING = 0, 1, 2
N_CAUSES = 3


@dataclass(frozen=True)
class Incidence:
    """One group over time; k distinct times at which something happened, in order.

    Attributes
    ----------
    times : ndarray, shape (k,)
        When.
    at_risk, events, competing : ndarray, shape (k,)
        Persons still followed just before, with the event then, and with a competing event then.
    place : ndarray of int, shape (n,)
        How many of the times lie no later than each person's own.
    free : ndarray, shape (k,)
        Share without any event just after (Kaplan and Meier 1958).
    incidence : ndarray, shape (k,)
        Share that has had the event by then (Aalen and Johansen 1978); 1 - ``free`` without competing events.
    """

    times: Array
    at_risk: Array
    events: Array
    competing: Array
    free: Array
    incidence: Array
    place: NDArray[np.int64]

    @property
    def jumps(self) -> Array:
        """Share that has the event at each time; shape (k,)."""
        return np.diff(self.incidence, prepend=0.0)

    def by(self, moments: Array) -> Array:
        """Return the share that has had the event by each of some moments; shape as given."""
        return np.concatenate([[0.0], self.incidence])[np.searchsorted(self.times, moments, side="right")]


@dataclass(frozen=True)
class Average:
    """A number about a group, with each person's share in its error.

    Attributes
    ----------
    value : float
        The number.
    influence : ndarray, shape (n,)
        Their squares add up to the variance: Greenwood's, or the delta-method variance of Aalen and Johansen's
        estimator, exactly.
    """

    value: float
    influence: Array

    @property
    def std_error(self) -> float:
        """Standard error for independent persons."""
        return float(np.sqrt((self.influence**2).sum()))

    @property
    def pseudo_values(self) -> Array:
        """What each person would have contributed, had everybody been followed to the end; shape (n,).

        The infinitesimal jackknife's version of the pseudo-observations of Andersen, Hansen and Klein (2004). Their
        mean is ``value``; where nobody is lost they are what was observed.
        """
        return self.value + len(self.influence) * self.influence


def incidence_of(time: Array, cause: Causes) -> Incidence:
    """Return the estimators for one group.

    Parameters
    ----------
    time : ndarray, shape (n,)
        How long each person was followed, not negative.
    cause : ndarray of int, shape (n,)
        How that ended: 0 lost, 1 the event, 2 a competing event. Whoever is lost at the time of an event counts as
        followed until just after.
    """
    moments, moment = _distinct(time)
    counts = np.bincount(N_CAUSES * moment + cause, minlength=N_CAUSES * len(moments)).reshape(-1, N_CAUSES)
    found, places = _incidence(moments, counts)
    return replace(found, place=places[moment])


def _incidence(moments: Array, counts: NDArray[np.int64]) -> tuple[Incidence, NDArray[np.int64]]:
    """Return the estimators from how many were followed until each moment, by how it ended, shape (moments, causes).

    The second part says how many of the times at which something happened lie no later than each moment, shape
    (moments,); nobody has a ``place`` yet.
    """
    followed = (counts.sum(axis=1)[::-1].cumsum()[::-1]).astype(np.float64)
    happens = counts[:, EVENT] + counts[:, COMPETING] > 0
    times, at_risk = moments[happens], followed[happens]
    events, competing = (counts[happens, kind].astype(np.float64) for kind in (EVENT, COMPETING))
    free = np.cumprod(1.0 - (events + competing) / at_risk).astype(np.float64)
    before = np.concatenate([[1.0], free[:-1]])[: len(free)]
    incidence = np.cumsum(before * events / at_risk)
    places = np.cumsum(happens, dtype=np.int64)
    return Incidence(times, at_risk, events, competing, free, incidence, places[:0]), places


@dataclass(frozen=True)
class Endings:
    """How the follow-up of persons ended, each different ending once: few of them serve many persons.

    Attributes
    ----------
    moments : ndarray, shape (m,)
        The different times, in order.
    code : ndarray of int, shape (n,)
        Each person's ending: three times the place of the time, and the cause.
    """

    moments: Array
    code: NDArray[np.int64]

    @classmethod
    def of(cls, time: Array, cause: Causes) -> Endings:
        """Return the endings of persons; ``time`` and ``cause`` are as for :func:`incidence_of`."""
        moments, moment = _distinct(time)
        return cls(moments, N_CAUSES * moment + cause)

    def means(self, group: NDArray[np.int64], gain: Callable[[Array], Array]) -> list[Average]:
        """Return, for each group, the mean of a function of when persons have the event; as :func:`weighted_mean`.

        Parameters
        ----------
        group : ndarray of int, shape (n,)
            Codes from zero.
        gain : callable
            From times to the function's values.

        Returns
        -------
        list of Average
            Each with one share in the error for each different ending, shape (3 m,), that of :attr:`code`.
        """
        size, found = N_CAUSES * len(self.moments), []
        counts = np.bincount(size * group + self.code, minlength=size * (int(group.max()) + 1))
        for of_group in counts.reshape(-1, size):
            incidence, places = _incidence(self.moments, of_group.reshape(-1, N_CAUSES))
            each = replace(incidence, place=np.repeat(places, N_CAUSES))
            cause = np.tile(np.arange(N_CAUSES), len(self.moments))
            found.append(weighted_mean(each, cause, gain(each.times)))
        return found


def _distinct(time: Array) -> tuple[Array, NDArray[np.int64]]:
    """Return the distinct times in order, and which of them each person has; times are not negative."""
    whole = time.astype(np.int64) if len(time) and time.min() >= 0 and time.max() <= len(time) else None
    if whole is None or not (whole == time).all():
        moments, moment = np.unique(time, return_inverse=True)
        return moments.astype(np.float64), moment.astype(np.int64)
    # Weeks or days are counted, which is quicker than sorting persons.
    found = np.bincount(whole) > 0
    return np.flatnonzero(found).astype(np.float64), (np.cumsum(found) - 1)[whole]


def weighted_mean(found: Incidence, cause: Causes, gain: Array) -> Average:
    """Return the mean over persons of a function of when they have the event, which is zero for whoever never has it.

    Parameters
    ----------
    found : Incidence
        Of these persons.
    cause : ndarray of int, shape (n,)
        As for :func:`incidence_of`.
    gain : ndarray, shape (k,)
        The function at the times of ``found``.
    """
    parts = found.jumps * gain
    rest = np.cumsum(parts[::-1])[::-1] - parts  # what is still to come after each time
    happened, left = found.events + found.competing, found.at_risk - found.events - found.competing
    own = np.concatenate([[1.0], found.free[:-1]])[: len(gain)] * gain / found.at_risk
    # Where nobody is left, nothing is still to come.
    later = np.divide(rest, left, out=np.zeros_like(rest), where=left > 0)
    expected = np.concatenate([[0.0], np.cumsum((own * found.events - later * happened) / found.at_risk)])
    # Few different times and endings serve many persons; who is lost at an event's time has no share in it.
    by_cause = np.stack([np.zeros(len(rest)), own - later, -later]) - expected[1:]
    by_cause = np.concatenate([np.full((3, 1), -expected[0]), by_cause], axis=1)
    influence = by_cause[cause, found.place]
    return Average(float(parts.sum()), influence)


def time_without(time: Array, cause: Causes, horizon: float) -> Average:
    """Return the mean time without the event, counted up to the horizon: the restricted mean survival time.

    Without competing events it is the area under Kaplan and Meier's curve, with the variance that Greenwood's formula
    gives it. Whoever has a competing event never has the event, and counts with the horizon.

    Parameters
    ----------
    time, cause : ndarray, shape (n,)
        As for :func:`incidence_of`.
    horizon : float
        In the unit of ``time``.
    """
    found = incidence_of(time, cause)
    lost = weighted_mean(found, cause, np.maximum(horizon - found.times, 0.0))
    return Average(horizon - lost.value, -lost.influence)


def share_by(time: Array, cause: Causes, moment: float) -> Average:
    """Return the share that has had the event by a moment.

    Parameters
    ----------
    time, cause : ndarray, shape (n,)
        As for :func:`incidence_of`.
    moment : float
        In the unit of ``time``.
    """
    found = incidence_of(time, cause)
    return weighted_mean(found, cause, (found.times <= moment).astype(np.float64))


def shares_by(time: Array, cause: Causes, moments: Sequence[float]) -> tuple[Array, Array]:
    """Return the share that has had the event by each moment, and the persons' shares in the errors.

    Parameters
    ----------
    time, cause : ndarray, shape (n,)
        As for :func:`incidence_of`.
    moments : sequence of float, length m
        In the unit of ``time``.

    Returns
    -------
    shares : ndarray, shape (m,)
    influence : ndarray, shape (n, m)
    """
    averages = [share_by(time, cause, moment) for moment in moments]
    values = np.array([average.value for average in averages])
    return values, np.column_stack([average.influence for average in averages])


def until(time: Array, cause: Causes, horizon: float) -> tuple[Array, Causes]:
    """Return what was known at the horizon: whatever happened later had not happened yet.

    Parameters
    ----------
    time, cause : ndarray, shape (n,)
        As for :func:`incidence_of`.
    horizon : float
        In the unit of ``time``.
    """
    return np.minimum(time, horizon), np.where(time > horizon, LOST, cause)


def largest_horizon(time: Array, cause: Causes) -> float:
    """Return how far one group's follow-up reaches: to the longest time, and without limit if it ended with an event.

    Parameters
    ----------
    time, cause : ndarray, shape (n,)
        As for :func:`incidence_of`.
    """
    longest = float(time.max())
    # Whoever is followed longest is lost there unless all who are followed as long have an event.
    return float("inf") if bool((cause[time == longest] != LOST).all()) else longest


def interval(free: Array, std_error: Array, critical: Array | float) -> tuple[Array, Array]:
    """Return confidence limits of shares without the event that never leave 0 to 1.

    They are symmetric for log(-log(share)) (Kalbfleisch and Prentice 2002). A share of one, before the first event, has
    no spread; one of zero has no limits and gives NaN.

    Parameters
    ----------
    free, std_error : ndarray, shape (m,)
        Shares without the event and their standard errors.
    critical : float or ndarray, shape (m,)
        How many standard errors wide.
    """
    share = np.asarray(free, dtype=np.float64)
    inside = (share > 0) & (share < 1)
    safe = np.where(inside, share, 0.5)
    reach = critical * std_error / (safe * np.abs(np.log(safe)))
    limits = [np.where(inside, safe ** np.exp(sign * reach), np.where(share >= 1, 1.0, np.nan)) for sign in (1, -1)]
    return limits[0], limits[1]
