"""Networks: every equation of Section 3.3 against finite differences, closed forms and tables."""

import dataclasses
import math

import mpmath
import numpy as np
import pytest

from a3c_tut import (
    A3CConfig,
    TableWorld,
    TrainingResult,
    cliff_world,
    replay,
    sparse_grid_world,
    train,
)
from a3c_tut.control import OUTSIDE, as_image, cart_pole, from_gymnasium, one_hot, pendulum
from a3c_tut.engine import motion, network
from a3c_tut.engine.atomics import COMPILED
from a3c_tut.engine.portable import cos, sin, tanh
from a3c_tut.engine.streams import worker_seeds
from a3c_tut.experiments import evaluate, finite_differences
from a3c_tut.networks import MLP, Convolutional, initial_parameters, layout, network_config

MODELS = {
    "linear": MLP(hidden=()),
    "one layer": MLP(hidden=(5,)),
    "shared": MLP(hidden=(7, 4)),
    "separate": MLP(hidden=(6, 5), shared=False),
    "three layers": MLP(hidden=(4, 6, 3)),
    "convolution": Convolutional(hidden=(5,), filters=3),
    "two convolutions": Convolutional(hidden=(4,), filters=2, shared=False),
}
#: A picture of 2 × 3 pixels, for the networks that convolve.
PICTURE = as_image(sparse_grid_world(2, 3))


def drawn_rollout(model, world, seed=0, length=4):
    """A rollout at random: observations, actions, advantages; and parameters away from 0."""
    rng = np.random.default_rng(seed)
    where = layout(model, world)
    parameters = rng.normal(0.0, 0.5, where.num_parameters)
    if not model.hidden:  # a linear network has no biases
        parameters[where.policy_at + where.sizes[0] * where.num_outputs : where.value_at] = 0.0
        parameters[where.value_at + where.sizes[0]] = 0.0
    rollout = network.make_network_rollout(length, where)
    rollout.observations[:] = rng.normal(size=rollout.observations.shape)
    uniforms, cursor = rng.random(4 * length), 0
    for t in range(length):
        network.forward(parameters, where, rollout, t)
        cursor = network.act(parameters, where, world.continuous, 1.0, rollout, t, uniforms, cursor)
    network.forward(parameters, where, rollout, length)
    rollout.advantages[:] = rng.normal(size=length)
    return where, parameters, rollout


def convolved(where, parameters, at, observation):
    """What a convolution's neurons say: each pixel's surroundings, cut out of a padded image."""
    rows, columns, channels = where.image
    n = where.filters
    W = parameters[at : at + 9 * channels * n].reshape(3, 3, channels, n)
    b = parameters[at + 9 * channels * n : at + (9 * channels + 1) * n]
    image = np.pad(observation.reshape(rows, columns, channels), ((1, 1), (1, 1), (0, 0)))
    said = [
        np.tanh(np.tensordot(image[r : r + 3, c : c + 3], W, axes=3) + b)
        for r in range(rows) for c in range(columns)
    ]  # fmt: skip
    return np.concatenate(said)


def outputs_of(where, parameters, observation):
    """Actor's outputs and value by plain NumPy."""
    result = []
    for tower in range(len(where.hidden_at)):
        x = observation
        if where.filters:
            x = convolved(where, parameters, int(where.hidden_at[tower][0]), observation)
        first = 1 if where.filters else 0
        for at, m, n in zip(
            where.hidden_at[tower][first:],
            where.sizes[first:],
            where.sizes[first + 1 :],
            strict=False,
        ):
            W = parameters[at : at + m * n].reshape(m, n)
            x = np.tanh(x @ W + parameters[at + m * n : at + (m + 1) * n])
        result.append(x)
    m, n = where.sizes[-1], where.num_outputs
    at = where.policy_at
    logits = result[0] @ parameters[at : at + m * n].reshape(m, n)
    logits = logits + parameters[at + m * n : at + (m + 1) * n]
    at = where.value_at
    return logits, result[-1] @ parameters[at : at + m] + parameters[at + m]


