"""The seven steps of the capstone; their solutions are the functions of `a3c_from_scratch`."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from a3c_tut.book.exercises import a3c_from_scratch
from a3c_tut.book.exercises.a3c_from_scratch import (
    act,
    differentiate,
    judge,
    push,
    softmax,
)
from a3c_tut.book.exercises.exercise import Step, mistake

_SETTINGS = SimpleNamespace(actor_lr=0.5, critic_lr=0.25, max_grad_norm=0.7)


def _a_world(max_episode_steps=200):
    """Return a corridor of four states: right, action 1, leads to its end."""
    return SimpleNamespace(
        next_state=np.array([[0, 1], [0, 2], [1, 3], [3, 3]]), start=0,
        reward=np.array([[-1.0, -2.0], [-1.5, -1.0], [-1.0, 10.0], [0.0, 0.0]]),
        terminated=np.array([[False, False]] * 2 + [[False, True]] + [[True, True]]),
        max_episode_steps=max_episode_steps,
    )  # fmt: skip


def _a_worker(state=0, age=0, seed=0, logits=((0.2, 0.5), (0.1, 0.9), (-0.3, 1.0), (0.0, 0.0))):
    return SimpleNamespace(
        theta=np.array(logits), V=np.zeros(4), rng=np.random.default_rng(seed), state=state, age=age
    )


class Softmax(Step):
    """`logits` (A,) is a row of θ. Return two arrays (A,): the probabilities π(·|s), and their
    logarithms.

    Subtract the largest logit first: then `exp` cannot overflow, and is only asked for x ≤ 0. The
    logarithm is what was subtracted from, minus `log` of the sum; `log` is only asked for x ≥ 1.
    Add from left to right: `np.cumsum(weights)[-1]` does, Python's `sum` may not.
    """

    page = "capstone"
    title = "the policy"
    parts = ("the first array", "the second array")
    begin = "Not yet: two arrays, probabilities and their logarithms."
    right = "Right: to the last bit, on any machine."
    nearly = (
        "Right to six digits, but the last bits differ: take the page's exp and log, not NumPy's; "
        "log π is a difference, not the log of a quotient; and add from left to right."
    )

    @staticmethod
    def cases():
        rows = ([0.3, -0.8, 0.1, 0.7], [1000.0, -1000.0, 999.5], [0.123, 0.456, -3.21, -0.777])
        return [(np.array(row),) for row in rows]

    @staticmethod
    def outcome(function, logits):
        try:
            policy, log_policy = function(logits)
        except OverflowError:
            raise OverflowError("exp of a large number; subtract the largest logit first") from None
        return [policy, log_policy]

    @staticmethod
    def stub(logits):
        return np.zeros(len(logits)), np.zeros(len(logits))  # yours

    solution = staticmethod(a3c_from_scratch.softmax)

    @mistake("Large logits overflow: subtract the largest one before you take exp.")
    def overflows(logits):
        with np.errstate(all="ignore"):
            weights = np.exp(logits)
            return weights / weights.sum(), np.log(weights / weights.sum())

    @mistake("Large logits overflow in the sum: subtract the largest one before you take exp.")
    def overflows_once(logits):
        with np.errstate(all="ignore"):
            weights = np.exp(logits)
            return weights / weights.sum(), logits - np.log(weights.sum())

    @mistake("The second array is not normalised: log of the sum is missing.")
    def not_normalised(logits):
        return softmax(logits)[0], logits - logits.max()

    @mistake("The logarithms still lack what you subtracted from the logits.")
    def subtracted_once(logits):
        policy, log_policy = softmax(logits)
        return policy, log_policy + logits.max()


class Act(Step):
    """Let the worker `me` take at most `n` steps with its own policy, `me.theta`, and stop early
    where the episode ends. Return four things: the states (one more than steps), the actions, the
    rewards, and whether the last step *terminated* the episode.

    In state s an action a leads to `world.next_state[s, a]`, pays `world.reward[s, a]`, and
    terminates the episode if `world.terminated[s, a]`. To draw an action, ask for *one* random
    number, `me.rng.random()`: the action is the first whose cumulated probability is above it.

    `me.age` counts the steps of the episode. When it reaches `world.max_episode_steps` the rollout
    ends, too; that is *truncated*, not terminated. At the end `me.state` is where the worker
    stands; after an episode that is `world.start`, and `me.age` is 0.
    """

    page = "capstone"
    title = "a rollout"
    parts = ("the list of states", "the list of actions", "the list of rewards", "`terminated`",
             "`me.state`", "`me.age`", "the next random number")  # fmt: skip
    begin = "Not yet: nobody has taken a step."
    right = "Right: it acts, it stops where it should, and begins anew."
    nearly = "Right to six digits, but the last bits differ."

    @staticmethod
    def cases():
        return [
            (_a_world(), _a_worker(seed=1), 3),
            (_a_world(), _a_worker(state=2, age=4, seed=2), 4),
            (_a_world(5), _a_worker(state=1, age=3, seed=2), 3),
            (_a_world(), _a_worker(seed=5), 2),
            (_a_world(6), _a_worker(state=2, age=5, seed=2), 3),
        ]

    @staticmethod
    def outcome(function, world, me, n):
        states, actions, rewards, terminated = function(world, me, n)
        end = [float(terminated), float(me.state), float(me.age), me.rng.random()]
        return [list(map(float, part)) for part in (states, actions, rewards)] + end

    @staticmethod
    def stub(world, me, n):
        return [me.state], [], [], False  # yours

    solution = staticmethod(a3c_from_scratch.act)

    @staticmethod
    def _walk(world, me, n, *, choose=None, goes_on=None, pay=None, numbers=1, mark=None):
        """Act like `act`, but for one part."""
        states, actions, rewards, terminated, over = [me.state], [], [], False, False
        while len(actions) < n and not over:
            s = states[-1]
            policy, u = (
                softmax(me.theta[s])[0],
                [0.0, *(me.rng.random() for _ in range(numbers))][-1],
            )
            a = choose(policy) if choose else int((np.cumsum(policy)[:-1] <= u).sum())
            actions.append(a)
            terminated, me.age = bool(world.terminated[s, a]), me.age + 1
            rewards.append(pay(world.reward[s, a], terminated) if pay else world.reward[s, a])
            states.append(int(world.next_state[s, a]))
            cut = me.age == world.max_episode_steps
            over = goes_on(terminated, cut) if goes_on else terminated or cut
        ended = terminated or cut
        if mark:
            return (states, actions, rewards, mark(world, me, states, terminated, ended))
        me.state, me.age = (world.start, 0) if ended else (states[-1], me.age)
        return states, actions, rewards, terminated

    @mistake("The worker always takes the likeliest action: it has to draw one.")
    def greedy(world, me, n):
        return Act._walk(world, me, n, choose=lambda policy: int(policy.argmax()))

    @mistake("You draw more than one random number a step.")
    def two_numbers(world, me, n):
        return Act._walk(world, me, n, numbers=2)

    @mistake("The rollout goes on behind the end of its episode.")
    def past_the_end(world, me, n):
        return Act._walk(world, me, n, goes_on=lambda terminated, cut: False)

    @mistake("The time limit never comes: `me.age` has to be compared with it.")
    def no_time_limit(world, me, n):
        def leave(world, me, states, terminated, ended):
            me.state, me.age = (world.start, 0) if terminated else (states[-1], me.age)
            return terminated

        return Act._walk(world, me, n, goes_on=lambda terminated, cut: terminated, mark=leave)

    @mistake("A time limit is no end of the world: truncated is not terminated.")
    def cut_is_terminated(world, me, n):
        def leave(world, me, states, terminated, ended):
            me.state, me.age = (world.start, 0) if ended else (states[-1], me.age)
            return ended

        return Act._walk(world, me, n, mark=leave)

    @mistake("After an episode the worker has to stand at the start.")
    def stays_at_the_end(world, me, n):
        def leave(world, me, states, terminated, ended):
            me.state, me.age = states[-1], 0 if ended else me.age
            return terminated

        return Act._walk(world, me, n, mark=leave)

    @mistake("The age is not set back when an episode is over.")
    def never_young_again(world, me, n):
        def leave(world, me, states, terminated, ended):
            me.state = world.start if ended else states[-1]
            return terminated

        return Act._walk(world, me, n, mark=leave)

    @mistake("The worker forgets where it stands: the next rollout begins where this one did.")
    def stands_still(world, me, n):
        first, age = me.state, me.age
        found = act(world, me, n)
        me.state, me.age = first, age + len(found[1])
        return found

    @mistake("The last reward of an episode is lost.")
    def last_one_lost(world, me, n):
        return Act._walk(world, me, n, pay=lambda reward, terminated: 0.0 if terminated else reward)


class Judge(Step):
    """Return the advantages (T,) of a rollout, Equation {eq}`eq-advantage`: each step looks ahead
    to the rollout's end.

    `states` has T + 1 entries, `rewards` T; `V` (S,) is the worker's own copy. Nothing follows a
    terminal state. One loop from the last step back to the first will do.
    """

    page = "capstone"
    title = "the advantages"
    parts = ("the advantages",)
    begin = "Not yet: all advantages are 0."
    right = "Right: an end is worth 0, and a rollout that only pauses is worth V of its last state."
    nearly = (
        "Right to six digits, but the last bits differ: go backwards with "
        "ahead = rewards[t] + gamma * ahead, and subtract V last."
    )

    @staticmethod
    def cases():
        V = np.array([0.31, -1.27, 2.42, 5.0])
        return [
            ([2, 0, 1, 3], [-1.0, 2.0, -0.5], True, V, 0.9),
            ([0, 1, 1, 2], [-1.1, 2.3, 0.7], False, V, 0.97),
            ([1, 2], [3.0], False, V, 0.8),
        ]

    @staticmethod
    def outcome(function, states, rewards, terminated, V, gamma):
        return [function(states, rewards, terminated, V, gamma)]

    @staticmethod
    def stub(states, rewards, terminated, V, gamma):
        return np.zeros(len(rewards))  # yours

    solution = staticmethod(a3c_from_scratch.judge)

    @mistake("You bootstrap from a terminal state: nothing follows it.")
    def behind_the_end(states, rewards, terminated, V, gamma):
        return judge(states, rewards, False, V, gamma)

    @mistake("You never bootstrap: most rollouts end where the episode goes on.")
    def no_bootstrap(states, rewards, terminated, V, gamma):
        return judge(states, rewards, True, V, gamma)

    @mistake("These are returns: V of the state itself has to be subtracted.")
    def returns(states, rewards, terminated, V, gamma):
        return judge(states, rewards, terminated, V, gamma) + V[states[:-1]]

    @mistake("Nothing is discounted.")
    def undiscounted(states, rewards, terminated, V, gamma):
        return judge(states, rewards, terminated, V, 1.0)

    @mistake("You discount a step's own reward; only what comes after it is later.")
    def own_reward_discounted(states, rewards, terminated, V, gamma):
        ahead, advantages = 0.0 if terminated else V[states[-1]], np.zeros(len(rewards))
        for t in reversed(range(len(rewards))):
            ahead = gamma * (rewards[t] + ahead)
            advantages[t] = ahead - V[states[t]]
        return advantages

    @mistake("You look one step ahead only: those are one-step errors, Equation (1) with n = 1.")
    def one_step(states, rewards, terminated, V, gamma):
        after = V[states[1:]] * np.append(np.ones(len(rewards) - 1), not terminated)
        return np.array(rewards) + gamma * after - V[states[:-1]]

    @mistake("The sign is turned: what happened minus what was expected, not the reverse.")
    def reversed_sign(states, rewards, terminated, V, gamma):
        return -judge(states, rewards, terminated, V, gamma)


class Differentiate(Step):
    """Return the gradient of a rollout as a dictionary: for each state that was visited, in the
    order of the *first* visits, a row (1 + A,). Its first entry belongs to V, the others to θ.

    Each step adds to the row of its state: the advantage to the entry of V, minus the gradient of
    Equation {eq}`eq-value-gradient`; and to the others Equation {eq}`eq-policy-gradient`, which
    for the logit of action b is A · (1 or 0) − π A − β π (log π + H): the 1 belongs to the action
    that was taken, π and log π are those of b, and H is the entropy −Σ π log π.
    `theta` is the worker's copy. `actions`, `advantages` have T entries, `states` one more.

    To have the package's bits, too: subtract π A + β (π (log π + H)) from the entries of θ, all at
    once, and then add A to that of the action taken. H is added from left to right.
    """

    page = "capstone"
    title = "the gradient"
    parts = ("the list of states in the dictionary", "the rows")
    begin = "Not yet: the dictionary is empty."
    right = "Right: both equations, with their signs, and a state that was visited twice has both."
    nearly = (
        "Right to six digits, but the last bits differ: take log π from softmax, and subtract "
        "π A + β (π (log π + H)) before you add A."
    )

    @staticmethod
    def cases():
        theta = np.array([[0.3, -0.2, 0.9], [1.1, 0.4, -0.6], [0.0, 0.5, 0.25], [0.7, 0.1, 0.2]])
        return [
            ([2, 0, 2, 3], [1, 0, 2], np.array([0.7, -1.3, 2.1]), theta, 0.3),
            ([3, 1, 0], [2, 1], np.array([-0.4, 1.9]), theta, 0.11),
        ]

    @staticmethod
    def outcome(function, states, actions, advantages, theta, beta):
        rows = function(states, actions, advantages, theta, beta)
        return [[float(s) for s in rows], [list(map(float, row)) for row in rows.values()]]

    @staticmethod
    def stub(states, actions, advantages, theta, beta):
        return {}  # yours

    solution = staticmethod(a3c_from_scratch.differentiate)

    @mistake("The entropy has the wrong sign: you reward being sure.")
    def minus_entropy(states, actions, advantages, theta, beta):
        return differentiate(states, actions, advantages, theta, -beta)

    @mistake("The entropy term is missing.")
    def no_entropy(states, actions, advantages, theta, beta):
        return differentiate(states, actions, advantages, theta, 0.0)

    @mistake("The entropy term lacks H: its derivative is −β π (log π + H).")
    def without_h(states, actions, advantages, theta, beta):
        rows = differentiate(states, actions, advantages, theta, 0.0)
        for s in states[: len(actions)]:
            policy, log_policy = softmax(theta[s])
            rows[s][1:] -= beta * policy * log_policy
        return rows

    @mistake("The entropy term is that of the sum of log π + 1, without the softmax behind it.")
    def without_the_softmax(states, actions, advantages, theta, beta):
        rows = differentiate(states, actions, advantages, theta, 0.0)
        for s in states[: len(actions)]:
            rows[s][1:] -= beta * (softmax(theta[s])[1] + 1.0)
        return rows

    @mistake("In a state that was visited twice only the last visit counts: add them up.")
    def last_visit(states, actions, advantages, theta, beta):
        rows = {}
        for t, (s, a) in enumerate(zip(states, actions, strict=False)):
            rows |= differentiate([s], [a], advantages[t : t + 1], theta, beta)
        return rows

    @mistake("The entry of V has the wrong sign: it is minus the gradient, since it is added.")
    def critic_reversed(states, actions, advantages, theta, beta):
        rows = differentiate(states, actions, advantages, theta, beta)
        return {s: np.append(-row[0], row[1:]) for s, row in rows.items()}

    @mistake("The entry of V is missing: the critic would never learn.")
    def no_critic(states, actions, advantages, theta, beta):
        rows = differentiate(states, actions, advantages, theta, beta)
        return {s: np.append(0.0, row[1:]) for s, row in rows.items()}

    @mistake("The entries of θ have the wrong sign: this is a direction of ascent.")
    def descends(states, actions, advantages, theta, beta):
        rows = differentiate(states, actions, advantages, theta, beta)
        return {s: np.append(row[0], -row[1:]) for s, row in rows.items()}

    @mistake("Only the logit of the action taken is moved; the softmax moves the others, too.")
    def taken_only(states, actions, advantages, theta, beta):
        rows = differentiate(states, actions, np.zeros(len(advantages)), theta, beta)
        for s, a, advantage in zip(states, actions, advantages, strict=False):
            rows[s][0] += advantage
            rows[s][1 + a] += advantage * (1.0 - softmax(theta[s])[0][a])
        return rows

    @mistake("The advantages are averaged over the rollout; A3C adds them up.")
    def averaged(states, actions, advantages, theta, beta):
        rows = differentiate(states, actions, advantages, theta, beta)
        return {s: row / len(actions) for s, row in rows.items()}

    @mistake("The rows are right, their order is not: first visits first. The norm is added so.")
    def sorted_rows(states, actions, advantages, theta, beta):
        return dict(sorted(differentiate(states, actions, advantages, theta, beta).items()))

    @mistake("The rows are right, their order is not: you went backwards, first visits come first.")
    def last_visits_first(states, actions, advantages, theta, beta):
        rows = differentiate(states, actions, advantages, theta, beta)
        return {s: rows[s] for s in dict.fromkeys(reversed(states[: len(actions)]))}


class Push(Step):
    """Shorten the gradient to the length `config.max_grad_norm` if it is longer, by *one* norm over
    all its entries, and add it to the shared tables `theta` and `V`, in place: the entry of V times
    `config.critic_lr`, the others times `config.actor_lr`. Nothing is returned.

    `rows` is what `differentiate` returns. For the package's bits: the squares are added from left
    to right, row after row; an entry is shortened first, and multiplied by the step size then.
    """

    page = "capstone"
    title = "the push"
    parts = ("θ behind the push", "V behind the push")
    begin = "Not yet: the shared tables are as they were."
    right = "Right: one norm, and the tables that everybody shares have moved."
    nearly = (
        "Right to six digits, but the last bits differ: add the squares from left to right, "
        "shorten first, then multiply by the step size."
    )

    @staticmethod
    def cases():
        theta = np.array([[0.3, -0.2], [1.1, 0.4], [0.0, 0.5]])
        long = {2: np.array([1.3, -0.4, 0.7]), 0: np.array([-2.2, 0.6, -0.9])}
        short = {1: np.array([0.1, -0.2, 0.3])}
        return [(theta, np.array([0.5, -0.1, 0.2]), rows, _SETTINGS) for rows in (long, short)]

    @staticmethod
    def outcome(function, theta, V, rows, config):
        function(theta, V, rows, config)
        return [theta, V]

    @staticmethod
    def stub(theta, V, rows, config):
        pass  # yours

    solution = staticmethod(a3c_from_scratch.push)

    @staticmethod
    def _add(theta, V, rows, config, shorten=lambda row: row):
        for s, row in rows.items():
            V[s] += config.critic_lr * shorten(row)[0]
            theta[s] += config.actor_lr * shorten(row)[1:]

    @mistake("Nothing is ever shortened.")
    def unclipped(theta, V, rows, config):
        Push._add(theta, V, rows, config)

    @mistake("Every entry is cut by itself: that changes the direction. Cut by one norm.")
    def entry_by_entry(theta, V, rows, config):
        most = config.max_grad_norm
        Push._add(theta, V, rows, config, lambda row: np.clip(row, -most, most))

    @mistake("Every row has a norm of its own: it has to be one norm over all of them.")
    def row_by_row(theta, V, rows, config):
        for s, row in rows.items():
            push(theta, V, {s: row}, config)

    @mistake("θ and V have a norm each: it has to be one norm over both.")
    def table_by_table(theta, V, rows, config):
        push(theta, V, {s: np.append(row[0], 0.0 * row[1:]) for s, row in rows.items()}, config)
        push(theta, V, {s: np.append(0.0, row[1:]) for s, row in rows.items()}, config)

    @mistake("Short gradients are made longer: only those above the limit are changed.")
    def always_scaled(theta, V, rows, config):
        norm = np.linalg.norm(np.concatenate(list(rows.values())))
        Push._add(theta, V, rows, config, lambda row: row * config.max_grad_norm / norm)

    @mistake("The two step sizes are exchanged.")
    def exchanged(theta, V, rows, config):
        other = SimpleNamespace(actor_lr=config.critic_lr, critic_lr=config.actor_lr,
                                max_grad_norm=config.max_grad_norm)  # fmt: skip
        push(theta, V, rows, other)

    @mistake("V moves with the step size of θ; it has its own, critic_lr.")
    def one_step_size(theta, V, rows, config):
        other = SimpleNamespace(actor_lr=config.actor_lr, critic_lr=config.actor_lr,
                                max_grad_norm=config.max_grad_norm)  # fmt: skip
        push(theta, V, rows, other)

    @mistake("You go down: these rows are added.")
    def subtracted(theta, V, rows, config):
        push(theta, V, {s: -row for s, row in rows.items()}, config)

    @mistake("There is no step size.")
    def no_step_size(theta, V, rows, config):
        push(theta, V, rows, SimpleNamespace(actor_lr=1.0, critic_lr=1.0,
                                             max_grad_norm=config.max_grad_norm))  # fmt: skip


class MakeWorkers(Step):
    """Return a list of `num_workers` workers. Each is a `SimpleNamespace` with five things of its
    own: `theta` and `V`, copies of the shared tables; `rng`, its random numbers; `state`, where it
    stands, at first `world.start`; and `age`, at first 0.

    The random numbers: `np.random.SeedSequence(seed).spawn(num_workers)` gives as many seeds that
    have nothing to do with each other, and `np.random.default_rng` makes a generator of each.
    """

    page = "capstone"
    title = "the workers"
    parts = ("the first random numbers of the workers", "the workers' θ after their own changes",
             "the workers' V after their own changes", "where the workers stand")  # fmt: skip
    begin = "Not yet: there are no workers."
    right = "Right: each has copies, random numbers and a place of its own."
    nearly = "Right to six digits, but the last bits differ."

    @staticmethod
    def cases():
        tables = np.array([[0.1, 0.2], [0.3, 0.4], [0.0, 0.0], [1.0, 2.0]]), np.arange(4.0)
        return [(_a_world(), *tables, 3, 7), (_a_world(), *tables, 2, 0)]

    @staticmethod
    def outcome(function, world, theta, V, num_workers, seed):
        workers = function(world, theta, V, num_workers, seed)
        theta += 10.0  # the shared tables move on
        V += 10.0
        for w, me in enumerate(workers):
            me.theta += 100.0 * w  # and so does each worker's copy
            me.V += 100.0 * w
        return [
            [[me.rng.random() for _ in range(3)] for me in workers],
            [me.theta.tolist() for me in workers],
            [me.V.tolist() for me in workers],
            [[float(me.state), float(me.age)] for me in workers],
        ]

    @staticmethod
    def stub(world, theta, V, num_workers, seed):
        return []  # yours

    solution = staticmethod(a3c_from_scratch.make_workers)

    @staticmethod
    def _with(world, num_workers, tables, generators):
        return [
            SimpleNamespace(theta=theta, V=V, rng=rng, state=world.start, age=0)
            for (theta, V), rng in zip(tables, generators, strict=True)
        ]

    @staticmethod
    def _seeded(theta, V, world, num_workers, seed, seeds):
        tables = [(theta.copy(), V.copy()) for _ in range(num_workers)]
        return MakeWorkers._with(world, num_workers, tables, map(np.random.default_rng, seeds))

    @mistake("All workers have the same random numbers: they are one worker, several times.")
    def one_seed(world, theta, V, num_workers, seed):
        return MakeWorkers._seeded(theta, V, world, num_workers, seed, [seed] * num_workers)

    @mistake("Seeds in a row: the next seed's run has nearly the same workers. Spawn them.")
    def in_a_row(world, theta, V, num_workers, seed):
        seeds = range(seed, seed + num_workers)
        return MakeWorkers._seeded(theta, V, world, num_workers, seed, seeds)

    @mistake("All workers draw from one generator: what one sees depends on who came before.")
    def one_generator(world, theta, V, num_workers, seed):
        tables = [(theta.copy(), V.copy()) for _ in range(num_workers)]
        one = np.random.default_rng(seed)
        return MakeWorkers._with(world, num_workers, tables, [one] * num_workers)

    @mistake("The workers hold the shared tables themselves: an `=` is no copy.")
    def no_copies(world, theta, V, num_workers, seed):
        seeds = np.random.SeedSequence(seed).spawn(num_workers)
        tables = [(theta, V)] * num_workers
        return MakeWorkers._with(world, num_workers, tables, map(np.random.default_rng, seeds))

    @mistake("All workers hold the same copy: each needs its own.")
    def one_copy(world, theta, V, num_workers, seed):
        seeds = np.random.SeedSequence(seed).spawn(num_workers)
        tables = [(theta.copy(), V.copy())] * num_workers
        return MakeWorkers._with(world, num_workers, tables, map(np.random.default_rng, seeds))

    @mistake("θ is copied, V is not.")
    def v_not_copied(world, theta, V, num_workers, seed):
        seeds = np.random.SeedSequence(seed).spawn(num_workers)
        tables = [(theta.copy(), V) for _ in range(num_workers)]
        return MakeWorkers._with(world, num_workers, tables, map(np.random.default_rng, seeds))


class Run(Step):
    """Begin with shared tables of zeros, θ like `world.next_state` and V as long, and make the
    workers. Then, for each worker id in `schedule`: the worker acts for `config.rollout_length`
    steps, judges with its own V, differentiates with its own θ and `config.entropy_coef`, pushes,
    and syncs: it takes new copies of the shared tables. Return the shared θ and V.

    The steps before are there under their names: `make_workers(world, theta, V, num_workers,
    seed)`, `act(world, me, n)`, `judge(states, rewards, terminated, V, gamma)`,
    `differentiate(states, actions, advantages, theta, beta)`, `push(theta, V, rows, config)`.
    """

    page = "capstone"
    title = "the run"
    parts = ("θ at the end", "V at the end")
    begin = "Not yet: nobody has pushed."
    right = "Right: this is A3C, to the last bit."
    nearly = "Right to six digits, but the last bits differ."

    @staticmethod
    def cases():
        world, config = a3c_from_scratch.world, a3c_from_scratch.config
        return [(world, config, [0, 2, 1, 2, 1, 1, 0, 0, 2, 1], seed) for seed in (0, 5)]

    @staticmethod
    def outcome(function, world, config, schedule, seed):
        theta, V = function(world, config, schedule, seed)
        return [theta, V]

    @staticmethod
    def stub(world, config, schedule, seed):
        theta, V = np.zeros(world.next_state.shape), np.zeros(len(world.reward))
        return theta, V  # yours

    solution = staticmethod(a3c_from_scratch.run)

    @staticmethod
    def _turns(world, config, schedule, seed, after=None, critic=None):
        """Run like `run`, but for what judges and what follows a push."""
        theta, V = Run.stub(world, config, schedule, seed)
        workers = a3c_from_scratch.make_workers(world, theta, V, config.num_workers, seed)
        for me in (workers[w] for w in schedule):
            states, actions, rewards, terminated = act(world, me, config.rollout_length)
            values = critic(me, V) if critic else me.V
            advantages = judge(states, rewards, terminated, values, config.gamma)
            rows = differentiate(states, actions, advantages, me.theta, config.entropy_coef)
            push(theta, V, rows, config)
            if after:
                after(me, theta, V, workers)
            else:
                Run._sync(me, theta, V)
        return theta, V

    @staticmethod
    def _sync(me, theta, V):
        me.theta, me.V = theta.copy(), V.copy()

    @mistake("No worker ever syncs: all act as they did at the beginning.")
    def no_sync(world, config, schedule, seed):
        return Run._turns(world, config, schedule, seed, after=lambda *_: None)

    @mistake("No gradient is ever stale: a worker syncs after its own push, and at no other time.")
    def all_sync(world, config, schedule, seed):
        def everybody(me, theta, V, workers):
            for each in workers:
                Run._sync(each, theta, V)

        return Run._turns(world, config, schedule, seed, after=everybody)

    @mistake("The worker takes over the shared tables themselves: an `=` is no copy.")
    def alias(world, config, schedule, seed):
        def no_copy(me, theta, V, workers):
            me.theta, me.V = theta, V

        return Run._turns(world, config, schedule, seed, after=no_copy)

    @mistake("θ is refreshed after a push, V is not.")
    def half_a_sync(world, config, schedule, seed):
        def only_theta(me, theta, V, workers):
            me.theta = theta.copy()

        return Run._turns(world, config, schedule, seed, after=only_theta)

    @mistake("You judge with the shared V: that is Listing 1; here the worker's own is asked for.")
    def shared_critic(world, config, schedule, seed):
        return Run._turns(world, config, schedule, seed, critic=lambda me, V: V)

    @mistake("The workers take turns, whatever the schedule says.")
    def round_robin(world, config, schedule, seed):
        turns = [turn % config.num_workers for turn in range(len(schedule))]
        return Run.solution(world, config, turns, seed)

    @mistake("All pushes come from one worker.")
    def one_worker(world, config, schedule, seed):
        return Run.solution(world, config, [0] * len(schedule), seed)

    @mistake("The gradient goes into the worker's copy; the shared tables stay as they were.")
    def pushes_to_itself(world, config, schedule, seed):
        theta, V = Run.stub(world, config, schedule, seed)
        workers = a3c_from_scratch.make_workers(world, theta, V, config.num_workers, seed)
        for me in (workers[w] for w in schedule):
            states, actions, rewards, terminated = act(world, me, config.rollout_length)
            advantages = judge(states, rewards, terminated, me.V, config.gamma)
            rows = differentiate(states, actions, advantages, me.theta, config.entropy_coef)
            push(me.theta, me.V, rows, config)
        return me.theta, me.V
