"""The script, end to end: what it writes, what it says, and how it stops."""

from __future__ import annotations

import csv
import importlib
import os
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import a3c_tut
from a3c_tut import A3CConfig, TrainingResult, cliff_world, figures, train
from a3c_tut.experiments import recent_means
from a3c_tut.files import check_folder
from a3c_tut.gen_a3c_figures import main, other_runs

FILES = [
    "figure_1.csv", "figure_1.png", "figure_1.svg", "figure_2.csv", "figure_2.png", "figure_2.svg",
    "run.npz",
]  # fmt: skip
SCRIPT = [sys.executable, "-W", "error", "-m", "a3c_tut.gen_a3c_figures"]
STEPS = "4000"


def in_folder(path: Path) -> list[str]:
    """Everything in it, hidden and temporary files too."""
    return sorted(os.listdir(path))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What one run of the script wrote and said."""
    folder = tmp_path_factory.mktemp("script") / "a new" / "folder"
    done = subprocess.run(
        [*SCRIPT, "--out", folder, "--steps", STEPS, "--seed", "3"],
        capture_output=True, text=True, encoding="utf-8", check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.mark.slow
class TestOutput:
    def test_files(self, written):
        folder, _ = written
        assert in_folder(folder) == FILES
        assert (folder / "figure_1.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert "<svg" in (folder / "figure_1.svg").read_text(encoding="utf-8")
        umask = os.umask(0)
        os.umask(umask)
        modes = {(folder / name).stat().st_mode & 0o777 for name in FILES}
        assert modes == {0o666 & ~umask}

    def test_says_what_it_found(self, written):
        folder, done = written
        result = TrainingResult.load(folder / "run.npz")
        said = done.stdout
        assert said.startswith("cliff-world 4 × 12, 3 workers, seed 3\n")
        assert f"{result.steps:,} steps, {len(result.updates):,} updates" in said
        assert f"{len(result.episodes):,} episodes" in said
        mean = result.episodes["total_return"][-100:].mean()
        assert f"mean return of the last 100 episodes: {mean:.2f}" in said
        assert "optimum -13, safe detour -17" in said
        assert "greedy policy:" in said
        assert "trained in" in said
        for name in FILES:
            assert str(folder / name) in said

    def test_shows_progress(self, written):
        assert "100%" in written[1].stderr
        assert "step/s" in written[1].stderr

    def test_data_behind_figure_1(self, written):
        folder, _ = written
        episodes = TrainingResult.load(folder / "run.npz").episodes
        with open(folder / "figure_1.csv", encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert header == ["worker", "total_return", "length", "step", "truncated"]
        assert [float(row[1]) for row in rows] == episodes["total_return"].tolist()
        assert [int(row[3]) for row in rows] == episodes["step"].tolist()

    def test_data_behind_figure_2(self, written):
        folder, _ = written
        policy = TrainingResult.load(folder / "run.npz").policy
        with open(folder / "figure_2.csv", encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        assert header == ["state", "up", "right", "down", "left"]
        assert [[float(p) for p in row[1:]] for row in rows] == policy.tolist()
        assert [int(row[0]) for row in rows] == list(range(48))

    def test_is_what_train_returns(self, written):
        """The run is the one that anybody gets who asks `train` for the same."""
        loaded = TrainingResult.load(written[0] / "run.npz")
        result = train(cliff_world(), A3CConfig(), total_steps=int(STEPS), seed=3)
        assert np.array_equal(loaded.theta, result.theta)
        assert np.array_equal(loaded.episodes, result.episodes)

    def test_same_seed_same_bytes(self, written, tmp_path):
        """In another process, into a folder that holds an older run: every file the same."""
        folder, _ = written
        (tmp_path / "figure_1.png").write_bytes(b"an older run")
        assert main(["--out", str(tmp_path), "--steps", STEPS, "--seed", "3", "--quiet"]) == 0
        assert in_folder(tmp_path) == FILES
        for name in FILES:
            assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name

    def test_other_seed_other_bytes(self, written, tmp_path, capsys):
        folder, _ = written
        assert main(["--out", str(tmp_path), "--steps", STEPS, "--seed", "4", "--quiet"]) == 0
        for name in FILES:
            assert (tmp_path / name).read_bytes() != (folder / name).read_bytes(), name
        assert capsys.readouterr().err == ""

    def test_settings(self, tmp_path, capsys):
        asked = ["--num-workers", "2", "--rollout-length", "3", "--entropy-coef", "0.1"]
        assert main(["--out", str(tmp_path), "--steps", "900", "--quiet", *asked]) == 0
        config = TrainingResult.load(tmp_path / "run.npz").config
        assert config == A3CConfig(num_workers=2, rollout_length=3, entropy_coef=0.1)
        assert "2 workers" in capsys.readouterr().out

    def test_few_steps(self, tmp_path, capsys):
        """Not one episode has ended: still two figures."""
        assert main(["--out", str(tmp_path), "--steps", "10", "--quiet"]) == 0
        assert in_folder(tmp_path) == FILES
        assert "no episode has ended" in capsys.readouterr().out

    def test_installed_command(self, tmp_path):
        command = Path(sysconfig.get_path("scripts")) / "a3c-figures"
        if not command.exists():
            command = command.with_suffix(".exe")
        if not command.exists():
            pytest.skip("the package is not installed")
        done = subprocess.run(
            [command, "--out", tmp_path, "--steps", "500"], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert in_folder(tmp_path) == FILES


# --- what it refuses ---------------------------------------------------------------------------


class TestRefused:
    @pytest.mark.parametrize(
        "asked, message",
        [
            (["--steps", "0"], "total_steps is 0; allowed: a whole number from 1"),
            (["--seed", "-1"], "seed is -1; allowed: a whole number from 0"),
            (["--num-workers", "0"], "num_workers is 0; allowed: a whole number from 1"),
            (["--rollout-length", "0"], "rollout_length is 0; allowed: a whole number from 1"),
            (["--entropy-coef", "-1"], "entropy_coef is -1.0; allowed: a number from 0"),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_settings(self, asked, message, tmp_path, capsys):
        assert main(["--out", str(tmp_path), *asked]) == 2
        said = capsys.readouterr()
        assert said.err.startswith(f"a3c-figures: {message}")
        assert said.out == ""
        assert in_folder(tmp_path) == []

    @pytest.mark.parametrize("asked", [["--steps", "many"], ["--colour", "red"]], ids=str)
    def test_command_line(self, asked, capsys):
        with pytest.raises(SystemExit) as stopped:
            main(asked)
        assert stopped.value.code == 2
        assert "usage: a3c-figures" in capsys.readouterr().err

    def test_folder_under_a_file(self, tmp_path, capsys, monkeypatch):
        """Said before training, not after."""
        (tmp_path / "file").write_text("")
        monkeypatch.setattr("a3c_tut.gen_a3c_figures.train", lambda *_, **__: 1 / 0)
        for out in (tmp_path / "file" / "figures", tmp_path / "file"):
            assert main(["--out", str(out)]) == 2
            said = capsys.readouterr().err
            assert f"folder is {str(out)!r}, which cannot be written" in said
            assert "allowed: a folder with write permission" in said

    def test_check_folder(self, tmp_path):
        """Makes the folder, and leaves nothing in it."""
        path = check_folder(tmp_path / "one" / "two")
        assert path.is_dir()
        assert in_folder(path) == []
        assert check_folder(str(path)) == path


# --- Ctrl-C ------------------------------------------------------------------------------------


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the script as a terminal does, where Ctrl-C is not ignored."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from a3c_tut.gen_a3c_figures import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-u", "-c", code, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip


def wait_for(stream, text: str) -> None:
    """Read on until the text has come."""
    seen = ""
    while text not in seen:
        character = stream.read(1)
        assert character, f"ended before {text!r}: {seen}"
        seen += character


def interrupt(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C; return what the script then says."""
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert "Traceback" not in error
    return error


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to a single process")
@pytest.mark.slow
class TestInterrupted:
    def test_while_training(self, tmp_path):
        (tmp_path / "figure_1.png").write_bytes(b"an older run")
        process = start("--out", str(tmp_path), "--steps", "2000000000")
        wait_for(process.stderr, "step/s")
        assert "a3c-figures: stopped; no half-written file is left" in interrupt(process)
        assert in_folder(tmp_path) == ["figure_1.png"]
        assert (tmp_path / "figure_1.png").read_bytes() == b"an older run"

    @pytest.mark.parametrize("file", ["figure_1.csv", "figure_1.svg", "figure_2.png"])
    def test_while_drawing(self, written, file, tmp_path):
        """After some file was written: what is there is whole, and nothing else is."""
        folder, _ = written
        process = start("--out", str(tmp_path), "--steps", STEPS, "--seed", "3", "--quiet")
        while not (tmp_path / file).exists():
            assert process.poll() is None, process.stderr.read()
        assert "stopped" in interrupt(process)
        left = in_folder(tmp_path)
        assert file in left
        assert len(left) < len(FILES)
        for name in left:
            assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name

    @pytest.mark.parametrize("broken", [0, 2, 6])
    def test_in_the_middle_of_any_file(self, broken, tmp_path, monkeypatch):
        """The replacing of the file is where it is stopped: no temporary file stays."""
        replaced = []

        def stop(source, target):
            if len(replaced) == broken:
                raise KeyboardInterrupt
            replaced.append(os.path.basename(target))
            os.rename(source, target)

        monkeypatch.setattr("a3c_tut.files.os.replace", stop)
        arguments = ["--out", str(tmp_path), "--steps", "600", "--quiet"]
        assert main(arguments) == 130
        assert in_folder(tmp_path) == FILES[:broken] == replaced


