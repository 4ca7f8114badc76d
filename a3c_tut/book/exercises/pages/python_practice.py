"""Exercises of Section 4, Python Practice."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from a3c_tut import A3CConfig, cliff_world
from a3c_tut.book import plain
from a3c_tut.book.exercises.exercise import Curves, Exercise, SilentBug, mistake


class DrawAction(Exercise):
    """Turn a random number into an action. `policy` holds the (A,) probabilities of the actions,
    some of which may be 0, and `u` is uniform from 0 up to, but not including, 1.

    Return the action, so that each comes as often as its probability says. Action 0 gets the lowest
    numbers.
    """

    page = "python_practice"
    title = "draw an action"
    begin = "Not yet: that is action 0, whatever the number."
    right = "Right: each action has a stretch as long as its probability."

    @staticmethod
    def cases():
        policy, edge = np.array([0.25, 0.5, 0.125, 0.125]), np.array([0.0, 0.5, 0.0, 0.5])
        even = [(policy, u) for u in (0.0, 0.1, 0.25, 0.3, 0.6, 0.8, 0.95)]
        return [*even, (edge, 0.0), (edge, 0.5), (edge, 0.7)]

    @staticmethod
    def stub(policy, u):
        return 0  # yours

    @staticmethod
    def solution(policy, u):
        borders = np.cumsum(policy)[:-1]
        return int((borders <= u).sum())

    @mistake("A number on a border falls to the action before it, and that one may have chance 0.")
    def border_to_the_left(policy, u):
        return int((np.cumsum(policy)[:-1] < u).sum())

    @mistake("You always take the most probable action: nothing is tried out.")
    def most_probable(policy, u):
        return int(np.argmax(policy))

    @mistake("Every action is equally likely in your answer: the policy is not looked at.")
    def uniform(policy, u):
        return int(u * len(policy))

    @mistake("You compare the number with single probabilities: their running sum has the borders.")
    def no_running_sum(policy, u):
        return int(np.argmax(policy > u))

    @mistake("You are off by one: below the first border lies action 0.")
    def off_by_one(policy, u):
        return int((np.cumsum(policy)[:-1] <= u).sum()) + 1


class RolloutLengths(Exercise):
    """Cut a worker's steps into rollouts. `ended` has an entry per step: whether an episode ended
    with it, terminated or truncated. A rollout takes at most `n` steps and stops where an episode
    ends; the next one begins right behind it.

    Return the lengths of all rollouts, in order. The last one may be cut short by the end of the
    list and counts too.
    """

    page = "python_practice"
    title = "where rollouts end"
    begin = "Not yet: that is one rollout for all steps."
    right = "Right: a rollout ends after n steps or with its episode, and then the count is at 0."

    @staticmethod
    def cases():
        return [
            ([bool(int(c)) for c in "0000100010"], 3),
            ([bool(int(c)) for c in "00110000000"], 4),
            ([bool(int(c)) for c in "000001"], 2),
        ]

    @staticmethod
    def stub(ended, n):
        return [len(ended)]  # yours

    @staticmethod
    def solution(ended, n):
        lengths, length = [], 0
        for end in ended:
            length += 1
            if end or length == n:
                lengths.append(length)
                length = 0
        return [*lengths, length] if length else lengths

    @mistake("Your rollouts run on into the next episode: they have to stop where an episode ends.")
    def into_the_next_episode(ended, n):
        full, rest = divmod(len(ended), n)
        return [n] * full + [rest] * (rest > 0)

    @mistake("You cut only where an episode ends: no rollout may be longer than n.")
    def whole_episodes(ended, n):
        borders = [0, *(t + 1 for t, end in enumerate(ended) if end), len(ended)]
        return [b - a for a, b in pairwise(borders) if b > a]

    @mistake("You cut at every n-th step of all: the count begins anew with each rollout.")
    def at_multiples(ended, n):
        borders = [t + 1 for t, end in enumerate(ended) if end or (t + 1) % n == 0]
        borders = [0, *borders, len(ended)]
        return [b - a for a, b in pairwise(borders) if b > a]

    @mistake("The last rollout is missing where the list ends before it does.")
    def without_the_last(ended, n):
        lengths = RolloutLengths.solution(ended, n)
        return lengths if ended[-1] or lengths[-1] == n else lengths[:-1]

    @mistake("Your rollouts are a step too long: n steps are enough.")
    def one_more(ended, n):
        return RolloutLengths.solution(ended, n + 1)


class RowsToCopy(Exercise):
    """After a push a worker copies only the rows of the shared table that others, or itself, have
    changed since its last copy. Pushes are numbered from 1. `changed` (S,) holds for each row the
    last push that wrote into it, 0 if none has. `copied` is the last push that was in the shared
    table when the worker last copied.

    Return the numbers of the rows to copy, in order.
    """

    page = "python_practice"
    title = "sync only what has changed"
    begin = "Not yet: without a copy a worker acts for ever as it did on the first day."
    right = "Right: these rows are newer than the copy, and no others."

    @staticmethod
    def cases():
        return [(np.array([0, 4, 7, 5, 0, 6, 2]), 5), (np.array([3, 0, 1, 2]), 0)]

    @staticmethod
    def stub(changed, copied):
        return []  # yours

    @staticmethod
    def solution(changed, copied):
        return np.flatnonzero(changed > copied)

    @mistake("You copy rows that the copy already holds: push `copied` itself was in it.")
    def one_too_early(changed, copied):
        return np.flatnonzero(changed >= copied)

    @mistake("You copy everything: that is never wrong, and costs as much as there are states.")
    def everything(changed, copied):
        return np.arange(len(changed))

    @mistake("You copy all rows that were ever written, also those that the copy holds.")
    def ever_written(changed, copied):
        return np.flatnonzero(changed > 0)

    @mistake("You copy what the next push wrote: several may have come since.")
    def only_the_next(changed, copied):
        return np.flatnonzero(changed == copied + 1)

    @mistake("You copy the old rows and leave out the new ones.")
    def the_old_ones(changed, copied):
        return np.flatnonzero(changed <= copied)


class HandOver(SilentBug):
    """A worker has computed the `gradient` of its rollout and hands it over to the shared tables.
    `kept` is what it handed over the time before, all 0 at its first push; both have the same
    shape. The function returns what is pushed now.

    With the function below the returns rise at first, and then stop rising, as
    {numref}`exp-symptom-hand-over` shows. What is handed over, and what should be?
    """

    page = "python_practice"
    title = "the gradient hand-over"
    found_in = (
        "ikostrikov/pytorch-a3c when it is run with PyTorch 2.0 or later, whose `zero_grad` drops "
        "gradients instead of setting them to 0"
    )
    caption = (
        "Two ways to hand gradients over: mean return of the last 20 episodes on the\n"
        "cliff-world, default configuration; −200 is 200 steps without a fall and without\n"
        "reaching the goal. Bands: 95 % over 8 seeds.\n"
    )
    alt = (
        "Two curves rise from below minus 200. The right one is above minus 30 from step 6,000 "
        "on; the faulty one stops at minus 200 and runs level."
    )
    begin = "Not yet: let the gradient be 1 once and then 0 for ever; what is pushed?"
    right = "Right: each gradient is handed over once."

    @staticmethod
    def cases():
        zero, one, two = np.zeros(3), np.array([1.0, -2.0, 0.0]), np.array([0.5, 0.5, 3.0])
        return [(zero, one), (one, two), (two, one), (one, zero)]

    @staticmethod
    def stub(kept, gradient):
        return kept + gradient

    @staticmethod
    def solution(kept, gradient):
        return gradient

    @mistake("You hand over the first gradient for ever.")
    def the_first(kept, gradient):
        return kept if kept.any() else gradient

    @mistake("You hand over what was handed over before, so the new gradient never arrives.")
    def the_old_one(kept, gradient):
        return kept

    @mistake("Half of what you hand over has been handed over before.")
    def mean_of_both(kept, gradient):
        return (kept + gradient) / 2

    @mistake("You take the old gradients off again: what was pushed is to stay.")
    def difference(kept, gradient):
        return gradient - kept

    @staticmethod
    def test(hand_over):
        kept = np.zeros(2)
        for gradient in ([1.0, 0.0], [0.0, -2.0], [0.5, 0.5]):
            kept = hand_over(kept, np.array(gradient))
            assert np.allclose(kept, gradient)

    @classmethod
    def symptom(cls):
        at = np.arange(2_000, 12_001, 1_000)

        def returns(hand_over):
            parts = plain.Parts(hand_over=hand_over)
            return plain.returns_at(at, cliff_world(), A3CConfig(), parts, window=20)

        return Curves(at, cls.both(returns), "environment steps of all workers together", "return")
