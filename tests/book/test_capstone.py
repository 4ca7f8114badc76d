"""The capstone: done from its text alone, wrong in ten ways that are named, and one file alone."""

import ast
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from a3c_tut import A3CConfig, cliff_world, train
from a3c_tut.book.exercises import a3c_from_scratch, check, find, keep
from a3c_tut.book.exercises.exercise import Step
from a3c_tut.engine import portable

ROOT = Path(__file__).parents[2]
FILE = ROOT / "a3c_tut" / "book" / "exercises" / "a3c_from_scratch.py"
STEPS = ["softmax", "act", "judge", "differentiate", "push", "make_workers", "run"]
SETTINGS = {"optimizer": "sgd", "actor_lr": 0.8, "critic_lr": 0.8}

#: What a reader wrote, from the page's text and with nothing else.
ANSWERS = {
    "softmax": """
def my_softmax(logits):
    z = logits - np.max(logits)
    w = np.array([exp(v) for v in z])
    Z = np.cumsum(w)[-1]
    return w / Z, z - log(Z)
""",
    "act": """
def my_act(world, me, n):
    states, actions, rewards = [me.state], [], []
    terminated = truncated = False
    for _ in range(n):
        probs, _ignored = softmax(me.theta[me.state])
        u, total = me.rng.random(), 0.0
        for a, p in enumerate(probs):
            total += p
            if u < total:
                break
        rewards.append(world.reward[me.state, a])
        terminated = world.terminated[me.state, a]
        actions.append(a)
        me.state = world.next_state[me.state, a]
        states.append(me.state)
        me.age += 1
        truncated = me.age >= world.max_episode_steps
        if terminated or truncated:
            me.state = world.start
            me.age = 0
            break
    return states, actions, rewards, terminated
""",
    "judge": """
def my_judge(states, rewards, terminated, V, gamma):
    R = 0.0 if terminated else V[states[-1]]
    out = []
    for r, s in zip(rewards[::-1], states[-2::-1]):
        R = r + gamma * R
        out.append(R - V[s])
    return np.array(out[::-1])
""",
    "differentiate": """
def my_differentiate(states, actions, advantages, theta, beta):
    grad = {}
    for t in range(len(actions)):
        s, a, A = states[t], actions[t], advantages[t]
        pi, logpi = softmax(theta[s])
        H = -np.cumsum(pi * logpi)[-1]
        if s not in grad:
            grad[s] = np.zeros(len(pi) + 1)
        grad[s][0] += A
        grad[s][1:] -= pi * A + beta * (pi * (logpi + H))
        grad[s][1 + a] += A
    return grad
""",
    "push": """
def my_push(theta, V, rows, config):
    total = 0.0
    for row in rows.values():
        for x in row:
            total += x * x
    norm = np.sqrt(total)
    for s in rows:
        g = rows[s]
        if norm > config.max_grad_norm:
            g = g * (config.max_grad_norm / norm)
        V[s] += config.critic_lr * g[0]
        theta[s] += config.actor_lr * g[1:]
""",
    "make_workers": """
def my_make_workers(world, theta, V, num_workers, seed):
    workers = []
    for child in np.random.SeedSequence(seed).spawn(num_workers):
        me = SimpleNamespace(theta=theta.copy(), V=V.copy(), state=world.start, age=0)
        me.rng = np.random.default_rng(child)
        workers.append(me)
    return workers
""",
    "run": """
def my_run(world, config, schedule, seed):
    theta = np.zeros(world.next_state.shape)
    V = np.zeros(len(theta))
    team = make_workers(world, theta, V, config.num_workers, seed)
    for w in schedule:
        me = team[w]
        states, actions, rewards, terminated = act(world, me, config.rollout_length)
        A = judge(states, rewards, terminated, me.V, config.gamma)
        g = differentiate(states, actions, A, me.theta, config.entropy_coef)
        push(theta, V, g, config)
        me.theta = theta.copy()
        me.V = V.copy()
    return theta, V
""",
}