# --- the figures -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    return train(cliff_world(), total_steps=20_000, seed=1)


class TestFigure1:
    def test_every_episode_of_every_worker(self, result):
        """All of them: their number is the number of episodes, worker by worker."""
        axes = figures.plot_returns(result).axes[0]
        points = [line for line in axes.lines if line.get_marker() not in ("", "None", None)]
        assert len(points) == 3
        for worker, line in enumerate(points):
            own = result.episodes[result.episodes["worker"] == worker]
            assert line.get_xdata().tolist() == own["step"].tolist()
            assert line.get_ydata().tolist() == own["total_return"].tolist()
            assert line.get_alpha() < 0.5
            assert f"worker {worker}, {len(own):,} episodes" == line.get_label()
        assert sum(len(line.get_xdata()) for line in points) == len(result.episodes)
        low, high = axes.get_ylim()
        assert low < result.episodes["total_return"].min()
        assert high > result.episodes["total_return"].max()

    def test_learning_has_room(self, result):
        """The steps until the mean is above −100 take at least half of the width."""
        axes = figures.plot_returns(result).axes[0]
        (mean,) = [line for line in axes.lines if line.get_label().startswith("mean of")]
        learned = mean.get_xdata()[np.argmax(np.asarray(mean.get_ydata()) > -100.0)]
        place = axes.transAxes.inverted().transform(axes.transData.transform((learned, -100.0)))
        assert 0.5 < place[0] < 0.95
        assert axes.get_xlim()[0] < result.episodes["step"].min()
        assert axes.get_xlim()[1] >= 20_000

    def test_lines(self, result):
        """The average of all workers together, and the two returns worth knowing."""
        axes = figures.plot_returns(result, window=50).axes[0]
        lines = {line.get_label(): line for line in axes.lines}
        average = lines["mean of the last 50 episodes"]
        returns = result.episodes["total_return"]
        wanted = [returns[max(0, i - 50) : i].mean() for i in range(1, len(returns) + 1)]
        np.testing.assert_allclose(average.get_ydata(), wanted)
        assert average.get_xdata().tolist() == result.episodes["step"].tolist()
        assert set(lines["optimum (−13)"].get_ydata()) == {-13.0}
        assert set(lines["safe detour (−17)"].get_ydata()) == {-17.0}
        styles = {lines[name].get_linestyle() for name in ("optimum (−13)", "safe detour (−17)")}
        assert len(styles) == 2
        assert "-" not in styles

    def test_every_worker_has_a_mean_of_its_colour(self, result):
        axes = figures.plot_returns(result, window=50).axes[0]
        for worker in range(3):
            marks, mean = (
                next(line for line in axes.lines if line.get_label().startswith(label))
                for label in (f"worker {worker}, ", f"worker {worker}, its mean")
            )
            assert marks.get_color() == mean.get_color()
            own = result.episodes["total_return"][result.episodes["worker"] == worker]
            wanted = [own[max(0, i - 17) : i].mean() for i in range(1, len(own) + 1)]
            np.testing.assert_allclose(mean.get_ydata(), wanted)

    def test_names_stand_beside_what_they_name(self, result):
        """Workers at their first episode, none on another; the dashed lines at their height."""
        axes = figures.plot_returns(result).axes[0]
        there = {text.get_text(): text for text in axes.texts}
        assert set(there) == {*(f"worker {w}" for w in range(3)), "optimum −13", "safe detour −17"}
        heights = []
        for worker in range(3):
            first = result.episodes[result.episodes["worker"] == worker][0]
            assert tuple(there[f"worker {worker}"].xy) == (first["step"], first["total_return"])
            heights.append(there[f"worker {worker}"].get_position()[1])
        assert np.diff(sorted(heights)).min() > 0.05
        assert there["optimum −13"].xy[1] == -13.0

    def test_the_band_holds_most_other_runs(self, result):
        others = [train(cliff_world(), total_steps=20_000, seed=seed) for seed in range(2, 22)]
        axes = figures.plot_returns(result, others=others).axes[0]
        (band,) = axes.collections
        edge = band.get_paths()[0].vertices
        at = edge[np.abs(edge[:, 0] - 10_000).argmin(), 0]
        low, high = (end(edge[edge[:, 0] == at, 1]) for end in (np.min, np.max))
        means = [
            recent_means(run.episodes["total_return"], 50)[
                np.searchsorted(run.episodes["step"], at, side="right") - 1
            ]
            for run in others
        ]
        assert ((low <= np.array(means)) & (np.array(means) <= high)).sum() == 18
        assert band.get_label() == "nine in ten of 20 other seeds"

    def test_words(self, result):
        axes = figures.plot_returns(result).axes[0]
        assert axes.get_xlabel() == "environment steps of all workers together"
        assert axes.get_ylabel() == "return of the episode (sum of its rewards)"

    def test_the_file_is_this_figure(self, written):
        """What was counted above is what the script wrote."""
        from io import BytesIO

        folder, _ = written
        again = BytesIO()
        loaded = TrainingResult.load(folder / "run.npz")
        others = other_runs(loaded.world, loaded.config, loaded.total_steps)
        figures.save_figure(figures.plot_returns(loaded, others=others), again, "svg")
        assert again.getvalue() == (folder / "figure_1.svg").read_bytes()


