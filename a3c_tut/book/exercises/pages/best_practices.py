"""Exercises of Section 3.4, Best Practices."""

from __future__ import annotations

import numpy as np

from a3c_tut import A3CConfig, sparse_grid_world
from a3c_tut.book import plain
from a3c_tut.book.exercises.exercise import Curves, Exercise, SilentBug, mistake


class AfterTheHorizon(SilentBug):
    """A learning rate is to fall along a line, from `rate` at step 0 to 0 at step `horizon`. The
    run may last longer than that. `steps` is what all workers have done so far.

    The function below is right up to the horizon. {numref}`exp-symptom-after-the-horizon` shows a
    run that goes on. What happens there, and what should the function return instead?
    """

    page = "best_practices"
    title = "behind the horizon"
    found_in = (
        "muupan/async-rl, for the very last steps of a run; here the run lasts twice as long as "
        "the horizon"
    )
    caption = (
        "Horizon 6,000, and a run that goes on to 12,000: mean return of the last 20\n"
        "episodes on the 5 × 5 sparse grid, where 1 means that all reach the goal (three workers,\n"
        "default step sizes). Bands: 95 % over 8 seeds.\n"
    )
    alt = (
        "Two curves rise together to one. The right one stays there; the faulty one begins to fall "
        "at step 8,000, and is below a fifth from step 11,000 on."
    )
    begin = "Not yet: what is the rate at one and a half times the horizon?"
    right = "Right: at the horizon learning ends, and what has been learned stays."

    @staticmethod
    def cases():
        return [(0.1, 0, 1_000), (0.1, 250, 1_000), (0.1, 1_000, 1_000), (0.4, 1_700, 1_000)]

    @staticmethod
    def stub(rate, steps, horizon):
        return rate * (1 - steps / horizon)

    @staticmethod
    def solution(rate, steps, horizon):
        return rate * max(0.0, 1 - steps / horizon)

    @mistake("Behind the horizon your rate rises again: its sign is gone, its size is not.")
    def without_its_sign(rate, steps, horizon):
        return rate * abs(1 - steps / horizon)

    @mistake("Behind the horizon you begin anew with the full rate.")
    def anew(rate, steps, horizon):
        return rate * (1 - (steps % horizon) / horizon)

    @mistake("Behind the horizon you go back to the full rate.")
    def full_again(rate, steps, horizon):
        return rate * (1 - steps / horizon) if steps <= horizon else rate

    @staticmethod
    def test(learning_rate):
        line = [learning_rate(0.1, steps, 100) for steps in range(300)]
        assert np.allclose(line[:101], np.linspace(0.1, 0.0, 101))
        assert np.allclose(line[100:], 0.0)

    @classmethod
    def symptom(cls):
        horizon, at = 6_000, np.arange(1_000, 12_001, 1_000)
        config = A3CConfig()

        def returns(rate):
            parts = plain.Parts(learning_rate=lambda full, steps, _: rate(full, steps, horizon))
            return plain.returns_at(at, sparse_grid_world(5, 5), config, parts, window=20)

        return Curves(at, cls.both(returns), "environment steps of all workers together", "return")


class OwnAnnealing(Exercise):
    """Anneal per worker: the learning rate falls along a line from `rate` to 0, by the worker's own
    count. A worker that makes its fair share of `total_steps`, the steps of all `num_workers`
    together, reaches 0 at its last step.

    Return the rate of a worker that has made `own_steps` steps. A fast worker makes more than its
    share.
    """

    page = "best_practices"
    title = "annealing by one's own steps"
    begin = "Not yet: that is the rate that everybody begins with."
    right = "Right: own steps times N, and never below 0."

    @staticmethod
    def cases():
        return [
            (0.1, 0, 3, 9_000),
            (0.1, 1_500, 3, 9_000),
            (0.3, 900, 8, 8_000),
            (0.1, 5_000, 3, 9_000),
        ]

    @staticmethod
    def stub(rate, own_steps, num_workers, total_steps):
        return rate  # yours

    @staticmethod
    def solution(rate, own_steps, num_workers, total_steps):
        done = own_steps * num_workers / total_steps
        return rate * max(0.0, 1 - done)

    @mistake(
        "You compare one worker's steps with the steps of all: your rate falls N times too slowly."
    )
    def without_n(rate, own_steps, num_workers, total_steps):
        return rate * max(0.0, 1 - own_steps / total_steps)

    @mistake("You divide own steps by N: one worker's share of the run is own steps times N.")
    def divided(rate, own_steps, num_workers, total_steps):
        return rate * max(0.0, 1 - own_steps / num_workers / total_steps)

    @mistake("A worker that makes more than its share gets a rate below 0, and unlearns.")
    def past_zero(rate, own_steps, num_workers, total_steps):
        return rate * (1 - own_steps * num_workers / total_steps)

    @mistake("That is the share of the rate that is left, not the rate.")
    def share(rate, own_steps, num_workers, total_steps):
        return max(0.0, 1 - own_steps * num_workers / total_steps)

    @mistake("You share the rate out among the workers: each of them uses all of it.")
    def shared_out(rate, own_steps, num_workers, total_steps):
        return rate / num_workers * max(0.0, 1 - own_steps * num_workers / total_steps)