#: Ten ways to be wrong, each a change of the answers above, and what the check has to name.
WRONG = [
    ("softmax", "logits - np.max(logits)", "1.0 * logits", "subtract the largest logit"),
    ("softmax", "exp(v) for v in z", "np.exp(v) * (1 + 1e-15) for v in z", "exp and log"),
    ("act", "if terminated or truncated:", "if terminated:", "time limit never comes"),
    ("act", "rewards, terminated\n", "rewards, terminated or truncated\n", "truncated is not"),
    ("judge", "0.0 if terminated else V[states[-1]]", "V[states[-1]]", "terminal state"),
    ("differentiate", "logpi + H", "logpi", "lacks H"),
    ("differentiate", "if s not in grad:", "if True:", "last visit"),
    ("push", "V[s] += config.critic_lr", "V[s] += config.actor_lr", "step size of θ"),
    ("make_workers", "theta=theta.copy(), V=V.copy()", "theta=theta, V=V", "no copy"),
    ("run", "me.theta = theta.copy()\n        me.V = V.copy()", "", "ever syncs"),
]


def the_page(answers=None):
    """Run the visible cells of the page as a reader does, with answers in the place of stubs."""
    room = {}
    for cell in nbformat.read(ROOT / "book" / "capstone.ipynb", as_version=4).cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code" or {"hide-cell", "remove-cell"} & set(tags):
            continue
        if "run_in_processes" in cell.source or "observed" in cell.source:
            continue
        source = cell.source
        for step, answer in (answers or {}).items():
            if f"exercise-{step}" in tags:
                source = f'{answer}\n{step} = keep("{step}", my_{step})'
        exec(source, room)
    return room


def answer(step, source):
    """Return a step's answer as a function, with what the page gives in its room."""
    room = {"np": np, **find(step).given()}
    exec(source, room)
    return room[f"my_{step}"]


def test_the_page_can_be_done_from_its_text(capsys):
    """All seven say Right, and what came of the page is `train`, on another schedule too."""
    room = the_page(ANSWERS)
    said = capsys.readouterr().out
    assert said.count("Right:") == len(STEPS)
    assert all(room[step] is room[f"my_{step}"] for step in STEPS)
    schedule = np.random.default_rng(1).integers(0, 3, 700)
    theta, V = room["run"](room["world"], room["config"], schedule, 4)
    trained = train(cliff_world(), A3CConfig(**SETTINGS), schedule=schedule, seed=4)
    assert np.array_equal(theta, trained.theta)
    assert np.array_equal(V, trained.state["V"])


def test_the_page_as_it_stands_says_where_to_begin(capsys):
    """And its end is right all the same: a step that is missing is the book's."""
    room = the_page()
    said = capsys.readouterr().out.splitlines()
    assert said[: len(STEPS)] == [find(step).begin for step in STEPS]
    assert room["run"] is a3c_from_scratch.run


@pytest.mark.parametrize("step, right, wrong, named", WRONG)
def test_ten_ways_to_be_wrong_are_named(step, right, wrong, named):
    assert ANSWERS[step].count(right) == 1
    assert check(step, answer(step, ANSWERS[step])).startswith("Right:")
    said = check(step, answer(step, ANSWERS[step].replace(right, wrong)))
    hints = {hint for hint, _ in find(step).mistakes()} | {find(step).nearly}
    assert said in hints or said.startswith("The function raises OverflowError: exp of a large")
    assert named in said


@pytest.mark.parametrize("step", STEPS)
def test_six_digits_are_not_enough(step):
    """A last bit that differs is told from what is right; it would be another run."""
    right = find(step)
    slip = np.nextafter(1.0, 2.0)
    nearly = {
        "softmax": lambda logits: tuple(part * slip for part in right.solution(logits)),
        "judge": lambda *case: right.solution(*case) * slip,
        "differentiate": lambda *case: {s: r * slip for s, r in right.solution(*case).items()},
        "run": lambda *case: tuple(part * slip for part in right.solution(*case)),
    }
    if step in nearly:
        assert right.check(nearly[step]) == right.nearly


