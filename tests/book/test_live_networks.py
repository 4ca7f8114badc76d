"""The twin of networks: a run with a network in the page is the run in Python, to the last bit."""

import functools

import numpy as np
import pytest
from twin import RUN, functions_in_script, functions_of, same_bits, unnoticed, what_it_comes_to

from a3c_tut import (
    A3CConfig,
    DivergenceError,
    RandomSchedule,
    TableWorld,
    cliff_world,
    networks,
    sparse_grid_world,
    train,
)
from a3c_tut.book.balance import task_data
from a3c_tut.control import as_image, cart_pole, one_hot, pendulum
from a3c_tut.engine import motion, network, network_turn, portable
from a3c_tut.engine.crew import Job
from a3c_tut.networks import MLP, Convolutional, Task, network_config

# What the page does not need: a run's defaults come as JSON, loops are never interpreted there, the
# logarithm of a probability is for tests, and the page's players stop where they like.
WITHOUT_A_TWIN = {
    networks: ["network_config"],
    motion: [],
    network: ["observe_and_act", "gaussian_log_probability"],
    network_turn: ["play_episode"],
}


@pytest.mark.parametrize("module", WITHOUT_A_TWIN)
def test_the_twin_has_the_same_functions_in_the_same_order(module):
    script = functions_in_script(module.__name__.split(".")[-1])
    left_out = WITHOUT_A_TWIN[module]
    assert [name for name in functions_of(module) if name not in left_out] == script


def slippery():
    """A lake with chance in it, seen as one-hot vectors."""
    return one_hot(TableWorld.from_gymnasium("FrozenLake-v1"))


def case(make=cart_pole, schedule="random", page=None, seed=3, model=None, **config):
    """World, network, settings, seed, schedule for Python, schedule for the page."""
    model = model or {}
    kind = Convolutional if "filters" in model else MLP
    return make, kind(**model), config, seed, schedule, page or {}


GIVEN = [0, 1, 1, 0, 0, 0, 1] * 40
CASES = {
    "cart-pole": case(schedule=None, page="round_robin", seed=0),
    "pendulum": case(pendulum, schedule=None, page="round_robin", seed=0),
    "random schedule": case(),
    "pendulum, random schedule": case(pendulum, num_workers=3),
    "slow worker": case(schedule=RandomSchedule((1, 0.2)), page={"weights": [1, 0.2]}),
    "given schedule": case(pendulum, schedule=GIVEN, page=GIVEN, seed=12345678901234),
    "a network each": case(model={"shared": False, "hidden": (7, 5)}),
    "pendulum, a network each": case(pendulum, model={"shared": False, "hidden": (9,)}),
    "three layers": case(pendulum, model={"hidden": (6, 10, 3)}),
    "linear": case(model={"hidden": ()}, actor_lr=0.02, critic_lr=0.05),
    "multi-step returns": case(gae_lambda=1.0, rollout_length=20),
    "windows": case(gae_lambda=1.0, window=3),
    "sgd": case(optimizer="sgd", actor_lr=0.002, critic_lr=0.001, max_grad_norm=1.0),
    "own statistics": case(pendulum, shared_statistics=False, lr_anneal="per_worker"),
    "old copies": case(sync_every=5, num_workers=4, lr_anneal=None),
    "each its own": case(pendulum, rollout_length=(5, 16), entropy_coef=(0.0, 0.1)),
    "critic slower": case(critic_lr=0.001, max_grad_norm=None, max_episode_steps=30),
    "cliff": case(lambda: one_hot(cliff_world()), model={"hidden": (8,)}, reward_scale=0.1),
    "pixels": case(
        lambda: as_image(cliff_world()), model={"filters": 3, "hidden": (8,)}, reward_scale=0.1
    ),
    "pixels, a network each": case(
        lambda: as_image(sparse_grid_world()), model={"filters": 4, "hidden": (), "shared": False}
    ),
    "lake": case(slippery, model={"hidden": ()}, actor_lr=0.05, critic_lr=0.05),
    "diverging": case(
        pendulum, optimizer="sgd", actor_lr=1e200, critic_lr=1e250, max_grad_norm=None
    ),
}


@functools.cache
def in_python(name, steps=4_000):
    make, model, config, seed, schedule, _ = CASES[name]
    world = make()
    try:
        return train(
            world, network_config(world, **config), model=model, total_steps=steps, seed=seed,
            schedule=schedule,
        ), False  # fmt: skip
    except DivergenceError as error:
        return error.result, True


def for_page(name, steps=4_000):
    """What the page is asked for, as JSON holds it."""
    make, model, config, seed, _, schedule = CASES[name]
    world = make()
    return {
        "world": task_data(Task(world, model)),
        "config": network_config(world, **config).as_dict(),
        "total_steps": steps,
        "seed": seed,
        "schedule": schedule,
    }