def objective(where, world, parameters, rollout, actions, targets, beta, weight):
    """What the gradient ascends: Equation (2) minus the weighted loss of Equation (3)."""
    total = 0.0
    for t in range(len(targets)):
        outputs, value = outputs_of(where, parameters, rollout.observations[t])
        if world.continuous:
            log_sigma = parameters[where.log_sigma_at :]
            z = (actions[t] - outputs) / np.exp(log_sigma)
            log_p = np.sum(-0.5 * z**2 - log_sigma - 0.5 * math.log(2 * math.pi))
            entropy = np.sum(log_sigma + 0.5 * math.log(2 * math.pi * math.e))
        else:
            log_pi = outputs - np.log(np.exp(outputs - outputs.max()).sum()) - outputs.max()
            log_p, entropy = log_pi[rollout.actions[t]], -np.sum(np.exp(log_pi) * log_pi)
        loss = 0.5 * (targets[t] - value) ** 2
        total += rollout.advantages[t] * log_p + beta * entropy - weight * loss
    return total


@pytest.mark.parametrize("make_world", [cart_pole, pendulum])
@pytest.mark.parametrize("name", MODELS)
def test_backpropagation_is_the_gradient_of_equations_2_and_3(name, make_world):
    world, beta, weight = make_world(), 0.3, 0.7
    if isinstance(MODELS[name], Convolutional):
        if world.continuous:
            pytest.skip("a picture here has actions to choose from")
        world = PICTURE
    where, parameters, rollout = drawn_rollout(MODELS[name], world)
    length = len(rollout.advantages)
    gradient = np.ones(where.num_parameters)
    network.accumulate_network_gradient(
        parameters, where, world.continuous, rollout, length, beta, weight,
        network.make_backward(where), gradient,
    )  # fmt: skip
    deviation = np.exp(parameters[where.log_sigma_at :]) if world.continuous else 0.0
    actions = rollout.outputs + deviation * rollout.noise  # constants, as targets are
    targets = rollout.values[:length] + rollout.advantages
    numerical = finite_differences(
        lambda moved: objective(where, world, moved, rollout, actions, targets, beta, weight),
        parameters,
    )
    if not MODELS[name].hidden:
        numerical[where.policy_at + where.sizes[0] * where.num_outputs : where.value_at] = 0.0
        numerical[where.value_at + where.sizes[0]] = 0.0
    assert np.abs(gradient).max() > 0.1
    np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", MODELS)
def test_forward_is_plain_matrix_products(name):
    world = PICTURE if isinstance(MODELS[name], Convolutional) else cart_pole()
    where, parameters, rollout = drawn_rollout(MODELS[name], world)
    for t in range(len(rollout.advantages)):
        outputs, value = outputs_of(where, parameters, rollout.observations[t])
        np.testing.assert_allclose(rollout.outputs[t], outputs, atol=1e-13)
        np.testing.assert_allclose(rollout.values[t], value, atol=1e-13)


def test_a_gaussian_has_its_closed_forms():
    assert network.gaussian_log_probability(0.7 / 0.8, math.log(0.8)) == pytest.approx(
        -1.078607, abs=5e-7
    )
    assert network.gaussian_entropy(math.log(0.8)) == pytest.approx(1.195795, abs=5e-7)


def test_gaussian_numbers_are_normal():
    uniforms = np.random.default_rng(3).random((200_000, 2))
    z = np.array([network.gaussian(u, v) for u, v in uniforms])
    edges = [-2.0, -1.0, 0.0, 1.0, 2.0]
    share = [(z < edge).mean() for edge in edges]
    true = [0.5 * (1 + math.erf(edge / math.sqrt(2))) for edge in edges]
    # Four standard errors of a share of 200,000.
    np.testing.assert_allclose(share, true, atol=4 * 0.5 / math.sqrt(200_000))


@pytest.mark.parametrize(
    "ours, truth, largest",
    [(tanh, mpmath.tanh, 40.0), (sin, mpmath.sin, 1e6), (cos, mpmath.cos, 1e6)],
    ids=["tanh", "sin", "cos"],
)
def test_our_functions_are_as_true_as_they_say(ours, truth, largest):
    random = np.random.default_rng(0)
    x = np.concatenate([
        random.uniform(-1.0, 1.0, 3_000), random.uniform(-30.0, 30.0, 3_000),
        random.uniform(-largest, largest, 2_000), np.arange(-8, 9) * math.pi / 4.0,
        [0.0, 1e-300, -1e-9],
    ])  # fmt: skip
    with mpmath.workprec(120):
        worst = max(abs(float(mpmath.mpf(float(ours(v))) - truth(mpmath.mpf(float(v))))) for v in x)
    assert worst <= 2.3e-16
    assert math.isnan(ours(math.nan)) or ours is not tanh


