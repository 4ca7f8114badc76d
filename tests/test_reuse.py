"""What a stranger with a problem of her own needs: her arrays, the truth, evaluation, her names."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_worlds

from a3c_tut import A3CConfig, TableWorld, cliff_world, grid_world, replay, train
from a3c_tut.exact import optimal_values, policy_values
from a3c_tut.experiments import compare, evaluate, mean_interval, run_seeds
from a3c_tut.figures import map_cells, plot_policy_map, plot_returns, reference_returns
from a3c_tut.names import OTHER_NAMES

HERE = Path(__file__).parent
#: It pays 1 a step for ever: without a discount or a limit its value is infinite.
FOR_EVER = TableWorld([[[0]]], [[[1.0]]], [[[1.0]]], [[[False]]], [1.0], 30, name="for ever")


# --- the truth within a time limit --------------------------------------------------------------


@given(random_worlds(), st.integers(0, 12), st.floats(0.0, 1.0))
@settings(max_examples=40, deadline=None)
def test_values_within_a_horizon(world, horizon, gamma):
    """Step by step, state by state, by the definition."""
    policy = np.full((world.num_states, world.num_actions), 1 / world.num_actions)
    best, mean = np.zeros(world.num_states), np.zeros(world.num_states)
    for _ in range(horizon):
        q, p = np.zeros_like(policy), np.zeros_like(policy)
        for s, a, k in np.ndindex(world.next_state.shape):
            onward = 0.0 if world.terminated[s, a, k] else gamma
            to, chance = world.next_state[s, a, k], world.probability[s, a, k]
            q[s, a] += chance * (world.reward[s, a, k] + onward * best[to])
            p[s, a] += chance * (world.reward[s, a, k] + onward * mean[to])
        best, mean = q.max(axis=1), (policy * p).sum(axis=1)
    np.testing.assert_allclose(optimal_values(world, gamma, horizon), best, atol=1e-9)
    np.testing.assert_allclose(policy_values(world, policy, gamma, horizon), mean, atol=1e-9)


@pytest.mark.parametrize("horizon", [-1, 2.5, "3"])
def test_a_horizon_is_a_whole_number(horizon):
    with pytest.raises(ValueError, match=f"horizon is {horizon!r}"):
        optimal_values(cliff_world(), 1.0, horizon)


def test_a_world_that_pays_for_ever_is_drawn():
    assert reference_returns(FOR_EVER) == {"optimum": 30.0}
    assert len(plot_returns(train(FOR_EVER, total_steps=3_000)).axes) == 1


def test_a_plot_does_not_fail_because_its_reference_does(monkeypatch):
    monkeypatch.setattr("a3c_tut.figures._MOST_BACKUPS", 0)
    assert reference_returns(FOR_EVER) == {}
    assert plot_returns(train(FOR_EVER, total_steps=3_000)) is not None
    assert reference_returns(cliff_world())["optimum"] == -13.0


def test_a_map_of_her_own_is_drawn():
    """Walls and cliffs where they are; a word on a long cliff, a letter on a short one."""
    world = grid_world(["....#.", "S.#..G", "CCC.CC", "......"])
    axes = plot_policy_map(train(world, total_steps=2_000)).axes[0]
    assert map_cells(world) == [0, 1, 2, 3, 5, 6, 7, 9, 10, 15, 18, 19, 20, 21, 22, 23]
    written = {(text.get_text(), *text.get_position()) for text in axes.texts}
    assert written == {("S", 0, 1), ("G", 5, 1), ("cliff", 1.0, 2), ("C", 4, 2), ("C", 5, 2)}
    cells = {tuple(patch.get_xy()): patch.get_facecolor() for patch in axes.patches}
    assert len(cells) == 2 + 5 + 1
    walls, cliffs = ({cells[x - 0.5, y - 0.5] for x, y in places} for places in (
        [(4, 0), (2, 1)], [(0, 2), (1, 2), (2, 2), (4, 2), (5, 2)]))  # fmt: skip
    assert len(walls) == len(cliffs) == 1
    assert walls != cliffs


def test_only_a_way_past_a_cliff_is_a_safe_detour():
    assert reference_returns(cliff_world(3, 5))["safe detour"] == -8.0
    assert reference_returns(grid_world(["...", "SCG"])) == {"optimum": -4.0, "safe detour": -4.0}
    for lines in (["S..", ".C.", "..G"], [".#..", "....", "S.CG"], ["..G", "SC."]):
        assert list(reference_returns(grid_world(lines))) == ["optimum"]


# --- evaluation ---------------------------------------------------------------------------------


@given(random_worlds(), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_episodes_have_the_exact_mean(world, seed):
    world = replace(world, max_episode_steps=6)
    theta = np.random.default_rng(seed).random((world.num_states, world.num_actions))
    policy = theta / theta.sum(axis=1, keepdims=True)
    returns = evaluate((world, policy), episodes=4_000, seed=seed)
    exact = float(world.start @ policy_values(world, policy, 1.0, horizon=6))
    # Six standard errors: once in 500 million.
    assert abs(returns.mean() - exact) <= 6 * returns.std() / 4_000**0.5 + 1e-9


def test_evaluation_is_repeatable_and_greedy_where_it_is_asked():
    result = train(cliff_world())
    assert evaluate(result, seed=1).tolist() == evaluate(result, seed=1).tolist()
    assert evaluate(result, seed=1).tolist() != evaluate(result, seed=2).tolist()
    assert len(set(evaluate(result, greedy=True))) == 1


def test_evaluation_keeps_to_the_runs_time_limit():
    result = train(FOR_EVER, A3CConfig(max_episode_steps=7), total_steps=300)
    assert evaluate(result, episodes=3).tolist() == [7.0, 7.0, 7.0]


@pytest.mark.parametrize("asked", [{"episodes": 0}, {"seed": -1}, {"episodes": 2.5}])
def test_evaluation_refuses(asked):
    with pytest.raises(ValueError, match=f"{next(iter(asked))} is"):
        evaluate((FOR_EVER, [[1.0]]), **asked)


# --- arrays -------------------------------------------------------------------------------------


@given(random_worlds())
@settings(max_examples=30, deadline=None)
def test_a_world_of_dense_arrays_is_worth_the_same(world):
    """Any world without terminal outcomes, written as P[s, a, s′] and R[s, a]."""
    S, A = world.num_states, world.num_actions
    P, R = np.zeros((S, A, S)), (world.probability * world.reward).sum(axis=2)
    for s, a, k in np.ndindex(world.next_state.shape):
        P[s, a, world.next_state[s, a, k]] += world.probability[s, a, k]
    dense = TableWorld.from_arrays(P, R, world.start, max_episode_steps=world.max_episode_steps)
    on = replace(world, terminated=np.zeros_like(world.terminated))
    np.testing.assert_allclose(optimal_values(dense, 0.9), optimal_values(on, 0.9), atol=1e-9)
    per_outcome = np.broadcast_to(R[:, :, None], P.shape)
    again = TableWorld.from_arrays(
        P, per_outcome, world.start, max_episode_steps=world.max_episode_steps
    )
    assert again == dense


def test_entering_a_terminal_state_ends_the_episode():
    P = [[[0.0, 1.0]], [[0.0, 1.0]]]
    world = TableWorld.from_arrays(P, [[1.0], [5.0]], 0, max_episode_steps=9, terminal=[1])
    assert optimal_values(world, 1.0, horizon=9).tolist() == [1.0, 5.0]
    assert train(world, total_steps=10).episodes["total_return"].tolist() == [1.0] * 10


@pytest.mark.parametrize(
    "P, R, asked, said",
    [
        ([[0.5, 0.5]], [[1.0]], {}, r"P has shape \(1, 2\)"),
        ([[[0.5, 0.4]], [[0.0, 1.0]]], [[1.0], [1.0]], {}, "P sums to 0.9 in state 0, action 0"),
        ([[[1.0]]], [1.0], {}, r"R has shape \(1,\)"),
        ([[[1.0]]], [[1.0]], {"terminal": [3]}, "terminal is 3"),
        ([[[1.0]]], [[1.0]], {"start": 2}, "start is 2"),
    ],
)  # fmt: skip
def test_arrays_refused(P, R, asked, said):
    with pytest.raises(ValueError, match=said):
        TableWorld.from_arrays(P, R, **{"start": 0, "max_episode_steps": 5} | asked)


@given(random_worlds())
@settings(max_examples=30, deadline=None)
def test_probabilities_put_right_stay_as_they_are(world):
    rough = replace(world, probability=world.probability.astype(np.float32))
    assert replace(rough, probability=rough.probability.copy()) == rough


# --- names, and what people write ---------------------------------------------------------------

SETTINGS = set(A3CConfig().as_dict())


@pytest.mark.parametrize("ours", sorted(OTHER_NAMES.keys() & SETTINGS))
def test_other_libraries_names_of_settings(ours):
    for theirs in OTHER_NAMES[ours]:
        if theirs not in SETTINGS:
            with pytest.raises(TypeError, match=f"no '{theirs}'; did you mean {ours}\\?"):
                A3CConfig(**{theirs: 1})


@pytest.mark.parametrize(
    "theirs, ours",
    [("env", "world"), ("total_timesteps", "total_steps"), ("callbacks", "callback"),
     ("totl_steps", "total_steps"), ("progress_bar", "progress")],
)  # fmt: skip
def test_other_libraries_names_of_arguments(theirs, ours):
    with pytest.raises(TypeError, match=f"no '{theirs}'; did you mean {ours}\\?"):
        train(**{"world": FOR_EVER, theirs: 1})


def test_a_name_like_none_of_ours():
    with pytest.raises(TypeError, match="A3CConfig has no 'zebra'; allowed: num_workers, "):
        A3CConfig(zebra=1)


def test_a_configuration_is_still_copied_and_pickled():
    config = A3CConfig(gamma=0.5)
    assert pickle.loads(pickle.dumps(config)) == replace(A3CConfig(), gamma=0.5) == config


def test_what_people_write_at_first():
    result = train(FOR_EVER, total_steps=30)
    with pytest.raises(ValueError, match=r"seeds is 30; .* such as range\(30\)"):
        run_seeds(FOR_EVER, seeds=30, measure=len)
    with pytest.raises(ValueError, match=r"result is 'run.npz'; .*TrainingResult.load\(path\)"):
        replay("run.npz")
    with pytest.raises(ValueError, match="initial_theta=result"):
        train(FOR_EVER, initial_theta=result)
    with pytest.raises(ValueError, match=r"actor_lr is 0\.2.*initial_theta=result"):
        train(FOR_EVER, A3CConfig(actor_lr=0.2), total_steps=30, resume_from=result)


def test_variants_by_settings():
    runs = compare(
        FOR_EVER, {"a": {"actor_lr": 0.3}, "b": {"total_steps": 60}, "c": {}}, seeds=[0],
        measure=lambda run: (run.config.actor_lr, run.config.gamma, run.total_steps),
        config=A3CConfig(gamma=0.5), total_steps=30,
    )  # fmt: skip
    assert runs == {"a": [(0.3, 0.5, 30)], "b": [(0.05, 0.5, 60)], "c": [(0.05, 0.5, 30)]}
    with pytest.raises(TypeError, match="no 'lr'; did you mean actor_lr"):
        compare(FOR_EVER, {"a": {"lr": 0.3}}, seeds=[0], measure=len)


# --- intervals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3, 10, 60])
def test_the_interval_is_scipys(size):
    bootstrap = pytest.importorskip("scipy.stats").bootstrap
    rng = np.random.default_rng(size)
    for sample in (rng.normal(size=size), rng.exponential(size=size), rng.integers(4, size=size)):
        wanted = bootstrap(
            (sample,), np.mean, n_resamples=9_999, confidence_level=0.9,
            rng=np.random.default_rng(0),
        ).confidence_interval  # fmt: skip
        found = mean_interval(sample, confidence=0.9)
        np.testing.assert_allclose(found, (sample.mean(), wanted.low, wanted.high), rtol=1e-12)


@pytest.mark.parametrize("values", [[], [[1.0]], 3.0])
def test_an_interval_of_nothing(values):
    with pytest.raises(ValueError, match="values has the shape"):
        mean_interval(values)


# --- all of it ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.processes
def test_a_strangers_problem_from_end_to_end(tmp_path):
    """With none of the extras: they are hidden from it."""
    hidden = ["scipy", "matplotlib", "ipywidgets", "IPython", "pandas", "sphinx", "pytest"]
    code = (
        f"import sys, runpy\nfor name in {hidden}: sys.modules[name] = None\n"
        f"sys.argv = ['inventory.py', {str(tmp_path)!r}]\n"
        f"runpy.run_path({str(HERE / 'inventory.py')!r}, run_name='__main__')"
    )
    script = tmp_path / "script.py"
    script.write_text("if __name__ == '__main__':\n    " + code.replace("\n", "\n    "))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "stopped after" in done.stdout
    assert (tmp_path / "episodes.csv").read_text().startswith("worker,total_return,length,")
    assert len((HERE / "inventory.py").read_text().splitlines()) < 75