@pytest.mark.browser
@pytest.mark.parametrize("name", CASES)
def test_a_run_in_the_page_is_the_run_in_python(twin, name):
    """The same pushes, episodes and parameters, to the last bit."""
    ours, diverged = in_python(name)
    theirs = twin.evaluate(RUN, for_page(name))
    assert theirs["diverged"] == diverged == (name == "diverging")
    assert theirs["steps"] == ours.steps
    for kind, rows in (("episodes", ours.episodes), ("updates", ours.updates)):
        for column in rows.dtype.names:
            assert same_bits(rows[column], theirs[kind].get(column, [])), (kind, column)
    assert same_bits(ours.parameters, theirs["theta"])
    assert diverged or len(ours.episodes) >= 15


@pytest.mark.browser
@pytest.mark.parametrize("make", [cart_pole, pendulum])
def test_a_long_run_is_the_same(twin, make):
    """As long as the page's own: whatever differs at all differs by then."""
    world = make()
    asked = {
        "world": task_data(Task(world, MLP())), "config": network_config(world).as_dict(),
        "total_steps": 150_000, "seed": 1, "schedule": "round_robin",
    }  # fmt: skip
    ours, theirs = train(world, total_steps=150_000, seed=1), twin.evaluate(RUN, asked)
    assert same_bits(ours.parameters, theirs["theta"])
    assert same_bits(ours.episodes["total_return"], theirs["episodes"]["total_return"])


@pytest.mark.browser
@pytest.mark.parametrize("name", ["cart-pole", "three layers", "a network each", "linear"])
@pytest.mark.parametrize("seed", [0, 7, 2**40])
def test_a_network_begins_with_the_same_parameters(twin, name, seed):
    make, model, config, *_ = CASES[name]
    world = make()
    ours = Job.fresh(Task(world, model), network_config(world, **config), seed=seed).theta
    script = """asked => Array.from(new a3c.TableCrew(
      asked.world, asked.config, asked.total_steps, asked.seed).run.shared.theta)"""
    assert same_bits(ours, twin.evaluate(script, for_page(name) | {"seed": seed}))


@pytest.mark.browser
@pytest.mark.parametrize("function", ["exp", "log", "tanh", "sin", "cos"])
def test_a_function_gives_the_same_bits(twin, function):
    """Small numbers, large ones, and those between two multiples of π/2 or of ln 2."""
    random = np.random.default_rng(1)
    x = np.concatenate([random.normal(size=3_000), 10.0 ** random.uniform(-12, 5, 3_000), [0.0]])
    x = {"exp": -np.abs(x), "log": 1.0 + np.abs(x)}.get(function, np.concatenate([x, -x]))
    theirs = twin.evaluate(f"x => x.map(a3c.{function})", x.tolist())
    assert same_bits([getattr(portable, function)(value) for value in x.tolist()], theirs)


@pytest.mark.browser
@pytest.mark.parametrize("name", ["cart-pole", "pendulum"])
def test_a_step_is_the_same_wherever_it_begins(twin, name):
    """At the ends of the rail and at full speed too, where a short run does not come."""
    random = np.random.default_rng(2)
    spread = [2.5, 3.0, 0.22, 3.0] if name == "cart-pole" else [20.0, 8.0]
    walkers = random.uniform(-1, 1, (2_000, len(spread))) * spread
    world, ours, ends = CASES[name][0](), [], 0
    arrays = motion.control_arrays(world, A3CConfig())
    for i, walker in enumerate(walkers.copy()):
        reward, ended = motion.move(arrays, walker, i % 2, np.array([1.5]), 0.0)
        ours.append([*walker, reward, ended])
        ends += ended
    script = """([task, config, walkers]) => {
      const world = a3c.control_arrays(task, config);
      return walkers.map((numbers, i) => {
        const walker = Float64Array.from(numbers);
        const [reward, ended] = a3c.move(world, walker, i % 2, [1.5], 0);
        return [...walker, reward, Number(ended)];
      });
    }"""
    asked = for_page(name)
    theirs = twin.evaluate(script, [asked["world"], asked["config"], walkers.tolist()])
    assert same_bits(ours, np.ravel(theirs))
    assert 100 < ends < 1_900 or name == "pendulum"


