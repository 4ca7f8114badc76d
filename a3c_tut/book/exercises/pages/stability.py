"""Exercises of Section 2.3, Stability Considerations."""

from __future__ import annotations

import numpy as np

from a3c_tut import A3CConfig, cliff_world
from a3c_tut.book import plain
from a3c_tut.book.exercises.exercise import Curves, Exercise, SilentBug, mistake
from a3c_tut.exact import softmax_policy


class Clip(Exercise):
    """Clipping is by *one* norm over both gradients together: what is too long is shortened to the
    length `longest`, and its direction is kept. What is short enough stays as it is.

    `gradient` (S, A + 1) has a row per state: the first A columns are for θ, the last one is for V.
    Return it clipped, (S, A + 1).
    """

    page = "stability"
    title = "clip it"
    begin = "Not yet: a long gradient comes out as it was."
    right = "Right: shorter, and in the same direction."

    @staticmethod
    def cases():
        long = np.array([[3.0, -1.0, 6.0], [0.5, 2.0, -8.0]])
        return [(long, 5.0), (0.1 * long, 5.0), (long, 0.7), (0.01 * long, 0.7)]

    @staticmethod
    def stub(gradient, longest):
        return gradient  # yours

    @staticmethod
    def solution(gradient, longest):
        norm = np.sqrt((gradient**2).sum())
        if norm <= longest:
            return gradient
        return gradient * (longest / norm)

    @mistake("You clip each entry: that changes the direction.")
    def each_entry(gradient, longest):
        return gradient.clip(-longest, longest)

    @mistake("You clip θ's part and V's part by themselves: that changes the common direction.")
    def each_table(gradient, longest):
        parts = gradient[:, :-1], gradient[:, -1:]
        return np.concatenate([Clip.solution(part, longest) for part in parts], axis=1)

    @mistake("You clip each state's row by itself: there is one norm for all of them.")
    def each_row(gradient, longest):
        return np.array([Clip.solution(row, longest) for row in gradient])

    @mistake("A short gradient has become longer: clipping only ever shortens.")
    def always(gradient, longest):
        return gradient * (longest / np.sqrt((gradient**2).sum()))

    @mistake("The norm lacks its root: the result is shorter than allowed.")
    def no_root(gradient, longest):
        return gradient * min(1.0, longest / (gradient**2).sum())


class OwnClock(Exercise):
    """A run of U pushes by N workers, in which each worker anneals by a clock of its own: it
    expects U/N pushes, begins with the learning rate `rate`, and lowers it by the same amount after
    each push that it makes, so that 0 is reached after U/N of them. Below 0 it never goes.

    `schedule` (U,) holds the worker of every push, `num_workers` is N. Return the rate that each
    push is made with, (U,). (Then look at a worker that comes rarely.)
    """

    page = "stability"
    title = "a clock of one's own"
    begin = "Not yet: the rate stays what it was."
    right = "Right: so a worker that comes rarely keeps a high rate to the end."

    @staticmethod
    def cases():
        often = [0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 0, 0]
        return [(np.array(often), 3, 0.6), (np.array([1, 0, 1, 0]), 2, 0.1)]

    @staticmethod
    def stub(schedule, num_workers, rate):
        return np.full(len(schedule), rate)  # yours

    @staticmethod
    def solution(schedule, num_workers, rate):
        made, rates = np.zeros(num_workers), []
        for worker in schedule:
            done = made[worker] * num_workers / len(schedule)
            rates.append(rate * max(0.0, 1 - done))
            made[worker] += 1
        return rates

    @mistake(
        "You anneal past 0: a worker that comes often ends with a negative rate, and unlearns."
    )
    def past_zero(schedule, num_workers, rate):
        made, rates = np.zeros(num_workers), []
        for worker in schedule:
            rates.append(rate * (1 - made[worker] * num_workers / len(schedule)))
            made[worker] += 1
        return rates

    @mistake("That is one clock for all: each worker counts its own pushes only.")
    def one_clock(schedule, num_workers, rate):
        return rate * (1 - np.arange(len(schedule)) / len(schedule))

    @mistake("You are one push ahead: the first is made with the whole rate.")
    def one_ahead(schedule, num_workers, rate):
        made, rates = np.zeros(num_workers), []
        for worker in schedule:
            made[worker] += 1
            done = made[worker] * num_workers / len(schedule)
            rates.append(rate * max(0.0, 1 - done))
        return rates

    @mistake("A worker expects U/N pushes, not all U of them.")
    def expects_all(schedule, num_workers, rate):
        made, rates = np.zeros(num_workers), []
        for worker in schedule:
            rates.append(rate * (1 - made[worker] / len(schedule)))
            made[worker] += 1
        return rates


