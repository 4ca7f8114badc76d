"""The live elements: their training is Python's, and the page that holds them serves everybody.

The twin in book/static/live is compared with the package run by run. Then a small book with both
elements is built and used as a reader would: by mouse, by keyboard, on a phone, from disk, under a
strict Content-Security-Policy and without scripts.
"""

import functools
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from twin import (
    RUN,
    STATIC,
    functions_in_script,
    functions_of,
    same_bits,
    unnoticed,
    what_it_comes_to,
)

from a3c_tut import (
    A3CConfig,
    DivergenceError,
    RandomSchedule,
    TableWorld,
    cliff_world,
    control,
    networks,
    train,
)
from a3c_tut.book import balance, live
from a3c_tut.engine import buffers, kernels, log, portable, turn
from a3c_tut.engine.buffers import world_arrays
from a3c_tut.engine.crew import Job, TableCrew
from a3c_tut.engine.streams import UniformStream, worker_seeds
from a3c_tut.exact import greedy_path
from a3c_tut.experiments import final_return, learning_curve, moving_average
from a3c_tut.figures import map_cells, never_pushed

ROOT = Path(__file__).resolve().parents[2]
RECORDED = STATIC / "live" / "recorded_run.json"
#: The modules that have a twin, in the order of its parts.
TWINS = (portable, kernels, log, buffers, turn)
# They compute nothing: they ask the processor's cache, which a page cannot.
WITHOUT_A_TWIN = {"fetch_ahead", "fetch_neighbours", "before"}

# --- Read side by side ------------------------------------------------------------------------


def what_a_turn_needs():
    """The names of all functions that `take_turns` comes to."""
    calls = {}
    for module in TWINS:
        calls |= functions_of(module)
    needed, ahead = set(), ["take_turns"]
    while ahead:
        name = ahead.pop()
        if name in calls and name not in needed | WITHOUT_A_TWIN:
            needed.add(name)
            ahead += calls[name]
    return needed


@pytest.mark.parametrize("module", TWINS)
def test_the_twin_has_the_same_functions_in_the_same_order(module):
    python, script = list(functions_of(module)), functions_in_script(module.__name__.split(".")[-1])
    needed = [name for name in python if name in what_a_turn_needs()]
    assert needed or module is buffers or module is log
    assert [name for name in script if name in needed] == needed
    assert [name for name in python if name in script] == script, "no others, and in this order"


# --- The same runs ----------------------------------------------------------------------------


def make_slippery():
    """Three outcomes per action, four start states, ends that depend on how they are come to."""
    generator = np.random.default_rng(5)
    shape = (12, 3, 3)
    return TableWorld(
        next_state=generator.integers(12, size=shape),
        probability=np.array([0.5, 0.25, 0.25]) * np.ones(shape),
        reward=generator.integers(-6, 1, size=shape) / 2,
        terminated=generator.random(shape) < 0.1,
        start=np.array([0.25, 0, 0, 0.125, 0.125, 0.5, 0, 0, 0, 0, 0, 0]),
        max_episode_steps=12,
        name="slippery",
    )


WORLDS = {key: choice.make for key, choice in live._WORLDS.items()} | {"slippery": make_slippery}
ROUND_ROBIN = {"schedule": None, "page": "round_robin"}
GIVEN = [0, 2, 2, 1, 0, 0, 2, 1] * 300


def case(world="cliff", schedule="random", page=None, seed=3, **config):
    """World, configuration, seed, schedule for Python, schedule for the page."""
    return world, config, seed, schedule, page or {}


def sgd(**others):
    return case(**{"optimizer": "sgd", "actor_lr": 0.05, "critic_lr": 0.1, **others})


CASES = {
    "defaults": case(**ROUND_ROBIN, seed=0),
    "random schedule": case(),
    "slow worker": case(schedule=RandomSchedule((1, 1, 0.2)), page={"weights": [1, 1, 0.2]}),
    "given schedule": case(schedule=GIVEN, page=GIVEN),
    "sgd": sgd(),
    "sgd, no clipping": sgd(actor_lr=0.01, max_grad_norm=None),
    "sgd, annealing": sgd(lr_anneal="global"),
    "sgd, annealing, no clipping": sgd(actor_lr=0.01, lr_anneal="global", max_grad_norm=None),
    "no clipping": case(max_grad_norm=None),
    "tight clipping": case(max_grad_norm=0.2, **ROUND_ROBIN),
    "annealing": case(lr_anneal="global"),
    "annealing by points": case(lr_anneal=((0, 0.1), (0.3, 1.7), (1, 0.3))),
    "own annealing, no clipping": case(lr_anneal="per_worker", max_grad_norm=None),
    "own statistics": case(shared_statistics=False),
    "global critic": case(critic="global"),
    "windows": case(window=2, rollout_length=7),
    "generalised advantages": case("slippery", gae_lambda=0.9, rollout_length=7),
    "old copies": case(sync_every=7, num_workers=5),
    "one worker": case(num_workers=1, **ROUND_ROBIN),
    "each its own": case(rollout_length=(1, 5, 9), entropy_coef=(0.0, 0.01, 0.5)),
    "one step": case(rollout_length=1, max_episode_steps=900, reward_scale=1.0),
    "gamma 1, big seed": case(gamma=1.0, seed=12345678901234),
    "sparse grid": case("sparse-grid", entropy_coef=0.05, reward_scale=0.25),
    "corridor": case("corridor", num_workers=8),
    "lake": case("frozen-lake"),
    "lake, sgd": sgd(world="frozen-lake", lr_anneal="per_worker", max_grad_norm=None),
    "slippery": case("slippery", window=3, critic="global"),
    "slippery, two workers": case("slippery", num_workers=2, sync_every=2),
    "diverging": sgd(actor_lr=1.0, critic_lr=30.0, max_grad_norm=None, reward_scale=1.0),
}


@functools.cache
def in_python(name, steps):
    key, config, seed, schedule, _ = CASES[name]
    world = WORLDS[key]()
    try:
        return train(
            world, A3CConfig(**config), total_steps=steps, seed=seed, schedule=schedule
        ), False
    except DivergenceError as error:
        return error.result, True


def for_page(name, steps):
    """What the page is asked for, as JSON holds it."""
    key, config, seed, _, schedule = CASES[name]
    return {
        "world": live.world_data(WORLDS[key]()),
        "config": A3CConfig(**config).as_dict(),
        "total_steps": steps,
        "seed": seed,
        "schedule": schedule,
    }


@pytest.mark.browser
@pytest.mark.parametrize("name", CASES)
def test_a_run_in_the_page_is_the_run_in_python(twin, name):
    """The same pushes, episodes and parameters, to the last bit."""
    ours, diverged = in_python(name, 15_000)
    theirs = twin.evaluate(RUN, for_page(name, 15_000))
    assert theirs["diverged"] == diverged
    assert diverged == (name == "diverging")
    assert theirs["steps"] == ours.steps
    for kind, rows in (("episodes", ours.episodes), ("updates", ours.updates)):
        for column in rows.dtype.names:
            assert same_bits(rows[column], theirs[kind].get(column, [])), (kind, column)
    assert same_bits(ours.theta, theirs["theta"])
    assert same_bits(ours.state["V"], theirs["V"])
    assert len(ours.episodes) > 10 or diverged