@pytest.mark.parametrize("schedule", [None, "random"])
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
@pytest.mark.parametrize(
    "make_world", [cliff_world, lambda: TableWorld.from_gymnasium("FrozenLake-v1")]
)
def test_a_linear_network_that_sees_one_hot_states_is_a_table(make_world, optimizer, schedule):
    world = make_world()
    config = A3CConfig(optimizer=optimizer, critic_lr=0.05, actor_lr=0.05)
    asked = {"total_steps": 4_000, "seed": 2, "schedule": schedule}
    table = train(world, config, **asked)
    seen = one_hot(world)
    where = layout(MLP(hidden=()), seen)
    linear = train(
        seen, config, model=MLP(hidden=()), initial_parameters=np.zeros(where.num_parameters),
        **asked,
    )  # fmt: skip
    S, A = world.num_states, world.num_actions
    logits = linear.parameters[where.policy_at : where.policy_at + S * A].reshape(S, A)
    values = linear.parameters[where.value_at : where.value_at + S]
    np.testing.assert_allclose(logits, table.theta, atol=1e-10)
    np.testing.assert_allclose(values, table.values, atol=1e-10)
    assert np.abs(table.theta).max() > 0.02
    np.testing.assert_array_equal(linear.episodes["total_return"], table.episodes["total_return"])


@pytest.mark.parametrize(
    "world, env_id", [(cart_pole(), "CartPole-v1"), (pendulum(), "Pendulum-v1")]
)
def test_motions_are_gymnasiums(world, env_id):
    gymnasium = pytest.importorskip("gymnasium")
    env = gymnasium.make(env_id).unwrapped
    arrays = motion.control_arrays(world, A3CConfig())
    rng, walker, seen = np.random.default_rng(0), np.zeros(world.walker_size), None
    env.reset(seed=0)
    force, episode = np.zeros(1), 0
    for step in range(100_000 if COMPILED else 5_000):
        if step == episode:
            motion.reset(arrays, walker, rng.random(8), 0)
            env.state = tuple(walker) if env_id == "CartPole-v1" else walker.copy()
            if env_id == "CartPole-v1":
                env.steps_beyond_terminated = None
        choice = int(rng.integers(2))
        force[0] = rng.uniform(-2.0, 2.0)
        reward, ended = motion.move(arrays, walker, choice, force, 0.0)
        action = choice if env_id == "CartPole-v1" else force
        observation, theirs, terminated, *_ = env.step(action)
        assert np.abs(walker - np.array(env.state)).max() <= 1e-12
        assert abs(reward - float(theirs)) <= 1e-12
        assert ended == terminated
        seen = np.zeros(world.observation_size)
        motion.observe(arrays, walker, seen)
        if env_id == "Pendulum-v1":
            seen[2] *= 8.0
        assert np.abs(seen - observation).max() <= 1e-5  # theirs is float32
        env.state = tuple(walker) if env_id == "CartPole-v1" else walker.copy()
        episode = step + 1 if ended or step - episode >= 199 else episode


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
@pytest.mark.parametrize("schedule", [None, "random"])
def test_a_run_is_a_function_of_what_was_asked_for_and_of_the_schedule(env_id, schedule):
    result = train(env_id, total_steps=5_000, seed=1, schedule=schedule)
    assert replay(result) == result
    other = train(env_id, total_steps=5_000, seed=2, schedule=schedule)
    assert not np.array_equal(other.parameters, result.parameters)


def test_a_run_goes_on_as_if_it_had_never_stopped(tmp_path):
    whole = train("Pendulum-v1", total_steps=6_000, seed=1)
    half = train("Pendulum-v1", total_steps=6_000, seed=1, stop_after=2_500)
    half.save(tmp_path / "half.npz")
    loaded = TrainingResult.load(tmp_path / "half.npz")
    assert loaded == half
    assert train("Pendulum-v1", total_steps=6_000, seed=1, resume_from=loaded) == whole


def test_workers_start_from_the_seeds_own_network():
    result = train("CartPole-v1", total_steps=100, seed=7)
    own = np.random.SeedSequence(7).spawn(4)[-1]
    drawn = initial_parameters(MLP(), cart_pole(), own)
    np.testing.assert_array_equal(result.initial["theta"][0], drawn)
    workers = [seed.spawn_key for seed in worker_seeds(7, 2)]
    assert own.spawn_key not in workers