def test_only_steps_are_kept():
    with pytest.raises(ValueError, match="'staleness' is no step of the capstone"):
        keep("staleness", lambda: 0)
    assert all(issubclass(find(step), Step) for step in STEPS)


ALONE = """
import sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in {*sys.stdlib_module_names, "numpy", "a3c_from_scratch"}:
            raise ImportError(name)

sys.meta_path.insert(0, Nothing())
import a3c_from_scratch as a3c
schedule = [(7 * i * i + i // 3) % 3 for i in range(600)]
theta, V = a3c.run(a3c.world, a3c.config, schedule, seed=3)
assert "a3c_tut" not in sys.modules
print(theta.tobytes().hex(), V.tobytes().hex())
"""


def test_the_file_runs_alone(tmp_path):
    """At most 120 lines; with NumPy and nothing else it has the parameters of `train`."""
    assert len(FILE.read_text(encoding="utf-8").splitlines()) <= 120
    (tmp_path / FILE.name).write_bytes(FILE.read_bytes())
    (tmp_path / "alone.py").write_text(ALONE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "alone.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    schedule = [(7 * i * i + i // 3) % 3 for i in range(600)]
    trained = train(cliff_world(), A3CConfig(**SETTINGS), schedule=schedule, seed=3)
    assert done.stdout.split() == [
        trained.theta.tobytes().hex(),
        np.asarray(trained.state["V"]).tobytes().hex(),
    ]


def test_the_file_has_the_packages_world_and_settings():
    ours, theirs = a3c_from_scratch.world, cliff_world()
    assert np.array_equal(ours.next_state[:47], theirs.next_state[:47, :, 0])
    assert np.array_equal(ours.reward[:47], theirs.reward[:47, :, 0])
    assert np.array_equal(ours.terminated[:47], theirs.terminated[:47, :, 0])
    assert ours.start == theirs.start.argmax()
    assert ours.max_episode_steps == theirs.max_episode_steps
    asked = A3CConfig(**SETTINGS).as_dict()
    assert {name: asked[name] for name in vars(a3c_from_scratch.config)} == vars(
        a3c_from_scratch.config
    )


def test_exp_and_log_are_the_packages():
    draws = np.random.default_rng(0).random(20_000)
    for x in np.concatenate([-708.0 * draws**3, [0.0, -0.0, -708.0, -1e-300]]):
        assert a3c_from_scratch.exp(x) == portable.exp(x)
    assert a3c_from_scratch.exp(-1000.0) == 0.0
    for x in np.concatenate([1.0 + 20.0 * draws**3, [1.0, 2.0, 2.0**0.5, 8.0**0.5, 4.0]]):
        assert a3c_from_scratch.log(x) == portable.log(x)


def test_the_page_says_what_the_file_has():
    """Seven functions and some sixty lines, as the page says them."""
    tree = ast.parse(FILE.read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert set(STEPS) <= set(functions)
    lines = sum(node.end_lineno - node.lineno for n, node in functions.items() if n in STEPS)
    assert 50 <= lines <= 65


@pytest.mark.processes
def test_real_processes_are_repeated_to_the_last_bit():
    from a3c_tut.book.exercises.a3c_processes import run_in_processes

    config = a3c_from_scratch.config
    theta, V, observed = run_in_processes(a3c_from_scratch.world, config, 300, seed=2)
    assert len(observed) == 300
    trained = train(cliff_world(), A3CConfig(**SETTINGS), schedule=observed, seed=2)
    assert np.array_equal(theta, trained.theta)
    assert np.array_equal(V, trained.state["V"])
    other = train(cliff_world(), A3CConfig(**SETTINGS), schedule=observed[::-1], seed=2)
    assert not np.array_equal(theta, other.theta)