ACTIONS = """asked => {
  const order = a3c.make_schedule(asked.schedule, asked.config, asked.seed).entries(0, asked.turns);
  const crew = new a3c.TableCrew(asked.world, asked.config, asked.total_steps, asked.seed);
  let before = 0;
  return Array.from(order, worker => {
    crew.take_turns([worker], Infinity);
    const length = crew.steps - before;
    before = crew.steps;
    return Array.from(crew.run.scratch.rollout.actions.subarray(0, length));
  });
}"""


@pytest.mark.browser
@pytest.mark.parametrize("name", ["random schedule", "sgd", "slippery"])
def test_every_action_is_the_same(twin, name):
    key, config, seed, _, _ = CASES[name]
    schedule = in_python(name, 15_000)[0].schedule
    world = WORLDS[key]()
    crew = TableCrew(Job.fresh(world, A3CConfig(**config), 15_000, seed))
    actions, before = [], 0
    for worker in schedule:
        crew.take_turns(np.array([worker]), np.iinfo(np.int64).max)
        actions.append(crew.run.scratch.rollout.actions[: crew.steps - before].tolist())
        before = crew.steps
    assert sum(map(len, actions)) >= 15_000
    assert twin.evaluate(ACTIONS, {**for_page(name, 15_000), "turns": len(schedule)}) == actions


#: Small slips in the twin, as they would be if Python changed and the twin did not. Every one must
#: be noticed by a run of `CASES`.
SLIPS = [
    ("kernels", "exp(theta[from + a]", "Math.exp(theta[from + a]"),
    ("kernels", "= log(total)", "= Math.log(total)"),
    ("portable", "(2 * k + 3)", "(2 * k + 3.0000000000001)"),
    ("portable", "1.0 + (r + r2 * series)", "1.0 + r + r2 * series"),
    ("kernels", "policies[to + a] /= total;", "policies[to + a] /= total * 1.0000001;"),
    ("kernels", "- largest - log_total", "- largest"),
    ("kernels", "total -= policies[at + a] * log", "total += policies[at + a] * log"),
    ("kernels", "if (uniform < cumulative) break;", "if (uniform <= cumulative + 1e-4) break;"),
    ("kernels", "uniform >= world.cumulative[at", "uniform >= 0.01 + world.cumulative[at"),
    ("kernels", "reward * world.reward_scale", "reward"),
    ("kernels", "truncated = !terminated && ", "truncated = "),
    ("kernels", ">= world.max_episode_steps", "> world.max_episode_steps"),
    ("kernels", "terminated ? 0.0 : V[states[length]]", "V[states[length]]"),
    ("kernels", "Math.min(t + window, length)", "Math.min(t + window + 1, length)"),
    ("kernels", "last === length ? bootstrap : V[states[last]]", "V[states[last]]"),
    ("kernels", "rewards[t] + gamma * n_step_return", "rewards[t] + n_step_return"),
    ("kernels", "rewards[k] + gamma * n_step_return", "rewards[k] + n_step_return"),
    ("kernels", "following = terminated ? 0.0 : V", "following = V"),
    ("kernels", "following = value;", ""),
    ("kernels", "gamma * gae_lambda * advantage", "gae_lambda * advantage"),
    ("turn", "settings.gae_lambda < 1.0", "settings.gae_lambda < 0.5"),
    ("kernels", "* num_actions + b] + h));", "* num_actions + b]));"),
    ("kernels", "gradient.V[row] += advantage;", "gradient.V[row] = advantage;"),
    ("kernels", "total += gradient.V[row] * gradient.V[row];", ""),
    ("kernels", "gradient.V[row] *= scale;", ""),
    ("kernels", "critic_lr * gradient.V[row];", "actor_lr * 1.5 * gradient.V[row];"),
    ("kernels", "now - 1 - last_update[state]", "now - last_update[state]"),
    ("kernels", "(actor_lr * g) / Math.sqrt(s + epsilon)", "(actor_lr * g) / Math.sqrt(s)"),
    ("kernels", "square_V[state] = s;", ""),
    ("turn", "steps / settings.total_steps", "(steps + 1) / settings.total_steps"),
    ("turn", "(own_steps * settings.num_workers)", "own_steps"),
    ("turn", "Math.max(0.0, factor)", "Math.max(0.001, factor)"),
    ("turn", "? index : 0;", "? 0 : 0;"),
    ("turn", "update - run.me.synced_at[index]", "update - run.me.synced_at[index] + 1"),
    ("turn", ">= run.settings.sync_every) {", "> run.settings.sync_every) {"),
    ("turn", "V[state] = shared.V[state];", ""),
    ("turn", "terminated, run.shared.V);", "terminated, run.me.V[index]);"),
    ("turn", "length, terminated, V, settings", "length, false, V, settings"),
    ("turn", "me.episode_steps[index] += walk.length;",
     "me.episode_steps[index] += walk.length + 1;"),
    ("turn", "total_return = 0.0;", ""),
    ("training", "this.cumulative[worker] <= uniform", "this.cumulative[worker] <= uniform + 0.01"),
    ("training", "new SeedSequence(seed, [config.num_workers])", "new SeedSequence(seed, [0])"),
    ("random", "s3 >>> 26", "s3 >>> 27"),
]  # fmt: skip


@pytest.mark.browser
def test_a_slip_in_the_twin_is_noticed(twin):
    """Each slip alone makes some run differ; without one, none does."""
    cases = []
    for name in CASES:
        if name != "diverging":
            ours = in_python(name, 3_000)[0]
            cases.append(what_it_comes_to(for_page(name, 3_000), ours))
    assert unnoticed(twin, cases, SLIPS) == []


@pytest.mark.browser
@pytest.mark.parametrize(
    "logits", [[1000.0, -1000.0, 999.0], [-1e308, 1e308, 0.0], [0.0, 0.0, 0.0]]
)
def test_extreme_logits_are_no_trouble(twin, logits):
    policies, logs = np.zeros((2, 1, 3))
    kernels.softmax(np.array([logits]), 0, policies, logs, 0)
    expected = [policies[0], logs[0], kernels.entropy(policies, logs, 0)]
    theirs = twin.evaluate(
        """logits => {
          const [policies, logs] = [new Float64Array(3), new Float64Array(3)];
          a3c.softmax(Float64Array.from(logits), 3, 0, policies, logs, 0);
          return [...policies, ...logs, a3c.entropy(policies, logs, 3, 0)];
        }""",
        logits,
    )
    assert same_bits(np.hstack(expected), theirs)


# --- The same random numbers ------------------------------------------------------------------

