"""Exercises of Section 6, Summary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from a3c_tut import A3CConfig, TableWorld, corridor_world
from a3c_tut.book import plain
from a3c_tut.book.exercises.exercise import Curves, Exercise, SilentBug, mistake


class Verdict(Exercise):
    """Settle a claim. It says of K differences that they are positive and matter. `intervals`
    (K, 3) holds them as measured, with mean, lower and upper end; `matters` (K,) the smallest that
    matters. A difference holds if its whole interval reaches that, is contradicted if the whole
    interval reaches it the other way round, is none that matters if the interval lies between the
    two, and is open otherwise.

    Return `"supported"` if all hold, `"supported only when"` if some do; if none does,
    `"cannot be settled here"` if any is open, or else `"contradicted"` if any is contradicted, or
    else `"no difference that matters"`.
    """

    page = "summary"
    title = "the verdict"
    begin = "Not yet: the data have not been looked at."
    right = "Right: this is the rule that settled the claims of the book."

    @staticmethod
    def cases():
        a, b, o = (2.0, 1.5, 2.5), (1.3, 1.1, 1.5), (-2.0, -2.6, -1.4)
        none, little, wide = (0.1, -0.3, 0.5), (0.4, 0.2, 0.6), (1.1, -0.4, 2.6)
        return [
            (np.array(intervals), np.array(matters))
            for intervals, matters in (
                ([a, b], [1.2, 1.1]), ([a, b], [1.2, 1.2]), ([a, o], [1.0, 1.0]),
                ([o, none], [1.0, 1.0]), ([none, none], [1.0, 1.0]), ([little, none], [1.0, 1.0]),
                ([none, wide], [1.0, 1.0]), ([o, wide], [1.0, 1.0]), ([wide, wide], [1.0, 1.0]),
            )
        ]  # fmt: skip

    @staticmethod
    def stub(intervals, matters):
        return "not yet run"  # yours

    @staticmethod
    def solution(intervals, matters):
        low, high = intervals[:, 1], intervals[:, 2]
        holds, opposite = low >= matters, high <= -matters
        none = (low > -matters) & (high < matters)
        if holds.any():
            return "supported" if holds.all() else "supported only when"
        if not (opposite | none).all():
            return "cannot be settled here"
        return "contradicted" if opposite.any() else "no difference that matters"

    @mistake("You look at the means: a mean above the threshold may have got there by chance.")
    def by_the_mean(intervals, matters):
        return Verdict.solution(intervals[:, [0, 0, 0]], matters)

    @mistake(
        "An interval that lies across a threshold does not say that there is no difference: too "
        "few runs say nothing."
    )
    def silence_is_no_difference(intervals, matters):
        said = Verdict.solution(intervals, matters)
        if said == "cannot be settled here":
            opposite = (intervals[:, 2] <= -matters).any()
            return "contradicted" if opposite else "no difference that matters"
        return said

    @mistake("You compare with 0: the threshold says from where on a difference matters.")
    def against_zero(intervals, matters):
        return Verdict.solution(intervals, np.full(len(matters), 1e-9))

    @mistake("One condition that holds is not the whole claim.")
    def any_will_do(intervals, matters):
        holds = (intervals[:, 1] >= matters).any()
        return "supported" if holds else Verdict.solution(intervals, matters)

    @mistake(
        "One difference that holds is enough for 'only when': what is open beside it may stay so."
    )
    def open_first(intervals, matters):
        low, high = intervals[:, 1], intervals[:, 2]
        none = (low > -matters) & (high < matters)
        if not ((low >= matters) | (high <= -matters) | none).all():
            return "cannot be settled here"
        return Verdict.solution(intervals, matters)


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