#: Small slips in the twin; every one must be noticed by a run of `CASES`.
SLIPS = [
    ("portable", "const e = exp(-2.0 * Math.abs(x));", "const e = Math.exp(-2.0 * Math.abs(x));"),
    ("portable", "- k * HALF_PI_2", ""),
    ("portable", "quarter >= 2 ? -y : y", "quarter > 2 ? -y : y"),
    ("motion", "observation[0] = cos(", "observation[0] = Math.cos("),
    ("motion", "0.1 * uniforms[cursor + i] - 0.05", "0.1 * (uniforms[cursor + i] - 0.5)"),
    ("motion", "(spin * spin) * sine", "spin * spin * sine * 1.0000000000000002"),
    ("motion", "walker[0] += TICK * walker[1];\n    walker[1] += TICK * linear;",
     "walker[1] += TICK * linear;\n    walker[0] += TICK * walker[1];"),
    ("motion", "> LARGEST_ANGLE]", ">= LARGEST_ANGLE + 1e-3]"),
    ("motion", "Math.min(Math.max(speed, -FASTEST), FASTEST)", "speed"),
    ("motion", "const leaning = angle - turns", "const leaning = angle - 0 * turns"),
    ("motion", "0.001 * (torque * torque)", "0.0011 * (torque * torque)"),
    ("motion", "config.max_episode_steps ?? world", "world"),
    ("networks", "sizes[layer] + 1) * n", "sizes[layer] + 2) * n"),
    ("networks", "9 * where.image[2]", "9"),
    ("networks", "Math.sqrt(3.0 / m)", "Math.sqrt(3.0 / n)"),
    ("network", "let y0 = parameters[biases + j],", "let y0 = 0.0,"),
    ("network", "let sum = parameters[biases + j];", "let sum = 0.0;"),
    ("network", "gradient[at + m * n + j] += delta[j];", ";"),
    ("network", "gradient[row + j] += x_i * delta[j];", "gradient[row + j] = x_i * delta[j];"),
    ("network", "b3 += turned[from + 3] * delta_j;", "b3 += turned[from + 2] * delta_j;"),
    ("network", "sum += turned[at + j * m + i] * delta[j];", "sum += delta[j];"),
    ("network", "tanh(hidden[begin + j])", "Math.tanh(hidden[begin + j])"),
    ("network", "last_of(where, rollout, towers - 1, t)", "last_of(where, rollout, 0, t)"),
    ("network", "Math.min(Math.max(sampled, -action_range), action_range)", "sampled"),
    ("network", "Math.sqrt(2.0 * log(1.0 / (1.0 - u)))", "Math.sqrt(-2.0 * Math.log(1.0 - u))"),
    ("network", "(advantage * z) / sigma(log_sigma)", "advantage * z"),
    ("network", "advantage * (z * z - 1.0) + entropy_coef", "advantage * (z * z - 1.0)"),
    ("network", "log_sigma + 0.5 + HALF_LOG_2PI", "log_sigma + HALF_LOG_2PI"),
    ("network", "delta[rollout.actions[t]] += advantage;", ""),
    ("network", "* (p * (rollout.log_policies[row + b] + h)));",
     "* p * (rollout.log_policies[row + b] + h));"),
    ("network", "delta[j] *= 1.0 - said * said;", "delta[j] *= (1.0 - said) * (1.0 + said);"),
    ("network", "critic_weight * rollout.advantages[t]", "rollout.advantages[t]"),
    ("network", "if (tower === towers - 1)", "if (tower === 0)"),
    ("network", "gradient[where.value_at + width] = 0.0;", ""),
    ("network", "gradient[where.policy_at + width * n + b] = 0.0;", ";"),
    ("network", "y[here + f] += x_k *", "y[here + f] = x_k *"),
    ("network", "y[here + f] = parameters[biases + f];", "y[here + f] = 0.0;"),
    ("network", "gradient[biases + f] += delta[here + f];", ";"),
    ("motion", "backdrop[3 * state + 1] = 1.0;", ";"),
    ("motion", "backdrop[3 * state + 2] = 1.0;", ";"),
    ("network_turn", "reward * world.reward_scale", "reward"),
    ("network_turn", "world.table.num_outcomes > 1", "false"),
    ("network_turn", "out_of_time && !terminated", "out_of_time"),
    ("network_turn", "walk.length, walk.terminated, rollout", "walk.length, true, rollout"),
    ("network_turn", "run.me.walker[index].set(run.scratch.walker);", ""),
    ("network_turn", "settings.critic_lr[worker] / settings.actor_lr[worker]", "1.0"),
    ("training", "spawn(config.num_workers + 2)[config.num_workers + 1]",
     "spawn(config.num_workers + 1)[config.num_workers]"),
]  # fmt: skip


@pytest.mark.browser
def test_a_slip_in_the_twin_is_noticed(twin):
    """Each slip alone makes some run differ; without one, none does."""
    names = [name for name in CASES if name != "diverging"]
    cases = [what_it_comes_to(for_page(name), in_python(name)[0]) for name in names]
    assert unnoticed(twin, cases, SLIPS) == []


def test_a_task_survives_json():
    data = task_data(Task(one_hot(cliff_world()), MLP(hidden=(), shared=False)))
    assert data["model"] == {"hidden": [], "shared": False, "filters": 0}
    assert data["world"]["table"]["num_states"] == data["world"]["observation_size"] == 48
    assert A3CConfig(**network_config(cart_pole()).as_dict()) == network_config(cart_pole())
