"""Exercises of Section 3.2, Sparse Rewards."""

from __future__ import annotations

from a3c_tut.book.exercises.exercise import Exercise, mistake


class SomebodyArrives(Exercise):
    """Nobody has learned anything yet, and every worker walks once. A walk reaches the goal with
    probability `p`. Workers of different seeds walk independently of each other, workers of one
    seed walk the same way.

    `seeds` lists the seed of each worker. Return the probability that at least one of them reaches
    the goal.
    """

    page = "sparse_rewards"
    title = "the chance that somebody arrives"
    begin = "Not yet: that is the chance of a single worker."
    right = "Right: what counts is how many different walks there are."

    @staticmethod
    def cases():
        return [(0.3, [1, 2, 3, 4]), (0.3, [1, 1, 2, 2, 2]), (0.05, [7, 7, 7]), (0.6, [5, 8])]

    @staticmethod
    def stub(p, seeds):
        return p  # yours

    @staticmethod
    def solution(p, seeds):
        return 1 - (1 - p) ** len(set(seeds))

    @mistake("You count workers: those of one seed reach the goal together, or not at all.")
    def every_worker(p, seeds):
        return 1 - (1 - p) ** len(seeds)

    @mistake("That is how many arrive on average; as a chance it can pass 1.")
    def mean_number(p, seeds):
        return p * len(seeds)

    @mistake("You add chances up: two walks that both arrive are then counted twice.")
    def added_up(p, seeds):
        return p * len(set(seeds))

    @mistake("That is the chance that all of them arrive.")
    def all_of_them(p, seeds):
        return p ** len(set(seeds))

    @mistake("That is the chance that nobody arrives.")
    def nobody(p, seeds):
        return (1 - p) ** len(set(seeds))