def test_the_default_learns_the_cart_pole():
    returns = [
        evaluate(train("CartPole-v1", total_steps=150_000, seed=seed), episodes=20, greedy=True)
        for seed in range(3)
    ]
    assert np.mean(returns, axis=1).min() >= 475


@pytest.mark.parametrize("model", [MLP(hidden=()), MLP(), MLP(shared=False)])
def test_a_time_limit_is_not_an_end(model):
    """A ring that pays 1 for ever, cut after 8 steps: V is 1 / (1 − 0.98) = 50, not 7.5."""
    ring = one_hot(
        TableWorld(
            next_state=[[[1]], [[2]], [[0]]], probability=np.ones((3, 1, 1)),
            reward=np.ones((3, 1, 1)), terminated=np.zeros((3, 1, 1)), start=[1.0, 0.0, 0.0],
            max_episode_steps=8, name="ring",
        )
    )  # fmt: skip
    config = network_config(
        ring, reward_scale=0.1, rollout_length=5, gamma=0.98, actor_lr=0.01, critic_lr=0.01,
        max_grad_norm=0.5,
    )  # fmt: skip
    result = train(ring, config, model=model, total_steps=300_000)
    assert result.episodes["truncated"].all()
    for state in np.eye(3):
        _, value = result.model(state)
        assert value == pytest.approx(50.0, abs=1.0)


@pytest.mark.processes
@pytest.mark.filterwarnings("ignore:num_workers is 3:RuntimeWarning")  # of two cores
@pytest.mark.parametrize("start_method", ["spawn", "fork"])
@pytest.mark.parametrize(
    "world, model",
    [(cart_pole(), MLP()), (pendulum(), MLP()), (as_image(cliff_world()), Convolutional())],
)
def test_real_processes_replay(world, model, start_method):
    for num_workers in (2, 3):
        config = network_config(world, num_workers=num_workers)
        result = train(
            world, config, model=model, total_steps=20_000, seed=4, runner="processes",
            start_method=start_method,
        )  # fmt: skip
        assert replay(result) == result