class RmspropStep(SilentBug):
    """This is RMSprop's step, before the learning rate. The running mean square takes in the new
    gradient g and becomes m; the step is $g / \\sqrt{m + \\varepsilon}$, as in {cite:t}`mnih2016`.
    The constant ε, here `epsilon`, keeps a small gradient from becoming a large step. The program
    runs, and it learns; only, its policy is sure of itself sooner than it should be.

    `gradient` and `square` have the same shape; `decay` is the share of the old square that is
    kept. Find the fault and mend it; return the step, in the shape of `gradient`.
    """

    page = "stability"
    title = "steps that are too long"
    begin = "The fault is still in it: what is a very small gradient divided by?"
    right = "Right: with ε = 0.1 no gradient is divided by less than 0.316."
    found_in = (
        "the shared RMSprop of dgriff777/rl_a3c_pytorch, after PyTorch's own "
        "(pytorch/pytorch#23796), where it does not matter as long as ε is tiny"
    )
    caption = (
        "What the fault does to learning: the cliff-world with the default settings, eight seeds; "
        "mean entropy of the policy in the states visited so far, with 95 % intervals."
    )
    alt = (
        "Entropy against steps, 100 to 3,000. Both fall, the right program from above 1.3; the "
        "faulty one lies below it all the way, and ends below 1.0, the right one above."
    )

    @staticmethod
    def cases():
        gradient = np.array([3.0, -0.2, 0.01, 0.0])
        square = np.array([4.0, 0.09, 0.0, 0.5])
        return [(gradient, square, 0.9, 0.1), (gradient, square, 0.6, 0.02)]

    @staticmethod
    def stub(gradient, square, decay, epsilon):
        square = decay * square + (1 - decay) * gradient**2
        return gradient / (np.sqrt(square) + epsilon)

    @staticmethod
    def solution(gradient, square, decay, epsilon):
        square = decay * square + (1 - decay) * gradient**2
        return gradient / np.sqrt(square + epsilon)

    @mistake("Now the root is gone altogether.")
    def no_root(gradient, square, decay, epsilon):
        return gradient / (decay * square + (1 - decay) * gradient**2 + epsilon)

    @mistake("That is a root for each of the two: the sum of both stands under one root.")
    def two_roots(gradient, square, decay, epsilon):
        return RmspropStep.stub(gradient, square, decay, np.sqrt(epsilon))

    @mistake("Now the new gradient is not in the mean square any more.")
    def old_square(gradient, square, decay, epsilon):
        return gradient / np.sqrt(square + epsilon)

    @mistake("You exchanged the shares: `decay` is what is kept of the old square.")
    def exchanged(gradient, square, decay, epsilon):
        return RmspropStep.solution(gradient, square, 1 - decay, epsilon)

    @staticmethod
    def test(rmsprop_step):
        small = np.array([1e-6])
        step = rmsprop_step(small, np.zeros(1), 0.99, 0.1)
        assert np.allclose(step, small / np.sqrt(0.1), atol=0)

    @classmethod
    def symptom(cls):
        def entropies(rmsprop_step):
            def scaled(gradient, square, epsilon):  # the learner has brought `square` up to date
                return rmsprop_step(gradient, square, 1.0, epsilon)

            def entropy(steps, seed):
                parts = plain.Parts(scaled=scaled)
                learned = plain.learn(cliff_world(), A3CConfig(), steps, seed, parts)
                policy = softmax_policy(learned.theta)[learned.V != 0.0]
                return -(policy * np.log(policy)).sum(axis=1).mean()

            return np.array([[entropy(steps, seed) for steps in at] for seed in range(8)])

        at = np.array([100, 1_000, 2_000, 3_000])
        seen = cls.both(entropies)
        faulty, right = (np.asarray(rows).mean(axis=0) for rows in seen.values())
        assert (faulty < right).all()
        assert (np.diff([faulty, right]) < 0).all()
        assert right[0] > 1.3
        assert faulty[-1] < 1.0 < right[-1]
        return Curves(at, seen, "steps of all workers", "entropy of the policy")
