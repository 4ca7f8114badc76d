"""Exercises of Section 3.3, Continuous and discrete control."""

from __future__ import annotations

import numpy as np

from a3c_tut.book.exercises.exercise import Exercise, mistake


class GaussianScore(Exercise):
    """An actor draws the number `a` from a Gaussian with mean `mu` and standard deviation
    `exp(log_sigma)`; its advantage is `advantage`.

    Return the gradient of `advantage` × ln p(a) with respect to `mu` and to `log_sigma`, as a pair.
    """

    page = "control"
    title = "the score of a Gaussian"
    begin = "Not yet: write ln p(a) down first, with ln σ as the variable."
    right = "Right: A z/σ for the mean, A (z² − 1) for ln σ, with z = (a − μ)/σ."

    @staticmethod
    def cases():
        return [(1.2, 0.5, -0.2231435513142097, 1.0), (-0.4, 0.1, 0.3, -2.0), (0.7, 0.7, 0.0, 1.5)]

    @staticmethod
    def stub(a, mu, log_sigma, advantage):
        return advantage, 0.0  # yours

    @staticmethod
    def solution(a, mu, log_sigma, advantage):
        z = (a - mu) / np.exp(log_sigma)
        return advantage * z / np.exp(log_sigma), advantage * (z * z - 1)

    @mistake("You divide by σ once; ∂ ln p/∂μ = (a − μ)/σ².")
    def divided_once(a, mu, log_sigma, advantage):
        z = (a - mu) / np.exp(log_sigma)
        return advantage * z, advantage * (z * z - 1)

    @mistake("That is the gradient for σ; for ln σ it is σ times as large.")
    def for_sigma(a, mu, log_sigma, advantage):
        sigma = np.exp(log_sigma)
        z = (a - mu) / sigma
        return advantage * z / sigma, advantage * (z * z - 1) / sigma

    @mistake("The −ln σ in ln p is missing: without it, σ would grow for ever.")
    def without_the_norm(a, mu, log_sigma, advantage):
        z = (a - mu) / np.exp(log_sigma)
        return advantage * z / np.exp(log_sigma), advantage * z * z

    @mistake("The sign is turned: the mean moves away from what went well.")
    def other_sign(a, mu, log_sigma, advantage):
        z = (a - mu) / np.exp(log_sigma)
        return -advantage * z / np.exp(log_sigma), -advantage * (z * z - 1)

    @mistake("The advantage is missing: every action would be made more likely.")
    def without_advantage(a, mu, log_sigma, advantage):
        z = (a - mu) / np.exp(log_sigma)
        return z / np.exp(log_sigma), z * z - 1

    @mistake("You take ln σ for σ.")
    def log_for_sigma(a, mu, log_sigma, advantage):
        if log_sigma == 0:
            return np.inf, np.inf
        z = (a - mu) / log_sigma
        return advantage * z / log_sigma, advantage * (z * z - 1)


class BackThroughALayer(Exercise):
    """A layer says `y = tanh(x @ W + b)`. Of the loss you know only `dy`, its gradient with respect
    to `y`.

    Return its gradients with respect to `W`, `b` and `x` as one vector,
    `np.r_[dW.ravel(), db, dx]`.
    """

    page = "control"
    title = "back through one layer"
    begin = "Not yet: dy comes back through the tanh first, then through the sums."
    right = "Right: δ = dy (1 − y²), then x δ for the weights, δ for the biases, W δ below."

    @staticmethod
    def cases():
        rng = np.random.default_rng(4)
        return [
            (rng.normal(size=m), rng.normal(size=(m, n)), rng.normal(size=n), rng.normal(size=n))
            for m, n in ((3, 3), (2, 4), (4, 1))
        ]

    @staticmethod
    def stub(x, W, b, dy):
        y = np.tanh(x @ W + b)
        return np.r_[0 * W.ravel(), 0 * b, 0 * x] * y[0]  # yours

    @staticmethod
    def solution(x, W, b, dy):
        y = np.tanh(x @ W + b)
        delta = dy * (1 - y * y)
        return np.r_[np.outer(x, delta).ravel(), delta, W @ delta]

    @mistake("The slope of the tanh is missing: it is 1 − y².")
    def without_slope(x, W, b, dy):
        return np.r_[np.outer(x, dy).ravel(), dy, W @ dy]

    @mistake("The slope of tanh is 1 − y² in what it says, y, not in the sum that it is given.")
    def slope_of_the_sum(x, W, b, dy):
        s = x @ W + b
        delta = dy * (1 - s * s)
        return np.r_[np.outer(x, delta).ravel(), delta, W @ delta]

    @mistake("The sign is turned: that goes down where the gradient goes up.")
    def other_sign(x, W, b, dy):
        y = np.tanh(x @ W + b)
        delta = -dy * (1 - y * y)
        return np.r_[np.outer(x, delta).ravel(), delta, W @ delta]

    @mistake("What goes down to x leaves the slope out: it goes through the tanh as well.")
    def below_without_slope(x, W, b, dy):
        y = np.tanh(x @ W + b)
        delta = dy * (1 - y * y)
        return np.r_[np.outer(x, delta).ravel(), delta, W @ dy]

    @mistake("You take the layer's slope for that of a logistic function, y (1 − y).")
    def logistic(x, W, b, dy):
        y = np.tanh(x @ W + b)
        delta = dy * y * (1 - y)
        return np.r_[np.outer(x, delta).ravel(), delta, W @ delta]


class HandedOverOnce(Exercise):
    """A worker's library keeps the gradient of its local parameters in an array, `local`. After the
    first rollout the worker tells the shared parameters: *your gradient is that array*. Later it
    does so only if they have none yet. Before each rollout the library *throws its array away* and
    makes a new one (PyTorch 2 does so by default, where version 1 wrote zeros into the old one).

    `gradients` lists what each rollout comes to. Return the list of what the optimizer of the
    shared parameters applies at each push.
    """

    page = "control"
    title = "the gradient that was handed over once"
    begin = "Not yet: ask which array the shared parameters look at."
    right = "Right: they look at the first array for ever, and nothing says so."

    @staticmethod
    def cases():
        return [([1.0, 2.0, 3.0],), ([-0.5, 4.0],), ([2.0, -1.0, 0.5, 7.0],)]

    @staticmethod
    def stub(gradients):
        return [0.0] * len(gradients)  # yours

    @staticmethod
    def solution(gradients):
        return [gradients[0]] * len(gradients)

    @mistake("That is what should be applied; it holds if zeros are written into the old array.")
    def as_meant(gradients):
        return list(gradients)

    @mistake("Nothing is added up: each array begins at zero.")
    def added_up(gradients):
        return list(np.cumsum(gradients))

    @mistake("The old array is not emptied, it is left behind: its numbers stay.")
    def zeros_after(gradients):
        return [gradients[0]] + [0.0] * (len(gradients) - 1)

    @mistake("It is not late by one push; it never moves again.")
    def one_late(gradients):
        return [gradients[0], *gradients[:-1]]