class TestFigure2:
    def test_heatmap(self, result):
        """Actions × states, probabilities from 0 to 1; grey where nobody ever acted."""
        heatmap = figures.plot_policy(result).axes[1]
        (image,) = heatmap.images
        np.testing.assert_array_equal(image.get_array().data, result.policy.T)
        assert image.get_clim() == (0.0, 1.0)
        assert heatmap.get_xlabel() == "state"
        assert [t.get_text() for t in heatmap.get_yticklabels()] == ["up", "right", "down", "left"]
        grey = image.get_array().mask
        assert not grey[:, :37].any()
        assert grey[:, 37:].all()
        red, green, blue, _ = image.cmap(image.norm(image.get_array()))[0, -1]
        assert red == green == blue

    def test_a_state_that_was_pushed_is_not_grey(self):
        """Also when it holds a probability of a quarter again; only what was never touched is."""
        short = train(cliff_world(), total_steps=30)
        acted = np.zeros(48, dtype=bool)
        acted[figures.map_cells(short.world)] = True
        never = figures.never_pushed(short)
        assert never[~acted].all()
        assert not never[36]
        assert never.sum() > 20

    def test_colour_bar(self, result):
        labels = [axes.get_xlabel() for axes in figures.plot_policy(result).axes]
        assert any(label.startswith("probability") for label in labels)

    def test_the_map_is_the_larger_part(self, result):
        drawn = figures.plot_policy(result)
        drawn.draw_without_rendering()
        above, below = (axes.get_position() for axes in drawn.axes[:2])
        assert above.height > below.height
        assert above.y0 > below.y1

    def test_path(self, result):
        """The most probable actions lead from the start to the goal."""
        grid = figures.plot_policy(result).axes[0]
        (path,) = [line for line in grid.lines if len(line.get_xdata()) > 1]
        x, y = path.get_xdata(), path.get_ydata()
        assert (x[0], y[0]) == (0, 3)
        assert (x[-1], y[-1]) == (11, 3)
        assert (np.abs(np.diff(x)) + np.abs(np.diff(y)) == 1).all()
        assert f"{len(x) - 1} steps" in path.get_label()
        letters = [text for text in grid.texts if text.get_text() in ("S", "G")]
        assert all(letter.get_zorder() > path.get_zorder() for letter in letters)

    def test_triangles(self, result):
        """All four probabilities of every cell in which a walker can act, where they point to."""
        grid = figures.plot_policy(result).axes[0]
        wedges = grid.collections[0]
        np.testing.assert_array_equal(wedges.get_array(), result.policy[:37].ravel())
        directions = np.array([(0, -1), (1, 0), (0, 1), (-1, 0)])  # up, right, down, left
        for number, path in enumerate(wedges.get_paths()):
            state, action = divmod(number, 4)
            away = path.vertices[:3].mean(axis=0) - (state % 12, state // 12)
            np.testing.assert_allclose(away, directions[action] / 3, atol=1e-12)


# --- the package -------------------------------------------------------------------------------


class TestPackage:
    def test_public_names(self):
        for name in a3c_tut.__all__:
            assert getattr(a3c_tut, name) is not None
            assert name in dir(a3c_tut)
        assert len(set(a3c_tut.__all__)) == len(a3c_tut.__all__)
        with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
            a3c_tut.nonsense  # noqa: B018

    def test_importing_it_is_cheap(self):
        """Neither Numba nor Matplotlib nor the lab's widgets; `train` does not draw."""
        code = (
            "import sys, a3c_tut\n"
            "heavy = ['numba', 'matplotlib', 'ipywidgets', 'gymnasium', 'numpy']\n"
            "print([name for name in heavy if name in sys.modules])\n"
            "from a3c_tut import train\n"
            "print([name for name in heavy[1:4] if name in sys.modules])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.split("\n")[:2] == ["[]", "[]"]

    def test_drawing_leaves_pyplot_alone(self):
        code = (
            "import sys\n"
            "from a3c_tut import cliff_world, train\n"
            "from a3c_tut.figures import plot_policy\n"
            "plot_policy(train(cliff_world(), total_steps=300))\n"
            "print('matplotlib.pyplot' in sys.modules)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == "False"

    def test_every_room_can_be_entered_alone(self):
        """No two rooms need each other both ways."""
        folder = Path(a3c_tut.__file__).parent
        for path in sorted(folder.glob("*.py")):
            importlib.import_module(f"a3c_tut.{path.stem}")
