"""The JavaScript twin of the package, for the tests that run it in a page."""

import ast
import re
from pathlib import Path

import numpy as np

STATIC = Path(__file__).resolve().parents[1] / "book" / "static"
TWIN = (
    "random", "portable", "kernels", "log", "buffers", "turn", "networks", "motion", "network",
    "network_turn", "training", "worker", "worlds",
)  # fmt: skip

#: Trains what it is asked for, to the end.
RUN = """asked => {
  const columns = rows => Object.fromEntries(
    Object.entries(rows).map(([name, column]) => [name, Array.from(column)]));
  const run = a3c.train(asked);
  let turn; do { turn = run.next(); } while (!turn.done);
  const { theta, V, episodes, updates, steps, diverged } = turn.value;
  return { theta: Array.from(theta), V: Array.from(V), episodes: columns(episodes),
           updates: columns(updates), steps, diverged };
}"""


def sources():
    """Return the source of every part of the twin, in order."""
    return [(STATIC / "live" / f"{name}.js").read_text(encoding="utf-8") for name in TWIN]


def functions_of(module):
    """The functions of a Python module in order, each with the names that it calls."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    return {
        node.name: {
            call.func.id
            for call in ast.walk(node)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        }
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }


def functions_in_script(name):
    source = (STATIC / "live" / f"{name}.js").read_text(encoding="utf-8")
    return re.findall(r"^  function\*? (\w+)\(", source, re.M)


def same_bits(ours, theirs):
    """Whether two columns are equal to the last bit; NaN equals NaN."""
    return np.array_equal(np.ravel(ours), np.array(theirs, dtype=float), equal_nan=True)


#: Runs the cases with a changed twin, until one comes out otherwise; tells which.
MUTANT = """sources => {
  const before = globalThis.a3cModules;
  const differ = (ours, theirs) =>
    ours.length !== theirs.length || ours.some((v, i) => v !== theirs[i]);
  globalThis.a3cModules = [];
  const a3c = {};
  try {
    for (const source of sources) new Function(source)();
    for (const module of a3cModules) module(a3c);
    return cases.findIndex(({ asked, theta, V, staleness, entropy, returns, truncated }) => {
      const run = a3c.train(asked);
      let turn; do { turn = run.next(); } while (!turn.done);
      const { episodes, updates } = turn.value;
      return differ(theta, turn.value.theta) || differ(V, turn.value.V) ||
        differ(staleness, updates.staleness) || differ(entropy, updates.entropy) ||
        differ(returns, episodes.total_return ?? []) ||
        differ(truncated, episodes.truncated ?? []);
    });
  } finally { globalThis.a3cModules = before; }
}"""


def what_it_comes_to(asked, result):
    """What the twin is to come to when it is asked for a run: the run in Python."""
    state, episodes, updates = result.state, result.episodes, result.updates
    return {
        "asked": asked,
        "theta": state["theta"].ravel().tolist(),
        "V": state["V"].tolist(),
        "staleness": updates["staleness"].tolist(),
        "entropy": updates["entropy"].tolist(),
        "truncated": episodes["truncated"].astype(int).tolist(),
        "returns": episodes["total_return"].tolist(),
    }


def unnoticed(page, cases, slips):
    """The slips (part, text, other text) that change no case; without any, none differs."""
    page.evaluate("cases => { window.cases = cases }", cases)
    same = -1
    assert page.evaluate(MUTANT, sources()) == same
    missed = []
    for name, old, new in slips:
        texts = sources()
        at = TWIN.index(name)
        assert old in texts[at], f"{name}.js no longer holds {old!r}: choose another slip"
        texts[at] = texts[at].replace(old, new)
        if page.evaluate(MUTANT, texts) == same:
            missed.append((name, old, new))
    return missed
