"""What to expect of many workers and one parameter server: a queue (Beyond one machine)."""

from __future__ import annotations

from typing import NamedTuple


class Load(NamedTuple):
    """What so many workers make of a server.

    Examples
    --------
    >>> Load(rate=50.0, busy_share=0.5, queue_wait=0.0, staleness=0.0).busy_share
    0.5
    """

    rate: float  # pushes a second, of all workers together
    busy_share: float  # of the server
    queue_wait: float  # seconds per push
    staleness: float  # pushes of others between two of one worker's, on average


def expected_load(num_workers: int, away: float, service: float) -> Load:
    r"""Return what to expect of a server, by mean value analysis (Reiser and Lavenberg, 1980).

    A worker is away for a while (rollout and the way there and back), waits for its turn, and is
    served. A push that comes as the `N`-th finds the queue of `N - 1` workers: stay = service ·
    (1 + queue of N − 1); rate = N / (away + stay); queue = rate · stay. Exact where service times
    are exponential; where they are more even than that, a push waits less.

    Parameters
    ----------
    num_workers : int from 1
    away, service : float, seconds per push

    Raises
    ------
    ValueError
        For a number out of range.

    Examples
    --------
    One worker never waits. Of many, the server takes as many pushes as it can, and no more:

    >>> expected_load(1, away=0.75, service=0.25)
    Load(rate=1.0, busy_share=0.25, queue_wait=0.0, staleness=0.0)
    >>> many = expected_load(1_000, away=0.75, service=0.25)
    >>> round(many.rate, 3), round(many.busy_share, 3), round(many.queue_wait), many.staleness
    (4.0, 1.0, 249, 999.0)
    """
    if num_workers < 1:
        raise ValueError(f"num_workers is {num_workers}; allowed: a whole number from 1")
    if away < 0 or service <= 0:
        raise ValueError(f"away is {away} and service is {service}; allowed: from 0, and above 0")
    queue = 0.0
    for n in range(1, num_workers + 1):
        stay = service * (1.0 + queue)
        rate = n / (away + stay)
        queue = rate * stay
    # In a round each worker pushes as often as any other.
    return Load(rate, rate * service, stay - service, float(num_workers - 1))


def saturating_workers(away: float, service: float) -> float:
    """Return for how many workers a server that never rests would be just enough.

    Parameters
    ----------
    away, service : float, seconds per push

    Examples
    --------
    >>> saturating_workers(away=0.75, service=0.25)
    4.0
    """
    return (away + service) / service