@pytest.mark.parametrize(
    "asked, message",
    [
        ({"model": "big"}, "model is 'big'; allowed: an MLP"),
        ({"model": Convolutional()}, "which shows no image; allowed: an MLP"),
        ({"initial_theta": np.zeros((1, 1))}, "initial_theta is given for a network"),
        ({"initial_parameters": np.zeros(3)}, "initial_parameters has shape"),
        ({"config": A3CConfig(critic="global")}, "critic is 'global' with a network"),
        ({"config": A3CConfig(actor_lr=0.0)}, "actor_lr is 0 with a network"),
    ],
)
def test_what_a_network_cannot_do_is_said(asked, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        train("CartPole-v1", total_steps=100, **asked)


def test_tables_and_networks_say_which_they_are():
    network_run, table_run = (
        train("CartPole-v1", total_steps=100),
        train(cliff_world(), total_steps=100),
    )
    for name in ("theta", "policy", "values"):
        with pytest.raises(AttributeError, match="this run learned a network"):
            getattr(network_run, name)
    for name in ("model", "parameters"):
        assert not hasattr(table_run, name)
    with pytest.raises(ValueError, match="with a TableWorld"):
        train(cliff_world(), model=MLP(), total_steps=100)


def noisy_observation():
    """An environment whose third observation is not a number."""
    import gymnasium

    class Broken(gymnasium.ObservationWrapper):
        seen = 0

        def observation(self, observation):
            self.seen += 1
            return observation * (np.nan if self.seen == 3 else 1.0)

    return Broken(gymnasium.make("CartPole-v1"))


def raising():
    """An environment that raises in its fifth step."""
    import gymnasium

    class Raising(gymnasium.Wrapper):
        steps = 0

        def step(self, action):
            self.steps += 1
            if self.steps == 5:
                raise RuntimeError("the simulator crashed")
            return super().step(action)

    return Raising(gymnasium.make("CartPole-v1"))


class TestOutside:
    """Environments that step in Python."""

    def test_a_run_replays(self):
        result = train("Acrobot-v1", total_steps=1_500, seed=1, schedule="random")
        assert replay(result) == result
        assert len(result.updates) > 90

    def test_an_episode_cut_by_the_limit_is_truncated(self):
        result = train("Acrobot-v1", A3CConfig(max_episode_steps=20), total_steps=200)
        assert result.episodes["truncated"].all()
        assert (result.episodes["length"] == 20).all()

    def test_resuming_is_refused_with_a_way_out(self):
        result = train("Acrobot-v1", total_steps=100)
        with pytest.raises(ValueError, match=r"initial_parameters=result\.parameters"):
            train("Acrobot-v1", total_steps=100, resume_from=result)

    def test_it_is_saved_with_its_id(self, tmp_path):
        result = train("Acrobot-v1", total_steps=100)
        result.save(tmp_path / "run.npz")
        assert replay(TrainingResult.load(tmp_path / "run.npz")) == result

    def test_a_function_is_not_saved_and_says_so(self, tmp_path):
        result = train(raising_never, total_steps=50)
        result.save(tmp_path / "run.npz")
        loaded = TrainingResult.load(tmp_path / "run.npz")
        assert loaded == result
        with pytest.raises(ValueError, match="make is None"):
            replay(loaded)
        given_back = dataclasses.replace(loaded, world=from_gymnasium(raising_never))
        assert replay(given_back) == result

    def test_what_is_not_a_number_is_named(self):
        with pytest.raises(ValueError, match="gave the observation"):
            train(noisy_observation, total_steps=100)

    def test_an_environment_that_raises_is_heard(self):
        with pytest.raises(RuntimeError, match="the simulator crashed"):
            train(raising, total_steps=100)

    @pytest.mark.parametrize(
        "make, message",
        [
            ("Blackjack-v1", "observation_space of Blackjack-v1 is Tuple"),
            (3, "world is 3; allowed"),
            ("NoSuch-v0", "make is 'NoSuch-v0', of which Gymnasium says"),
        ],
    )
    def test_what_it_cannot_take_is_named(self, make, message):
        with pytest.raises(ValueError, match=message):
            train(make, total_steps=100)

    def test_a_function_that_cannot_be_sent_is_named(self):
        with pytest.raises(ValueError, match="which worker processes cannot be sent"):
            train(lambda: raising_never(), total_steps=100, runner="processes")

    def test_an_environment_is_as_good_as_its_id(self):
        gymnasium = pytest.importorskip("gymnasium")
        made = train(gymnasium.make("CartPole-v1"), total_steps=200)
        assert made == train("CartPole-v1", total_steps=200)

    def test_an_environment_with_arguments_is_not_the_compiled_one(self):
        gymnasium = pytest.importorskip("gymnasium")
        other = gymnasium.make("CartPole-v1", sutton_barto_reward=True, max_episode_steps=30)
        result = train(other, total_steps=400)
        assert result.world.motion == OUTSIDE
        assert set(result.episodes["total_return"]) <= {-1.0, 0.0}
        assert result.episodes["length"].max() <= 30
        assert replay(result) == result

    def test_gymnasiums_own_steps_can_be_asked_for(self):
        result = train("CartPole-v1", total_steps=200, compiled=False)
        assert "in Python" in repr(result.world)
        assert "compiled" in repr(train("CartPole-v1", total_steps=200).world)
        with pytest.raises(ValueError, match="compiled is 1; allowed: True or False"):
            train("CartPole-v1", total_steps=200, compiled=1)

    def test_an_environment_that_cannot_be_made_again_is_refused(self):
        gymnasium = pytest.importorskip("gymnasium.envs.classic_control")
        with pytest.raises(ValueError, match="cannot be made again for every worker"):
            train(gymnasium.CartPoleEnv(), total_steps=200)

    def test_a_class_is_a_function_that_returns_one(self):
        gymnasium = pytest.importorskip("gymnasium.envs.classic_control")
        assert len(train(gymnasium.CartPoleEnv, total_steps=200).updates) > 5

    @pytest.mark.processes
    @pytest.mark.parametrize("start_method", ["spawn", "fork"])
    def test_real_processes_replay(self, start_method):
        result = train(
            "Acrobot-v1", total_steps=2_000, seed=4, runner="processes", start_method=start_method
        )
        assert replay(result) == result


def raising_never():
    import gymnasium

    return gymnasium.make("CartPole-v1")