STREAM = """([seed, workers, skip, count]) => a3c.worker_seeds(seed, workers).map(one => {
  const stream = new a3c.PCG64(one);
  stream.advance(skip);
  return Array.from(stream.random(new Float64Array(count)));
})"""


@pytest.mark.browser
@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1, 2**32, 2**53 - 1, [7, 7, 2**40]])
def test_random_numbers_are_numpys(twin, seed):
    """10,000 of them, bit for bit, for every worker."""
    ours = [UniformStream(one).take(10_000).tolist() for one in worker_seeds(seed, 3)]
    assert twin.evaluate(STREAM, [seed, 3, 0, 10_000]) == ours


@pytest.mark.browser
@pytest.mark.parametrize("skip", [1, 2, 4096, 10**9, 2**52 + 1])
def test_random_numbers_far_ahead_are_numpys(twin, skip):
    ours = [UniformStream(one, used=skip).take(100).tolist() for one in worker_seeds(5, 2)]
    assert twin.evaluate(STREAM, [5, 2, skip, 100]) == ours


@pytest.mark.browser
def test_a_stream_goes_on_where_it_stopped(twin):
    pieces = twin.evaluate("""() => {
      const stream = new a3c.PCG64(a3c.worker_seeds(3, 1)[0]);
      return [1, 7, 64].flatMap(count => Array.from(stream.random(new Float64Array(count))));
    }""")
    assert pieces == UniformStream(worker_seeds(3, 1)[0]).take(72).tolist()


# --- What is read off a run -------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("name", ["defaults", "corridor", "sparse grid"])
def test_what_is_read_off_a_run_is_the_same(twin, name):
    ours = in_python(name, 15_000)[0]
    at = list(range(500, 15_001, 500))
    final, curve, path = twin.evaluate(
        """([asked, at]) => {
          const run = a3c.train(asked);
          let turn; do { turn = run.next(); } while (!turn.done);
          const { episodes, theta } = turn.value;
          const curve = Array.from(a3c.learning_curve(episodes, at), v => isNaN(v) ? null : v);
          return [a3c.final_return(episodes), curve, a3c.greedy_path(asked.world, theta)];
        }""",
        [for_page(name, 15_000), at],
    )
    expected = greedy_path(ours.world, ours.policy)
    assert (path["states"], path["total_return"]) == (expected.states, expected.total_return)
    assert path["terminated"] == expected.terminated
    assert final == pytest.approx(final_return(ours))
    nan_for_none = [np.nan if v is None else v for v in curve]
    np.testing.assert_allclose(nan_for_none, learning_curve(ours, at), atol=1e-9)


@pytest.mark.browser
def test_where_chance_decides_there_is_no_greedy_path(twin):
    asked = for_page("lake", 500)
    assert twin.evaluate("w => a3c.greedy_path(w, new Float64Array(64))", asked["world"]) is None


def test_the_recorded_run_comes_out_again():
    """The file holds what three processes did; its schedule alone gives the same run."""
    recorded = live.load_recorded(RECORDED)
    assert A3CConfig(**recorded["config"]) == A3CConfig(), "record the run anew: see CONTRIBUTING"
    schedule = live.recorded_schedule(RECORDED)
    again = train(cliff_world(), total_steps=recorded["total_steps"], schedule=schedule)
    assert again.steps >= recorded["total_steps"] == 60_000
    assert same_bits(again.theta, recorded["theta"])
    assert live.recorded_data(again)["begin"] == recorded["begin"]
    assert set(schedule) == {0, 1, 2}


@pytest.mark.browser
def test_the_recorded_run_comes_out_in_the_page(twin):
    data = live.load_recorded(RECORDED)
    asked = {
        "world": live.live_data(["cliff"])["worlds"][0], "config": data["config"],
        "seed": data["seed"], "total_steps": data["total_steps"],
        "schedule": live.recorded_schedule(RECORDED),
    }  # fmt: skip
    theirs = twin.evaluate(RUN, asked)
    assert same_bits(data["theta"], theirs["theta"])


