"""Exercises of Section 1, Introduction."""

from __future__ import annotations

import numpy as np

from a3c_tut import A3CConfig, cliff_world
from a3c_tut.book import plain
from a3c_tut.book.exercises.exercise import Curves, Exercise, SilentBug, mistake


class SeveralFromOne(Exercise):
    """{numref}`exp-decorrelation` has one worker and three. Write the curve of any number of
    workers that take turns, from that of one, without running anything.

    `alone` (D,) holds the shares that the updates at distance 1, 2, …, D explain with one worker;
    return the shares (D,) with `num_workers`. What different workers do is taken as independent.
    """

    page = "introduction"
    title = "how far does one update see?"
    begin = "Not yet: this is still the curve of one worker."
    right = "Right: and it is the measured curve of three workers, within 0.06."

    @staticmethod
    def cases():
        alone = np.array([0.81, 0.64, 0.5, 0.38, 0.29, 0.21, 0.14])
        return [(alone, 3), (alone, 2), (alone[:5], 1)]

    @staticmethod
    def stub(alone, num_workers):
        return alone  # yours

    @staticmethod
    def solution(alone, num_workers):
        shares = np.zeros(len(alone))
        turns = len(alone) // num_workers
        shares[num_workers - 1 :: num_workers] = alone[:turns]
        return shares

    @mistake("You share it out evenly: but at most distances the other update is somebody else's.")
    def shared_out(alone, num_workers):
        return alone / num_workers

    @mistake("Between two turns of one worker its own walk goes on by one update, not by several.")
    def by_the_clock(alone, num_workers):
        shares = np.zeros(len(alone))
        shares[num_workers - 1 :: num_workers] = alone[num_workers - 1 :: num_workers]
        return shares

    @mistake("You begin at distance 1: but the update just before is another worker's.")
    def from_the_first(alone, num_workers):
        shares = np.zeros(len(alone))
        shares[::num_workers] = alone[: len(shares[::num_workers])]
        return shares

    @mistake("You stretch the curve: between a worker's own turns nothing is explained at all.")
    def stretched(alone, num_workers):
        return np.repeat(alone, num_workers)[: len(alone)]


class EffectiveNumber(Exercise):
    """M numbers have variance 1 each; those k places apart have the correlation $\\rho_k.$ If they
    were independent, their mean would have variance 1/M. As it is, it has the variance of the mean
    of some *other* number of independent ones: the effective number. Compute it.

    `correlation` (M − 1,) holds $\\rho_1, \\dots, \\rho_{M-1}$; return one number.
    """

    page = "introduction"
    title = "how many are they worth?"
    begin = "Not yet: they would be worth that many if they were independent."
    right = "Right: and correlations below 0 can make it more than M, as on the cliff-world."

    @staticmethod
    def cases():
        return [
            (np.array([0.5, 0.2, -0.1]),),
            (np.array([0.9, 0.7, 0.4, 0.2]),),
            (np.array([-0.3, 0.1]),),
        ]

    @staticmethod
    def stub(correlation):
        return len(correlation) + 1  # yours

    @staticmethod
    def solution(correlation):
        M = len(correlation) + 1
        pairs = 2 * np.arange(M - 1, 0, -1)  # at distance 1, 2, ...
        return M**2 / (M + (pairs * correlation).sum())

    @mistake("You count each pair once: in the square of a sum it stands twice.")
    def each_pair_once(correlation):
        T = len(correlation) + 1
        return T**2 / (T + (np.arange(T - 1, 0, -1) * correlation).sum())

    @mistake("You count as many pairs at every distance: k places apart there are only M − k.")
    def as_many_at_every_distance(correlation):
        return (len(correlation) + 1) / (1 + 2 * correlation.sum())

    @mistake("That is the variance of the mean: the number asked for is one over it.")
    def variance_of_the_mean(correlation):
        T = len(correlation) + 1
        return (T + (2 * np.arange(T - 1, 0, -1) * correlation).sum()) / T**2

    @mistake("You look at neighbours only: the other distances count, too.")
    def neighbours(correlation):
        T = len(correlation) + 1
        return T**2 / (T + 2 * (T - 1) * correlation[0])


