"""Exercises of Section 5, Result."""

from __future__ import annotations

import numpy as np

from a3c_tut import A3CConfig, cliff_world
from a3c_tut.book import plain
from a3c_tut.book.exercises.exercise import Curves, Exercise, SilentBug, mistake


class MovingMean(Exercise):
    """Compute the line of {numref}`fig-returns`. The episodes are listed worker by worker: `steps`
    (E,) holds the step of all workers together at which each one ended, `returns` (E,) what it
    returned.

    Return (E,), the means in the order of time. Each is the mean of the last `window` episodes of
    all workers that have ended by then, or of all of them while there are fewer.
    """

    page = "result"
    title = "the line of Figure 1"
    begin = "Not yet: these are the returns themselves."
    right = "Right: in order of time, looking back only, over what there is."

    @staticmethod
    def cases():
        steps, returns = [10, 30, 60, 20, 25, 70], [-90.0, -40.0, -20.0, -80.0, -50.0, -10.0]
        return [(np.array(steps), np.array(returns), 3), (np.array(steps), np.array(returns), 2)]

    @staticmethod
    def stub(steps, returns, window):
        return returns  # yours

    @staticmethod
    def solution(steps, returns, window):
        in_time = returns[np.argsort(steps)]
        last = [in_time[max(0, e - window) : e] for e in range(1, len(steps) + 1)]
        return [episodes.mean() for episodes in last]

    @mistake("You go through the list as it stands, worker by worker: bring it in order of time.")
    def as_listed(steps, returns, window):
        last = [returns[max(0, e - window) : e] for e in range(1, len(steps) + 1)]
        return [episodes.mean() for episodes in last]

    @mistake(
        "You divide by the whole window from the start: missing episodes count as returns of 0."
    )
    def padded_with_zeros(steps, returns, window):
        return np.convolve(returns[np.argsort(steps)], np.ones(window) / window)[: len(steps)]

    @mistake("Your line begins only when a window is full: the first episodes have no mean.")
    def full_windows_only(steps, returns, window):
        return np.convolve(returns[np.argsort(steps)], np.ones(window) / window, "valid")

    @mistake("Your window lies around each episode: it looks at episodes that are still to come.")
    def centred(steps, returns, window):
        in_time, half = returns[np.argsort(steps)], window // 2
        around = [in_time[max(0, e - half) : e - half + window] for e in range(len(steps))]
        return [episodes.mean() for episodes in around]

    @mistake("Your window reaches as far ahead as back: those episodes are still to come.")
    def half_each_way(steps, returns, window):
        in_time, half = returns[np.argsort(steps)], window // 2
        return [in_time[max(0, e - half) : e + half + 1].mean() for e in range(len(steps))]

    @mistake("Your window holds one episode too many.")
    def one_too_many(steps, returns, window):
        return MovingMean.solution(steps, returns, window + 1)

    @mistake("Your window holds one episode too few.")
    def one_too_few(steps, returns, window):
        return MovingMean.solution(steps, returns, window - 1)

    @mistake("Your window ends before the episode: its own return is the newest in it.")
    def without_the_newest(steps, returns, window):
        in_time = returns[np.argsort(steps)]
        last = [in_time[max(0, e - window) : max(e, 1)] for e in range(len(steps))]
        return [episodes.mean() for episodes in last]

    @mistake("You take the mean of everything so far: the first falls then never leave the line.")
    def everything_so_far(steps, returns, window):
        return np.cumsum(returns[np.argsort(steps)]) / np.arange(1, len(steps) + 1)