def test_a_run_is_recorded(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    monkeypatch.setattr(
        live, "train", lambda world, config, runner: train(world, config, total_steps=900)
    )
    result = live.record(path, tries=2)
    assert live.recorded_schedule(path) == result.schedule.tolist()
    (tmp_path / "other.json").write_text("[1]")
    with pytest.raises(ValueError, match="holds no recorded run"):
        live.load_recorded(tmp_path / "other.json")


# --- What Python gives to the page ------------------------------------------------------------


@pytest.mark.parametrize("key", live.WORLD_KEYS)
def test_a_world_survives_json(key):
    data = json.loads(json.dumps(live.live_data([key])))["worlds"][0]
    world = live._WORLDS[key].make()
    arrays = world_arrays(world, A3CConfig())
    for name in ("next_state", "cumulative", "reward", "terminated", "start_states"):
        assert (np.array(data[name]) == getattr(arrays, name).ravel()).all(), name
    shape = (data["num_states"], data["num_actions"], data["num_outcomes"])
    assert shape == world.next_state.shape


@pytest.mark.parametrize("worlds", [[], ["nowhere"]])
def test_unknown_worlds_are_refused(worlds):
    with pytest.raises(ValueError, match="allowed: some of cliff, sparse-grid"):
        live.live_data(worlds)


def test_unknown_elements_are_refused():
    with pytest.raises(ValueError, match="kind is 'lab'; allowed: 'live', 'stepper', 'pushes'"):
        live.live_html("lab", {}, "p.png", "alt", "sentence")
    with pytest.raises(ValueError, match=r"worlds is .'Acrobot-v1'.; allowed: some of CartPole-v1"):
        balance.balance_data(["Acrobot-v1"])


@pytest.mark.parametrize("kind", live.KINDS)
def test_the_stand_in_says_what_is_seen(kind):
    standin = live.fallback(kind, total_steps=3_000)
    assert len(standin.alt) > 80
    assert "With JavaScript" in standin.sentence
    assert standin.figure.axes


@pytest.mark.parametrize("key", balance.WORLD_KEYS)
def test_the_stand_in_of_a_run_with_a_network_says_what_is_seen(key):
    standin = balance.fallback(key, total_steps=20_000)
    assert len(standin.figure.axes) == 3
    assert "over 20,000 steps" in standin.alt
    lasted = re.search(r"last (\d+) and (\d+) steps", standin.alt).groups()
    assert lasted == ("200", "200") or int(lasted[0]) < int(lasted[1])
    assert "With JavaScript" in standin.sentence


def test_what_counts_as_solved_is_gymnasiums():
    import gymnasium

    for world in balance.balance_data()["worlds"]:
        assert world["threshold"] == gymnasium.spec(world["task"]["world"]["name"]).reward_threshold


# --- The page ---------------------------------------------------------------------------------

PAGES = {
    "index.md": "# Lab\n\nWords before.\n\n```{a3c-live}\n```\n",
    "below/stepper.md": "# Stepper\n\n```{a3c-stepper}\n```\n",
    "below/other.md": "# Other\n\n```{a3c-live}\n:worlds: frozen-lake corridor\n"
    ":config: num_workers=1, max_grad_norm=None, lr_anneal='global'\n:steps: 20000\n:seed: 7\n"
    ":seeds: 3\n```\n",
    "below/pushes.md": "# Pushes\n\n```{a3c-pushes}\n```\n",
    "below/balance.md": "# Balance\n\n```{a3c-balance}\n```\n",
    "below/draw.md": "# Draw\n\n```{a3c-draw}\n:steps: 20000\n:seed: 4\n```\n",
    "plain.md": "# Plain\n\nNothing lives here.\n",
}
LAB, STEPPER, OTHER, PLAIN = "index.html", "below/stepper.html", "below/other.html", "plain.html"
PUSHES, BALANCE, DRAW = "below/pushes.html", "below/balance.html", "below/draw.html"
ELEMENTS = [LAB, STEPPER, OTHER, PUSHES, BALANCE, DRAW]
every_element = pytest.mark.parametrize("page", ELEMENTS)


def write_book(folder, pages):
    (folder / "book").mkdir(parents=True)
    for name in ("static", "tools"):
        shutil.copytree(ROOT / "book" / name, folder / "book" / name)
    shutil.copy(ROOT / "_config.yml", folder)
    (folder / "book" / "references.bib").touch()
    for name, text in pages.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    first, *others = (name.removesuffix(".md") for name in pages)
    chapters = "".join(f"  - file: {name}\n" for name in others)
    toc = f"format: jb-book\nroot: {first}\n" + (f"chapters:\n{chapters}" if others else "")
    (folder / "_toc.yml").write_text(toc)


def build_book(folder):
    tool = shutil.which("jupyter-book", path=Path(sys.executable).parent)
    if tool is None:
        pytest.skip("jupyter-book is not installed")
    command = [tool, "build", ".", "-W", "-n", "--keep-going"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A small book with the directives in it, built as the real one is."""
    folder = tmp_path_factory.mktemp("live") / "book"
    write_book(folder, PAGES)
    built = build_book(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def server(site):
    """Serve the site; `policy` is the Content-Security-Policy that it sends, or None."""
    said = SimpleNamespace(policy=None, address="")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self):
            if said.policy:
                self.send_header("Content-Security-Policy", said.policy)
            super().end_headers()

        def log_message(self, *args):
            pass

    handler = functools.partial(Handler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        said.address = f"http://127.0.0.1:{one.server_port}"
        yield said
        one.shutdown()


@pytest.fixture
def visit(chromium, server):
    """Return a function that opens a page and waits until its element has done its work."""
    contexts = []

    def open_page(
        page, *, mode="light", width=1280, at=None, scripts=True, wait=True, motion="reduce"
    ):
        home = at or server.address
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, reduced_motion=motion,
            java_script_enabled=scripts,
        )  # fmt: skip
        contexts.append(context)
        context.set_default_timeout(120_000)  # a machine may have other things to do
        if scripts:
            theme = f"try {{ localStorage.mode = localStorage.theme = '{mode}' }} catch {{}}"
            context.add_init_script(theme)
        seen = SimpleNamespace(requests=[], errors=[])
        tab = context.new_page()
        tab.on("request", lambda request: seen.requests.append(request.url))
        tab.on("response", lambda r: r.status >= 400 and seen.errors.append(r.url))
        tab.on("pageerror", lambda error: seen.errors.append(str(error)))
        tab.on("console", lambda m: m.type == "error" and seen.errors.append(m.text))
        tab.goto(f"{home}/{page}", wait_until="load")
        if wait:
            done(tab)
        return tab, seen

    yield open_page
    for context in contexts:
        context.close()


def done(tab):
    tab.wait_for_selector("[data-a3c][data-state=done]")


def changed(tab, act):
    """Do something, and wait until the lab has answered it."""
    tab.evaluate("""() => { delete document.body.dataset.answered;
      document.querySelector("[data-a3c]").addEventListener(
        "a3c-done", () => document.body.dataset.answered = "yes", { once: true }) }""")
    act()
    tab.wait_for_selector("body[data-answered=yes]")


def axe_violations(tab):
    from axe_playwright_python.sync_playwright import Axe

    options = {"rules": {"label-content-name-mismatch": {"enabled": True}}}
    violations = Axe().run(tab, context=".a3c-live", options=options).response["violations"]
    return [f"{v['id']}: {n['target']} {n['html'][:160]}" for v in violations for n in v["nodes"]]


def result(tab):
    """The sentence that is announced; it waits until nothing moves any more."""
    tab.wait_for_timeout(450)
    return tab.locator(".a3c-result").last.inner_text()


def foreign(seen, home):
    return [url for url in seen.requests if not url.startswith((home, "blob:", "data:"))]


@pytest.mark.browser
def test_only_pages_with_an_element_load_its_scripts(site):
    for page in ELEMENTS:
        html = (site / page).read_text(encoding="utf-8")
        assert html.count("live/kernels.js") == html.count("live/live.css") == 1
        assert not re.search(r"<[^>]+\son\w+=", html[html.index("a3c-live") :].split("</div>")[0])
    assert "live/" not in (site / PLAIN).read_text(encoding="utf-8")


@pytest.mark.browser
@every_element
def test_an_element_asks_nothing_of_others(visit, server, page):
    tab, seen = visit(page)
    assert foreign(seen, server.address) == []
    assert seen.errors == []
    assert tab.locator("[data-a3c] img").count() == 0


@pytest.mark.browser
@every_element
def test_an_element_works_from_disk(visit, site, page):
    tab, seen = visit(page, at=site.as_uri())
    assert foreign(seen, site.as_uri()) == []
    assert seen.errors == []
    if page in (LAB, OTHER):
        assert "in a web worker" in tab.locator(".a3c-note").inner_text()


@pytest.mark.browser
@every_element
def test_without_scripts_there_is_a_picture_and_a_sentence(visit, page):
    tab, seen = visit(page, scripts=False, wait=False)
    picture = tab.locator("[data-a3c] img")
    assert len(picture.get_attribute("alt")) > 80
    assert picture.bounding_box()["width"] > 200
    assert "With JavaScript" in tab.locator("[data-a3c] figcaption").inner_text()
    assert tab.locator("[data-a3c] :is(button, input, select)").count() == 0
    assert any("_images/a3c-" in url for url in seen.requests)


POLICIES = {
    "blob": ("worker-src 'self' blob:", "in a web worker"),
    "file": ("worker-src 'self'", "in a web worker"),
    "none": ("worker-src 'none'", "in the page itself"),
}


def write_bare(site, page):
    """Write bare.html: the element of a page and what it loads, and nothing of the theme."""
    html = (site / page).read_text(encoding="utf-8")
    element = html[html.index('<div class="a3c-live"') :]
    element = element[: element.index("</div>") + 6]
    names = re.findall(r'src="(?:\.\./)?_static/(live/\w+\.js)', html)
    bare = "<!doctype html><html lang='en'><head><title>bare</title>"
    bare += "<link rel='icon' href='_static/a3c-logo.svg'></head><body>" + element
    for style in re.findall(r'href="(?:\.\./)?_static/(live/\w+\.css)', html):
        bare += f"<link rel='stylesheet' href='_static/{style}'>"
    bare += "".join(f"<script src='_static/{name}'></script>" for name in names)
    (site / "bare.html").write_text(bare, encoding="utf-8")


@pytest.mark.browser
def test_poles_keep_a_strict_policy(visit, server, site):
    write_bare(site, BALANCE)
    server.policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'"
    try:
        tab, seen = visit("bare.html")
        tab.locator(".a3c-main").click()
        assert "After 7,5" in result(tab)
        assert seen.errors == []
    finally:
        server.policy = None
        (site / "bare.html").unlink()


@pytest.mark.browser
@pytest.mark.parametrize("kind", POLICIES)
def test_a_strict_policy_is_kept(visit, server, site, kind):
    """No inline script, style or handler is needed, and some place to train is always found."""
    workers, where = POLICIES[kind]
    write_bare(site, LAB)
    server.policy = (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; {workers}"
    )
    try:
        tab, seen = visit("bare.html")
        assert where in tab.locator(".a3c-note").inner_text()
        refused = "Creating a worker from"  # what the browser says when it refuses one
        assert [error for error in seen.errors if refused not in error] == []
        assert "episodes in 60,00" in result(tab)
        changed(tab, lambda: tab.get_by_label("Seed", exact=True).fill("4"))
        assert "episodes in" in result(tab)
    finally:
        server.policy = None
        (site / "bare.html").unlink()


@pytest.mark.browser
def test_what_the_lab_says_is_what_python_says(visit):
    tab, _ = visit(LAB)

    def expected(run):
        path = greedy_path(run.world, run.policy)
        mean = float(f"{final_return(run):.3g}")
        return f"{len(run.episodes):,} episodes in {run.steps:,} steps", f"{mean:g}", path

    for seed, workers in ((0, 3), (1, 3), (1, 6)):
        run = train(cliff_world(), A3CConfig(num_workers=workers), seed=seed)
        changed(tab, lambda seed=seed: tab.get_by_label("Seed", exact=True).fill(str(seed + 100)))
        changed(tab, lambda seed=seed: tab.get_by_label("Seed", exact=True).fill(str(seed)))
        slider = tab.get_by_label("Workers N")
        while int(slider.get_attribute("aria-valuetext")) < workers:
            changed(tab, lambda: tab.get_by_label("Workers N").press("ArrowRight"))
        counts, mean, path = expected(run)
        text = result(tab).replace("−", "-")
        assert text.startswith(counts)
        assert f"episodes: {mean}. " in text
        if path.terminated:
            assert f"return {path.total_return:g} in {len(path.states) - 1} steps" in text


@pytest.mark.browser
def test_the_lab_draws_what_the_figures_draw(visit):
    """Logarithmic time, a mean per worker; a triangle per action, grey where no push came."""
    tab, _ = visit(LAB)
    run = train(cliff_world())
    grey, cells = never_pushed(run), map_cells(run.world)
    plot = tab.locator(".a3c-plot").first
    assert plot.locator(".a3c-own-mean").count() == 3
    points = plot.locator(".a3c-mean").get_attribute("d").count(" ")
    assert points == len(run.episodes)
    names = plot.locator(".a3c-name").all_text_contents()
    assert names == ["optimum −13", "safe detour −17"]
    ticks = plot.locator(".a3c-tick[text-anchor=middle]")
    assert ticks.all_text_contents()[:4] == ["100", "200", "500", "1,000"]
    at = [float(x) for x in ticks.evaluate_all("ts => ts.map(t => t.getAttribute('x'))")[:4]]
    assert at[3] - at[2] == pytest.approx(at[1] - at[0], abs=0.2)
    shades = "ts => ts.map(t => t.getAttribute('fill-opacity'))"
    shown = [float(one) for one in tab.locator(".a3c-wedge").evaluate_all(shades)]
    np.testing.assert_allclose(shown, run.policy[cells].ravel(), atol=6e-4)
    heatmap = tab.locator(".a3c-heatmap .a3c-shade").evaluate_all(shades)[:-24]  # but for the key
    np.testing.assert_allclose(
        [float(one) for one in heatmap], run.policy[~grey].ravel(), atol=6e-4
    )
    assert tab.locator(".a3c-heatmap .a3c-untouched").count() == 4 * grey.sum() == 44


@pytest.mark.browser
def test_the_code_shown_gives_the_run_shown(visit):
    """The call in the page, run in Python, ends with the parameters in the page."""
    tab, _ = visit(LAB)
    tab.evaluate(OPEN)
    tab.get_by_label("Schedule").select_option(label="random, the last worker slow")
    tab.get_by_label("Annealing").select_option(label="by the worker’s own")
    tab.get_by_label("RMSprop’s statistics").select_option(label="one set per worker")
    tab.get_by_label("Critic for").select_option(index=1)
    tab.get_by_label("Clipping").press("End")
    tab.get_by_label("Fixed window").press("ArrowRight")
    tab.get_by_label("Discount").press("ArrowLeft")
    tab.get_by_label("Pushes between").press("ArrowRight")
    tab.get_by_label("Environment steps").press("Home")
    tab.get_by_label("Seed", exact=True).fill("12")
    # Answers to the moves before may still be on their way: this one names the seed.
    tab.locator(".a3c-more code").filter(has_text="seed=12").wait_for()
    names = {}
    exec(tab.locator(".a3c-more code").inner_text(), names)
    ours = names["result"]
    assert (ours.total_steps, ours.seed, ours.config.window) == (5000, 12, 1)
    assert (ours.config.max_grad_norm, ours.config.critic, ours.config.gamma) == (
        None,
        "global",
        0.98,
    )
    assert f"{len(ours.episodes):,} episodes in {ours.steps:,} steps" in result(tab)


@pytest.mark.browser
def test_the_recorded_schedule_replays_in_the_lab(visit):
    tab, _ = visit(LAB)
    changed(tab, lambda: tab.get_by_label("Schedule").select_option(value="3"))
    text = result(tab)
    assert "replays a run of three real processes" in text
    assert re.search(r"ended with is (0|\d\.\d+e−1\d)\.$", text), text
    changed(tab, lambda: tab.get_by_label("Workers N").press("ArrowRight"))
    assert tab.get_by_label("Schedule").evaluate("e => e.options[3].disabled")
    assert "replays" not in result(tab)


@pytest.mark.browser
def test_a_run_that_diverges_says_so(visit):
    tab, seen = visit(LAB)
    tab.get_by_text("How gradients are applied").click()
    tab.get_by_label("Optimizer").select_option(label="SGD")
    assert not tab.get_by_label("RMSprop’s statistics").is_visible()
    tab.get_by_label("Clipping").press("End")
    tab.get_by_label("Step size of the actor").press("End")
    changed(tab, lambda: tab.get_by_label("Step size of the critic").press("End"))
    assert seen.errors == []
    assert tab.locator(".a3c-plot svg").count() >= 2
    assert len(result(tab)) > 20


@pytest.mark.browser
def test_the_lab_by_keyboard_alone(visit):
    """Tab reaches everything that can be used, in the order in which it stands there."""
    tab, _ = visit(LAB)
    tab.get_by_label("World").focus()
    reached = []
    for _ in range(40):
        here = tab.evaluate("""() => { const e = document.activeElement;
          return e.closest(".a3c-live") ? [e.tagName, e.labels?.[0]?.textContent ||
            e.getAttribute("aria-label") || e.textContent] : null }""")
        if here is None:
            break
        reached.append(here[1])
        if here[0] == "SUMMARY":
            tab.keyboard.press("Enter")
        tab.keyboard.press("Tab")
    for name in ("World", "Workers N", "Seed", "Discount γ", "Annealing of the step sizes",
                 "Environment steps", "Train 30 seeds", "Table of the policy"):  # fmt: skip
        assert name in reached
    tab.get_by_role("button", name="Train 30 seeds").focus()
    changed(tab, lambda: tab.keyboard.press("Enter"))
    assert "30 seeds" in result(tab)
    tab.get_by_label("World").focus()
    changed(tab, lambda: tab.keyboard.press("ArrowDown"))
    assert (
        tab.locator(".a3c-map svg")
        .get_attribute("aria-label")
        .startswith("Map of the policy on the grid of 6 × 6")
    )


@pytest.mark.browser
def test_many_seeds_are_pythons(visit):
    tab, _ = visit(OTHER)
    tab.get_by_label("World").select_option(label="corridor of 12")
    changed(tab, lambda: tab.get_by_label("Entropy").press("ArrowLeft"))
    changed(tab, lambda: tab.get_by_role("button", name="Train 3 seeds").click())
    config = A3CConfig(num_workers=1, max_grad_norm=None, lr_anneal="global", entropy_coef=0.005)
    world = live._WORLDS["corridor"].make()
    finals = [final_return(train(world, config, total_steps=20_000, seed=s)) for s in (7, 8, 9)]
    text = result(tab)
    assert f"mean of the last 100 episodes {float(f'{np.mean(finals):.3g}'):g}," in text
    assert tab.locator(".a3c-band").count() == 1
    changed(tab, lambda: tab.get_by_label("Seed", exact=True).fill("8"))
    assert tab.locator(".a3c-band").count() == 0, "a new run is not those seeds any more"


@pytest.mark.browser
def test_the_latest_wish_wins(visit):
    """Seeds under way are dropped when a slider moves, and what comes is what was asked last."""
    tab, _ = visit(LAB)
    tab.get_by_role("button", name="Train 30 seeds").click()
    for seed in ("5", "6", "1"):
        tab.get_by_label("Seed", exact=True).fill(seed)
    done(tab)
    tab.wait_for_timeout(1500)
    run = train(cliff_world(), seed=1)
    assert result(tab).startswith(f"{len(run.episodes):,} episodes")
    assert not tab.locator("progress").is_visible()


@pytest.mark.browser
def test_the_time_that_it_takes(visit, capsys):
    """Reported, not judged: other work on the machine decides too."""
    tab, _ = visit(LAB)
    times = []
    for _ in range(10):
        changed(tab, lambda: tab.get_by_label("Entropy").press("ArrowRight"))
        times.append(float(tab.locator("[data-a3c]").get_attribute("data-milliseconds")))
        if len(times) == 5:
            tab.get_by_label("Entropy").press("Home")
    changed(tab, lambda: tab.get_by_role("button", name="Back to the defaults").click())
    changed(tab, lambda: tab.get_by_role("button", name="Train 30 seeds").click())
    seeds = float(tab.locator("[data-a3c]").get_attribute("data-milliseconds"))
    with capsys.disabled():
        print(
            f"\nlive lab, 60,000 steps: on the screen {np.median(times):.0f} ms after a move "
            f"(median of {len(times)}, at most {max(times):.0f}); 30 seeds: {seeds:.0f} ms"
        )


# --- The stepper ------------------------------------------------------------------------------


def moments(tab):
    return tab.locator(".a3c-result").first


@pytest.mark.browser
def test_the_stepper_goes_through_a_turn(visit):
    tab, _ = visit(STEPPER)
    forward = tab.get_by_role("button", name="Forward")
    said = []
    for _ in range(6):
        forward.click()
        tab.wait_for_timeout(400)
        said.append(moments(tab).inner_text())
    assert [re.search(r"computes|pushes|syncs", text).group() for text in said] == [
        "computes", "pushes", "syncs"] * 2  # fmt: skip
    assert "Push 2, worker 1 computes" in said[3]
    assert "1 push has come since it was made" in said[3]
    tab.get_by_role("button", name="Back").click()
    tab.wait_for_timeout(400)
    assert moments(tab).inner_text() == said[4]
    slider = tab.get_by_label("Moment")
    slider.focus()
    tab.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext") == "72 of 72"
    assert tab.get_by_role("button", name="Forward").is_disabled()
    tab.keyboard.press("ArrowLeft")
    assert slider.get_attribute("aria-valuetext") == "71 of 72"


def order(tab):
    return [int(text) for text in tab.locator(".a3c-strip button").all_inner_texts()]


def distance_said(tab):
    text = result(tab)
    found = re.search(r"end (\S+) away", text)
    return None if found is None else float(found.group(1).replace("−", "-"))


@pytest.mark.browser
def test_another_order_ends_elsewhere(visit):
    """By buttons, by keyboard and by dragging; and the distance is the one that Python finds."""
    tab, seen = visit(STEPPER)
    first = order(tab)
    assert first == [i % 3 for i in range(24)]
    assert distance_said(tab) is None
    tab.locator(".a3c-strip button").nth(5).click()
    tab.get_by_role("button", name="Earlier").click()
    assert order(tab)[4:6] == [2, 1]
    by_hand = first.copy()
    by_hand[4:6] = [2, 1]
    original, other = (train(cliff_world(), schedule=s) for s in (first, by_hand))
    moved = original.theta - other.theta, original.state["V"] - other.state["V"]
    expected = np.sqrt(sum((part**2).sum() for part in moved))
    assert distance_said(tab) == pytest.approx(expected, rel=0.06)
    tab.locator(".a3c-strip button").nth(4).focus()
    tab.keyboard.press("Shift+ArrowRight")
    assert order(tab) == first
    assert distance_said(tab) is None
    tab.keyboard.press("ArrowRight")
    assert "push 7" in tab.evaluate("document.activeElement.getAttribute('aria-label')")
    box = tab.locator(".a3c-strip button").nth(2).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x, y)
    tab.mouse.down()
    for by in (20, 45, 80):
        tab.mouse.move(x + by, y)
    tab.mouse.up()
    assert order(tab)[:5] == [0, 1, 0, 1, 2]
    assert distance_said(tab) > 0
    tab.get_by_role("button", name="Original order").click()
    assert order(tab) == first
    assert seen.errors == []


def staleness_shown(tab):
    """What the table of pushes says, once it is there: it is filled after it is opened."""
    column = tab.locator(".a3c-table tbody tr td:nth-child(3)")
    column.first.wait_for()
    return [int(text) for text in column.all_inner_texts()]


@pytest.mark.browser
def test_a_slow_worker_pushes_old_gradients(visit):
    tab, _ = visit(STEPPER)
    tab.get_by_label("Slow worker").select_option(label="worker 2")
    tab.get_by_label("It is slower by").select_option(label="× 5")
    ids = order(tab)
    assert ids.count(2) < ids.count(0) / 3
    staleness = train(cliff_world(), schedule=ids).updates["staleness"]
    assert f"at most {staleness.max()}" in result(tab)
    tab.get_by_text("The pushes as a table").click()
    assert staleness_shown(tab) == staleness.tolist()


@pytest.mark.browser
def test_a_recorded_schedule_is_replayed(visit, tmp_path):
    tab, seen = visit(STEPPER)
    data, ids = live.load_recorded(RECORDED), live.recorded_schedule(RECORDED)
    recorded = train(cliff_world(), schedule=ids)
    begin = data["begin"]
    tab.get_by_label("Order of the pushes").first.select_option(value="recorded")
    assert order(tab) == recorded.schedule[begin : begin + 24].tolist()
    tab.get_by_text("The pushes as a table").click()
    assert staleness_shown(tab) == recorded.updates["staleness"][begin : begin + 24].tolist()
    path = tmp_path / "own.json"
    path.write_text(json.dumps([2, 1, 0, 0, 2, 1]))
    tab.get_by_label("Order of the pushes").first.select_option(value="own")
    tab.get_by_label("or a JSON file").set_input_files(path)
    tab.get_by_text("6 pushes read.").wait_for()
    assert order(tab) == [2, 1, 0, 0, 2, 1]
    field = tab.get_by_label("Worker ids, in push order")
    field.fill("0 1 7")
    field.press("Tab")
    assert field.get_attribute("aria-invalid") == "true"
    assert order(tab) == [2, 1, 0, 0, 2, 1]
    field.fill("[1, 1, 0]")
    field.press("Tab")
    assert order(tab) == [1, 1, 0]
    assert seen.errors == []


@pytest.mark.browser
def test_the_stepper_plays_by_itself(visit):
    tab, _ = visit(STEPPER)
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_timeout(1300)
    tab.get_by_role("button", name="Pause").click()
    here = int(tab.get_by_label("Moment").input_value())
    assert here >= 2
    tab.wait_for_timeout(700)
    assert int(tab.get_by_label("Moment").input_value()) == here


# --- The workers of the first page ------------------------------------------------------------


@pytest.mark.browser
def test_the_first_page_shows_the_run_that_python_trains(visit):
    """In five clicks, for readers who ask for less motion; the last one begins anew."""
    tab, _ = visit(PUSHES)
    element = tab.locator("[data-a3c=pushes]")
    button = element.get_by_role("button")
    run = train(cliff_world(), total_steps=60_000, schedule="random")
    for label, pushes in (
        ("See the first 30 pushes", 30), ("Go on to 300 pushes", 300),
        ("Go on to 1,000 pushes", 1_000), ("Go on to 3,000 pushes", 3_000),
        ("Go on to the end", len(run.updates)),
    ):  # fmt: skip
        assert button.inner_text() == label
        button.press("Enter")
        steps = run.updates["step"][pushes - 1]
        assert f"{pushes:,} pushes, {steps:,} steps." in result(tab)
        told = element.locator("svg text").filter(has_text=re.compile(r"^[\d,]+ push")).all()
        own = np.bincount(run.schedule[:pushes], minlength=3)
        assert [text.text_content() for text in told] == [f"{count:,} pushes" for count in own]
    mean = f"{final_return(run):.1f}".replace("-", "−")
    way = len(greedy_path(run.world, run.policy).states) - 1
    assert f"episodes returned {mean} on average; the best is −13." in result(tab)
    assert f"The way they found takes {way} steps." in result(tab)
    assert element.get_attribute("data-state") == "over"
    assert button.inner_text() == "Once more"
    button.click()
    assert "30 pushes, " in result(tab)


@pytest.mark.browser
def test_the_first_page_moves_at_a_click_and_not_before(visit):
    tab, seen = visit(PUSHES, motion="no-preference")
    button = tab.locator("[data-a3c=pushes]").get_by_role("button")
    picture = "document.querySelector('[data-a3c=pushes] svg').innerHTML"
    still = tab.evaluate(picture)
    tab.wait_for_timeout(500)
    assert tab.evaluate(picture) == still
    assert button.inner_text() == "Watch them learn"
    button.click()
    tab.wait_for_selector(".a3c-crewbox.a3c-on")
    assert button.inner_text() == "Pause"
    button.click()
    still = tab.evaluate(picture)
    assert re.search(r"[\d,]+ pushes, [\d,]+ steps", result(tab))
    assert tab.evaluate(picture) == still
    assert button.inner_text() == "Go on"
    assert seen.errors == []


@pytest.mark.browser
def test_the_first_page_is_done_in_half_a_minute(visit):
    """It begins with four pushes a second, and has made all of them after 20 seconds."""
    tab, _ = visit(PUSHES)
    when = "() => { const a3c = {}; for (const m of a3cModules) m(a3c); return %s }"
    assert tab.evaluate(when % "[0, 3, 6].map(t => a3c.due(t, 20000))") == [0, 12, 24]
    assert tab.evaluate(when % "a3c.due(20, 20000)") == 20_000
    moments = tab.evaluate(when % "Array.from({length: 201}, (_, i) => a3c.due(i / 10, 20000))")
    assert (np.diff(moments) >= 0).all()


# --- Cart-pole and pendulum -------------------------------------------------------------------


def train_on(tab):
    """Press the button that trains, for readers who ask for less motion, until the run is over."""
    button = tab.locator(".a3c-main")
    while "Train to" in button.inner_text():
        button.press("Enter")


def shown_run(tab):
    """The run in Python that the page names."""
    names = vars(networks) | vars(control) | {"train": train}
    return eval(tab.locator(".a3c-note code").inner_text(), names)


def whole_number(value):
    return f"{value:,.0f}".replace("-", "−")


@pytest.mark.browser
@pytest.mark.parametrize("world", ["CartPole", "Pendulum"])
def test_the_run_with_a_network_is_the_one_that_python_trains(visit, world):
    """In five clicks, with players that watch; other seeds are other runs."""
    tab, seen = visit(BALANCE)
    tab.get_by_role("radio", name="CartPole").focus()
    if world == "Pendulum":
        tab.keyboard.press("ArrowRight")
    seed = tab.get_by_label("Seed", exact=True)
    seed.fill("7")
    seed.press("Tab")
    train_on(tab)
    said = result(tab)
    run = shown_run(tab)
    returns = run.episodes["total_return"]
    assert (run.seed, run.world.name) == (7, f"{world}-v1")
    assert re.match(rf"{run.steps:,} steps in [\d.]+ s of computing, in this page\. ", said)
    assert f"The last 50 episodes returned {whole_number(returns[-50:].mean())} on average." in said
    label = tab.locator(".a3c-plot svg").get_attribute("aria-label")
    assert (
        f"returns of {len(returns):,} episodes over {run.steps:,} of {run.total_steps:,}" in label
    )
    if world == "CartPole":
        solved = np.flatnonzero(moving_average(returns, 50) >= 475)
        at = run.episodes["step"][49 + solved[0]]
        assert f"The mean of 50 reached 475 after {at:,} steps." in said
    marks = tab.locator(".a3c-plot .a3c-episode").all()
    assert sum(mark.get_attribute("d").count("M") for mark in marks) == len(returns)
    tab.get_by_role("button", name="Start over").click()
    assert "learned nothing yet" in result(tab)
    assert seen.errors == []


@pytest.mark.browser
def test_poles_move_at_a_click_and_not_before(visit):
    tab, seen = visit(BALANCE, motion="no-preference")
    picture = "document.querySelector('.a3c-balance').innerHTML"
    still = tab.evaluate(picture)
    tab.wait_for_timeout(400)
    assert tab.evaluate(picture) == still
    button = tab.locator(".a3c-main")
    assert button.inner_text() == "Start"
    button.click()
    tab.wait_for_selector("[data-a3c][data-state=training]")
    told = tab.locator(".a3c-told")
    told.filter(has_text="the last 50 returned").wait_for()
    assert button.inner_text() == "Pause"
    button.click()
    still = tab.evaluate(picture)
    steps = re.search(r"After ([\d,]+) steps", result(tab)).group(1)
    assert told.text_content().startswith(f"{steps} of 150,000 steps")
    assert not told.is_visible()
    assert tab.evaluate(picture) == still
    assert button.inner_text() == "Go on"
    tab.get_by_role("radio", name="Pendulum").check(force=True)
    assert button.inner_text() == "Start"
    assert tab.locator(".a3c-torque").count() == 2
    assert 'train("Pendulum-v1", seed=0' in tab.locator(".a3c-note").inner_text()
    assert seen.errors == []


@pytest.mark.browser
def test_poles_rest_while_nobody_can_see_them(visit):
    tab, _ = visit(BALANCE, motion="no-preference")
    tab.evaluate("document.querySelector('.a3c-live').before(Object.assign("
                 "document.createElement('div'), {id: 'far'}))")  # fmt: skip
    tab.locator(".a3c-main").click()
    tab.locator(".a3c-told").filter(has_text="episodes").wait_for()
    tab.evaluate("document.querySelector('#far').setAttribute('class', 'far'); "
                 "document.styleSheets[0].insertRule('.far { height: 300vh }')")  # fmt: skip
    tab.wait_for_timeout(300)
    told = tab.locator(".a3c-told").text_content()
    tab.wait_for_timeout(500)
    assert tab.locator(".a3c-told").text_content() == told
    tab.locator(".a3c-live").scroll_into_view_if_needed()
    tab.wait_for_timeout(500)
    assert tab.locator(".a3c-told").text_content() != told


@pytest.mark.browser
def test_training_leaves_the_page_its_time(visit):
    """A frame trains for so many milliseconds and no longer, however much there is to do."""
    tab, _ = visit(BALANCE)
    steps = tab.evaluate(
        """asked => {
          const a3c = {};
          for (const module of a3cModules) module(a3c);
          const learning = new a3c.Learning(asked, 0);
          const after = [3000, 150000].map(steps => (learning.go_on(steps, 9), learning.steps));
          learning.go_on(5000);
          return [...after, learning.steps];
        }""",
        balance.balance_data()["worlds"][0],
    )
    assert 0 < steps[0] <= steps[1] < 150_000
    assert steps[2] == steps[1] or 5_000 <= steps[2] < 5_016, "a rollout may go beyond"


# --- Everybody --------------------------------------------------------------------------------

# Everything open, everything run.
OPEN = "() => document.querySelectorAll('.a3c-live details').forEach(d => d.open = true)"


@pytest.mark.browser
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("page", [LAB, STEPPER, PUSHES, BALANCE, DRAW])
def test_an_element_is_accessible(visit, page, mode, width):
    """With everything open, after it ran; nothing is wider than a phone."""
    tab, _ = visit(page, mode=mode, width=width)
    assert tab.evaluate("document.documentElement.dataset.theme") == mode
    tab.evaluate(OPEN)
    if page == STEPPER:
        tab.get_by_role("button", name="Forward").click()
        tab.get_by_label("Order of the pushes").first.select_option(value="own")
        tab.locator(".a3c-strip button").nth(1).click()
        tab.get_by_role("button", name="Later").click()
    elif page == PUSHES:
        tab.get_by_role("button").last.click()
    elif page in (BALANCE, DRAW):
        tab.locator(".a3c-main").click()
    else:
        changed(tab, lambda: tab.get_by_role("button", name=re.compile("Train")).click())
    tab.wait_for_timeout(900)
    assert axe_violations(tab) == []
    too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert tab.evaluate(too_wide) <= 0
    unnamed = """() => [...document.querySelectorAll('.a3c-live svg:not([aria-hidden])')]
      .filter(svg => svg.getAttribute('role') !== 'img' || !(svg.ariaLabel?.length > 30))
      .map(svg => svg.outerHTML.slice(0, 80))"""
    assert tab.evaluate(unnamed) == []


@pytest.mark.browser
def test_nothing_is_said_while_things_move(visit):
    """Many moves of a slider, one announcement; and none for opening the page."""
    tab, _ = visit(LAB)
    tab.wait_for_timeout(1000)
    tab.evaluate("""() => { window.said = 0; new MutationObserver(() => window.said++).observe(
      document.querySelector(".a3c-result"), { childList: true, characterData: true }) }""")
    for _ in range(6):
        tab.get_by_label("Rollout length").press("ArrowRight")
    tab.wait_for_timeout(1500)
    assert tab.evaluate("window.said") <= 3
    assert tab.locator(".a3c-result").get_attribute("role") == "status"


def test_wrong_options_turn_the_build_red(tmp_path):
    wrong = {
        ":worlds: nowhere": "allowed: some of cliff",
        ":config: gamma=2": "gamma is 2; allowed",
        ":config: speed=2": "A3CConfig has no 'speed'",
    }
    pages = {
        f"page{i}.md": f"# Page {i}\n\n```{{a3c-live}}\n{option}\n```\n"
        for i, option in enumerate(wrong)
    }
    write_book(tmp_path / "b", pages)
    built = build_book(tmp_path / "b")
    assert built.returncode != 0
    said = built.stdout + built.stderr
    assert [message for message in wrong.values() if message not in said] == []
