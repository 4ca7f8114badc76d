"""Exercises of Section 6, Summary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from a3c_tut import A3CConfig, TableWorld, corridor_world
from a3c_tut.book import plain
from a3c_tut.book.exercises.exercise import Curves, Exercise, SilentBug, mistake


class Verdict(Exercise):
    """Settle a claim. It has K conditions, each measured with an interval: `intervals` is (K, 3),
    with mean, lower and upper end. A condition holds if the whole interval reaches its threshold in
    `at_least` (K,).

    Return `"supported"` if all conditions hold, `"supported only when"` if some do, and
    `"not supported"` if none does.
    """

    page = "summary"
    title = "the verdict"
    begin = "Not yet: the data have not been looked at."
    right = "Right: this is the rule that settled every claim of the book."

    @staticmethod
    def cases():
        a, b, c = (2.0, 1.5, 2.5), (1.3, 1.1, 1.5), (0.9, 0.7, 1.05)
        return [
            (np.array(intervals), np.array(at_least))
            for intervals, at_least in (
                ([a, b], [1.2, 1.1]), ([a, b], [1.2, 1.2]), ([b, c], [1.2, 1.0]),
                ([c, c], [0.8, 1.0]), ([a, c], [1.0, 0.5]), ([c, a], [2.0, 2.0]),
            )
        ]  # fmt: skip

    @staticmethod
    def stub(intervals, at_least):
        return "not supported"  # yours

    @staticmethod
    def solution(intervals, at_least):
        holds = intervals[:, 1] >= at_least
        if holds.all():
            return "supported"
        return "supported only when" if holds.any() else "not supported"

    @mistake("You look at the means: a mean above the threshold may have got there by chance.")
    def by_the_mean(intervals, at_least):
        holds = intervals[:, 0] >= at_least
        if holds.all():
            return "supported"
        return "supported only when" if holds.any() else "not supported"

    @mistake(
        "You look at the upper ends: that asks whether a condition could hold, not whether it does."
    )
    def by_the_upper_end(intervals, at_least):
        holds = intervals[:, 2] >= at_least
        if holds.all():
            return "supported"
        return "supported only when" if holds.any() else "not supported"

    @mistake("You compare with 0: to be better is not enough, the threshold says by how much.")
    def against_zero(intervals, at_least):
        holds = intervals[:, 1] > 0
        if holds.all():
            return "supported"
        return "supported only when" if holds.any() else "not supported"

    @mistake("One condition that holds is not the whole claim.")
    def any_will_do(intervals, at_least):
        return "supported" if (intervals[:, 1] >= at_least).any() else "not supported"

    @mistake("You know only all or nothing: where some conditions hold, say so.")
    def all_or_nothing(intervals, at_least):
        return "supported" if (intervals[:, 1] >= at_least).all() else "not supported"


class SpeedUp(Exercise):
    """How many times as fast are N workers as one? `steps_one` (M,) holds the steps that one worker
    needed to reach a score, a number per seed; `steps_team` (M,) what `num_workers` needed, all of
    them together, on M other seeds. Every worker has a core of its own, and a step takes the
    same time everywhere.

    Return the mean time of one over the mean time of the team.
    """

    page = "summary"
    title = "steps and time"
    begin = "Not yet: 1 means that the team is as fast as one worker."
    right = "Right: the steps are shared out among N cores, and then means are compared."

    @staticmethod
    def cases():
        one, team = np.array([3_000.0, 4_000.0, 3_500.0]), np.array([5_200.0, 3_600.0, 4_100.0])
        return [(one, team, 8), (one, one[::-1], 4)]

    @staticmethod
    def stub(steps_one, steps_team, num_workers):
        return 1.0  # yours

    @staticmethod
    def solution(steps_one, steps_team, num_workers):
        return steps_one.mean() / (steps_team.mean() / num_workers)

    @mistake("You compare samples: in time the team's steps are shared out among its cores.")
    def in_samples(steps_one, steps_team, num_workers):
        return steps_one.mean() / steps_team.mean()

    @mistake("That is how many times as long the team takes: turn it over.")
    def turned_over(steps_one, steps_team, num_workers):
        return steps_team.mean() / num_workers / steps_one.mean()

    @mistake("You pair seeds that have nothing to do with each other: compare the means.")
    def in_pairs(steps_one, steps_team, num_workers):
        return (steps_one * num_workers / steps_team).mean()

    @mistake("You count the N cores the wrong way round: they make the team faster, not slower.")
    def divided(steps_one, steps_team, num_workers):
        return steps_one.mean() / (steps_team.mean() * num_workers)

    @mistake("N is the best that could be: look at how many steps the team needed.")
    def ideal(steps_one, steps_team, num_workers):
        return num_workers


class WhatFollows(SilentBug):
    """A rollout is over, and the sum of Equation {eq}`eq-advantage` begins with what follows its
    last state. `value` is V of that state; the last step has ended the episode (`terminated`), or a
    time limit has cut it (`truncated`), or neither.

    {numref}`exp-symptom-what-follows` shows what the critic believes with the function below, in a
    world that goes on for ever. Why does it think so little of it?
    """

    page = "summary"
    title = "what follows the last state"
    found_in = (
        "nearly all public A3C code that was read for this book, among it ikostrikov/pytorch-a3c, "
        "greydanus/baby-a3c and openai/universe-starter-agent"
    )
    caption = (
        "V of the first state, mean over 300 steps, in a corridor of five steps that pays 1 at\n"
        "its end and begins anew, for ever; γ = 0.9, time limit 10, three workers. The best\n"
        "policy is worth 1.60 there. Bands: 95 % over 8 seeds.\n"
    )
    alt = (
        "Two rising curves. The right one is near 1.6 from step 3,000 on; the faulty one levels "
        "off at about 0.9."
    )
    begin = "Not yet: are all ends alike?"
    right = "Right: nothing follows a terminal state, and only a terminal one."

    @staticmethod
    def cases():
        return [(-5.0, False, False), (-5.0, True, False), (-5.0, False, True)]

    @staticmethod
    def stub(value, terminated, truncated):
        return 0.0 if terminated or truncated else value

    @staticmethod
    def solution(value, terminated, truncated):
        return 0.0 if terminated else value

    @mistake("You bootstrapped from a terminal state: nothing follows it.")
    def from_a_terminal_state(value, terminated, truncated):
        return value

    @mistake("You have the two the wrong way round: nothing follows a terminal state.")
    def the_wrong_way_round(value, terminated, truncated):
        return 0.0 if truncated else value

    @mistake("You never bootstrap: a rollout that has merely had its n steps goes on, too.")
    def never(value, terminated, truncated):
        return 0.0

    @staticmethod
    def test(bootstrap):
        assert bootstrap(-5.0, terminated=True, truncated=False) == 0.0
        assert bootstrap(-5.0, terminated=False, truncated=True) == -5.0
        assert bootstrap(-5.0, terminated=False, truncated=False) == -5.0

    @classmethod
    def symptom(cls):
        world, config = _endless_corridor(time_limit=10), A3CConfig(rollout_length=5, gamma=0.9)
        at = np.arange(300, 8_101, 300)

        def values(bootstrap):
            parts = plain.Parts(bootstrap=bootstrap)
            runs = (plain.learn(world, config, at[-1], seed, parts) for seed in range(8))
            # Every rollout has its five steps: the time limit is a multiple of them.
            return np.array([run.values.reshape(len(at), -1).mean(axis=1) for run in runs])

        both = cls.both(values)
        return Curves(at, both, "environment steps of all workers together", "V of the first state")


def _endless_corridor(time_limit: int) -> TableWorld:
    """Return a corridor whose last step pays 1 and leads back to its beginning."""
    corridor = corridor_world(6)
    next_state = np.where(corridor.next_state == 5, 0, corridor.next_state)
    return replace(
        corridor,
        next_state=next_state,
        terminated=np.zeros_like(corridor.terminated),
        max_episode_steps=time_limit,
    )