class BufferAges(Exercise):
    """How old is what a replay buffer teaches? It is empty at first and holds at most `capacity`
    pieces of experience. At every update one new piece comes in, the oldest goes if there are too
    many, and then one piece is drawn at random, each with the same chance.

    The piece that has just come in has age 0, the one before it age 1. Return the expected age of
    what is drawn at each of the first `updates` updates, (updates,).
    """

    page = "introduction"
    title = "old experience"
    begin = "Not yet: only the piece that has just come in has age 0."
    right = "Right: a full buffer of 1,000 teaches what is 499.5 updates old on average."

    @staticmethod
    def cases():
        return [(4, 9), (10, 3), (1, 5)]

    @staticmethod
    def stub(capacity, updates):
        return np.zeros(updates)  # yours

    @staticmethod
    def solution(capacity, updates):
        held = np.minimum(np.arange(1, updates + 1), capacity)
        return (held - 1) / 2

    @mistake("The buffer is empty at first: it takes a while until old pieces are in it.")
    def full_from_the_beginning(capacity, updates):
        return np.full(updates, (capacity - 1) / 2)

    @mistake("The oldest goes when the buffer is full: the age does not grow for ever.")
    def never_full(capacity, updates):
        return np.arange(updates) / 2

    @mistake("That is the age of the oldest piece: any of them may be drawn.")
    def oldest(capacity, updates):
        return np.minimum(np.arange(updates), capacity - 1)

    @mistake("You are half an update too old: the ages begin at 0, not at 1.")
    def from_one(capacity, updates):
        return np.minimum(np.arange(1, updates + 1), capacity) / 2


class WorkerSeeds(SilentBug):
    """Sixteen workers, each in a world of its own, each with its own random numbers. So this
    program says, and it runs without an error. But it learns far more slowly than it should.

    Each worker begins by drawing the seed of its random numbers. Find the fault and mend it: return
    the seeds of `num_workers` workers, drawn in turn from *one* generator, made from `seed`.
    """

    page = "introduction"
    title = "sixteen workers"
    begin = "The fault is still in it: look at the sixteen seeds that come out."
    right = "Right: now each worker has random numbers of its own."
    found_in = (
        "muupan/async-rl: each worker process draws its seed after the fork, from its own copy of "
        "the parent's generator"
    )
    caption = (
        "What the fault does to learning: the cliff-world with sixteen workers and the default "
        "settings otherwise, eight seeds; mean return of the last 50 episodes, with 95 % intervals."
    )
    alt = (
        "Return against steps, 4,000 to 7,500. Both begin near −800. The right program is above "
        "−30 from 6,500 on; the faulty one is still below −400 at the end."
    )

    @staticmethod
    def cases():
        return [(3, 4), (4, 4), (11, 2)]

    @staticmethod
    def stub(seed, num_workers):
        def begin_worker():
            rng = np.random.default_rng(seed)
            return int(rng.integers(2**31))

        return [begin_worker() for _ in range(num_workers)]

    @staticmethod
    def solution(seed, num_workers):
        rng = np.random.default_rng(seed)
        return [int(rng.integers(2**31)) for _ in range(num_workers)]

    @mistake("Seeds in a row differ within a run, but the run with the next seed repeats them.")
    def in_a_row(seed, num_workers):
        return [seed + worker for worker in range(num_workers)]

    @mistake("The workers differ now, but every run has the same ones: `seed` is not used.")
    def own_numbers(seed, num_workers):
        return list(range(num_workers))

    @staticmethod
    def test(worker_seeds):
        seeds = worker_seeds(3, 4)
        assert len(set(seeds)) == 4  # no two workers alike
        assert worker_seeds(3, 4) == seeds  # the run can be repeated
        assert not set(seeds) & set(worker_seeds(4, 4))

    @classmethod
    def symptom(cls):
        def returns(worker_seeds):
            def streams(seed, num_workers):
                return [np.random.default_rng(s) for s in worker_seeds(seed, num_workers)]

            config = A3CConfig(num_workers=16)
            return plain.returns_at(at, cliff_world(), config, plain.Parts(streams=streams))

        at = np.linspace(4_000, 7_500, 8)
        seen = cls.both(returns)
        faulty, right = (np.asarray(rows).mean(axis=0) for rows in seen.values())
        assert abs(faulty[0] + 800) < 50
        assert abs(right[0] + 800) < 50
        assert faulty.max() < -400
        assert right[at >= 6_500].min() > -30
        return Curves(at, seen, "steps of all workers", "return")