class WayAcross(Exercise):
    """On a cliff-world of `rows` × `columns` cells, row 0 lies along the wall. The start is in the
    lowest row at the left, the goal in the lowest row at the right, the cliff between them. Every
    step is worth −1.

    Return what the way across returns that goes straight up to `row`, along it, and down.
    """

    page = "result"
    title = "what a way across is worth"
    begin = "Not yet: every step on the way costs 1."
    right = "Right: on 4 × 12 this gives −17 along the wall and −13 along the edge."

    @staticmethod
    def cases():
        return [(4, 12, 0), (4, 12, 2), (5, 9, 1)]

    @staticmethod
    def stub(rows, columns, row):
        return 0  # yours

    @staticmethod
    def solution(rows, columns, row):
        up = rows - 1 - row
        return -(up + (columns - 1) + up)

    @mistake("You count the cells of the way: there is one step less than there are cells.")
    def cells(rows, columns, row):
        return -(2 * (rows - 1 - row) + columns)

    @mistake("You forget the way down: the goal is in the lowest row, as the start is.")
    def one_way(rows, columns, row):
        return -(rows - 1 - row + columns - 1)

    @mistake("Rows are numbered from 0: the start is in row `rows` − 1, not in row `rows`.")
    def from_one(rows, columns, row):
        return -(2 * (rows - row) + columns - 1)

    @mistake("You count rows from below: row 0 is the one along the wall.")
    def from_below(rows, columns, row):
        return -(2 * row + columns - 1)

    @mistake("The sign is missing: every step costs 1.")
    def without_the_sign(rows, columns, row):
        return 2 * (rows - 1 - row) + columns - 1


class GoesOn(SilentBug):
    """A worker that collects a rollout asks before each step whether the rollout goes on: `length`
    steps have been made, `n` are the most, and the last one has ended its episode (`terminated`),
    or the time limit has (`truncated`), or neither. Where an episode has ended, the next step
    begins a new one at the start.

    With the function below the program learns, and {numref}`exp-symptom-goes-on` shows how slowly.
    Why?
    """

    page = "result"
    title = "another step?"
    found_in = (
        "greydanus/baby-a3c and, at time limits only, in openai/universe-starter-agent, both with "
        "rollouts of n = 20"
    )
    caption = (
        "Rollouts collected in two ways: mean return of the last 20 episodes on the\n"
        "cliff-world, n = 20, critic step 0.1, gradients clipped at 20, all else as in the\n"
        "default configuration. Bands: 95 % over 8 seeds.\n"
    )
    alt = (
        "Two curves rise from about minus 750. The right one is above minus 30 from step 14,000 "
        "on; the faulty one lags behind it and is still below minus 200 at step 16,000."
    )
    begin = "Not yet: which actions are credited with the first rewards of an episode?"
    right = "Right: a rollout never holds steps of two episodes."

    @staticmethod
    def cases():
        ends = [(False, False), (True, False), (False, True)]
        return [
            (length, 5, *end) for length in (0, 4, 5, 7) for end in ends if length or not any(end)
        ]

    @staticmethod
    def stub(length, n, terminated, truncated):
        return length < n

    @staticmethod
    def solution(length, n, terminated, truncated):
        return length < n and not (terminated or truncated)

    @mistake("At a time limit your rollout runs on: the episode is over there, too.")
    def past_the_time_limit(length, n, terminated, truncated):
        return length < n and not terminated

    @mistake("At the goal your rollout runs on: the episode is over there, too.")
    def past_the_goal(length, n, terminated, truncated):
        return length < n and not truncated

    @mistake("Your rollout goes on until the episode ends: n steps are the most.")
    def past_n(length, n, terminated, truncated):
        return not (terminated or truncated)

    @mistake("Your rollout makes a step too many: with n steps it is complete.")
    def one_more(length, n, terminated, truncated):
        return length <= n and not (terminated or truncated)

    @staticmethod
    def test(goes_on):
        assert goes_on(4, 5, terminated=False, truncated=False)
        assert not goes_on(5, 5, terminated=False, truncated=False)
        assert not goes_on(4, 5, terminated=True, truncated=False)
        assert not goes_on(4, 5, terminated=False, truncated=True)

    @classmethod
    def symptom(cls):
        config = A3CConfig(rollout_length=20, critic_lr=0.1, max_grad_norm=20.0)
        at = np.arange(2_000, 16_001, 2_000)

        def returns(goes_on):
            parts = plain.Parts(goes_on=goes_on)
            return plain.returns_at(at, cliff_world(), config, parts, window=20)

        return Curves(at, cls.both(returns), "environment steps of all workers together", "return")
