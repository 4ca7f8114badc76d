"""Every exercise: its stub gets a hint, each wrong answer its own, the solution passes."""

import inspect
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest

from a3c_tut import A3CConfig, TableWorld, cliff_world, train
from a3c_tut.book import exercises, plain
from a3c_tut.book.exercises import EXERCISES, check, find, plot_symptom
from a3c_tut.book.exercises.exercise import SilentBug, source_of

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "book" / "tools"))

import exercise_cells  # noqa: E402

NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
BUGS = [name for name, exercise in EXERCISES.items() if issubclass(exercise, SilentBug)]
WRONG = [
    pytest.param(name, hint, function, id=f"{name}-{function.__name__}")
    for name, exercise in EXERCISES.items()
    for hint, function in exercise.mistakes()
]
#: The seed's six sections, by the pages that they are on.
CHAPTERS = {
    1: ["introduction"],
    2: ["objective", "updates", "stability"],
    3: ["cpu_training", "sparse_rewards", "control", "best_practices"],
    4: ["python_practice", "capstone"],
    5: ["result"],
    6: ["summary"],
}


@pytest.mark.parametrize("name", EXERCISES)
class TestEach:
    def test_stub_is_told_where_to_begin(self, name):
        said = check(name, find(name).stub)
        assert said == find(name).begin
        assert not said.startswith("Right")

    def test_solution_is_right(self, name):
        said = check(name, find(name).solution)
        assert said == find(name).right
        assert said.startswith("Right")

    def test_nothing_at_all_is_told_so(self, name):
        assert not check(name, lambda *_: None).startswith("Right")

    def test_an_error_in_the_answer_is_reported(self, name):
        def broken(*_):
            raise KeyError("a slip")

        assert check(name, broken) == "The function raises KeyError: 'a slip'"

    def test_knows_usual_mistakes(self, name):
        hints = [hint for hint, _ in find(name).mistakes()]
        assert len(hints) >= (1 if issubclass(find(name), SilentBug) else 2)
        assert len({*hints, find(name).begin, find(name).right}) == len(hints) + 2

    def test_what_the_page_shows_stands_alone(self, name):
        """The cells hold these sources; they need NumPy and what they are given."""
        for part, works in (("stub", False), ("solution", True)):
            room = {"np": np, **find(name).given()}
            exec(source_of(getattr(find(name), part), "answer"), room)
            assert check(name, room["answer"]).startswith("Right") == works

    def test_stub_and_solution_take_the_same(self, name):
        exercise = find(name)
        functions = [exercise.stub, exercise.solution, *(f for _, f in exercise.mistakes())]
        assert len({tuple(inspect.signature(f).parameters) for f in functions}) == 1

    def test_task_says_what_to_do(self, name):
        assert len(find(name).task()) > 60
        assert find(name).title


@pytest.mark.parametrize("name, hint, function", WRONG)
def test_a_wrong_answer_gets_its_own_hint(name, hint, function):
    assert check(name, function) == hint


@pytest.mark.parametrize("name", BUGS)
class TestSilentBug:
    def test_the_test_catches_it(self, name):
        bug = find(name)
        bug.test(bug.solution)
        with pytest.raises(AssertionError):
            bug.test(bug.stub)

    @pytest.mark.slow
    def test_the_symptom_is_seen(self, name, monkeypatch):
        """Two curves, several seeds, and at the end they are apart by more than their spread."""
        bug = find(name)
        seen = bug.symptom()
        wrong, right = (np.asarray(rows, dtype=float) for rows in seen.curves.values())
        assert wrong.shape == right.shape == (len(wrong), len(np.asarray(seen.x)))
        assert len(wrong) >= 5
        spread = wrong[:, -1].std() + right[:, -1].std()
        assert abs(wrong[:, -1].mean() - right[:, -1].mean()) > spread
        monkeypatch.setattr(bug, "symptom", staticmethod(lambda: seen))
        assert len(plot_symptom(name).axes[0].get_legend().get_texts()) == 2
        assert len(bug.alt) > 40
        assert bug.found_in


@pytest.mark.parametrize(
    "name, wrong, hint",
    [
        ("advantages", lambda right: lambda *asked: 3.0 * right(*asked), "3 times what it should"),
        ("advantages", lambda right: lambda *asked: right(*asked) - 0.5, "differs by -0.5 from"),
        ("moving_mean", lambda right: lambda *asked: [0.0, *right(*asked)[1:]], "at index 0"),
        ("staleness", lambda right: lambda s, n: right(s, n) if s[1] else [9] * len(s), "1 of 2"),
        ("worker_seeds", lambda right: lambda seed, n: np.random.default_rng().random(n), "repeat"),
    ],
)  # fmt: skip
def test_what_has_no_name_gets_a_second_hint(name, wrong, hint):
    assert hint in check(name, wrong(find(name).solution))


def test_three_a_chapter_one_of_them_a_silent_bug():
    assert {page for pages in CHAPTERS.values() for page in pages} >= {
        exercise.page for exercise in EXERCISES.values()
    }
    for chapter, pages in CHAPTERS.items():
        mine = [exercise for exercise in EXERCISES.values() if exercise.page in pages]
        assert len(mine) >= 3, f"chapter {chapter}"
        assert sum(issubclass(exercise, SilentBug) for exercise in mine) >= 1, f"chapter {chapter}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_page_shows_what_the_source_says(path):
    notebook = nbformat.read(path, as_version=4)
    before = [cell.source for cell in notebook.cells]
    asked = {exercise_cells.exercise_in(cell) for cell in notebook.cells} - {None}
    assert asked == {name for name, exercise in EXERCISES.items() if exercise.page == path.stem}
    after = [cell.source for cell in exercise_cells.with_exercises(notebook).cells]
    assert after == before, "run book/tools/exercise_cells.py, then make notebooks"


@pytest.mark.parametrize(
    "world, settings",
    [
        (cliff_world(), {}),
        (cliff_world(), {"optimizer": "sgd", "max_grad_norm": None, "num_workers": 2}),
        (cliff_world(), {"max_episode_steps": 17, "rollout_length": (1, 5, 7)}),
        (TableWorld.from_gymnasium("FrozenLake-v1"), {"reward_scale": 1.0, "entropy_coef": 0.1}),
    ],
)
def test_the_plain_learner_is_the_engine(world, settings):
    """What the silent bugs break is the algorithm of the book."""
    config = A3CConfig(**settings)
    engine = train(world, config, total_steps=6_000, seed=5)
    ours = plain.learn(world, config, total_steps=6_000, seed=5)
    np.testing.assert_allclose(ours.theta, engine.theta, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours.V, engine.state["V"], rtol=1e-7, atol=1e-9)
    assert ours.steps.tolist() == engine.episodes["step"].tolist()
    np.testing.assert_allclose(ours.returns, engine.episodes["total_return"])


def test_unknown_names_are_refused():
    with pytest.raises(
        ValueError, match=r"no exercise is called 'stalenes'; there are .*staleness"
    ):
        exercises.find("stalenes")
    with pytest.raises(ValueError, match="'staleness' is no silent bug"):
        plot_symptom("staleness")
