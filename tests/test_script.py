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
from a3c_tut.files import check_folder
from a3c_tut.gen_a3c_figures import main

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
        assert axes.get_xlim()[0] <= 0
        assert axes.get_xlim()[1] >= 20_000

    def test_lines(self, result):
        """The average of all workers together, and the two returns worth knowing."""
        axes = figures.plot_returns(result, window=50).axes[0]
        lines = {line.get_label(): line for line in axes.lines}
        average = lines["mean of 50 episodes, all workers"]
        returns = result.episodes["total_return"]
        wanted = [returns[i : i + 50].mean() for i in range(len(returns) - 49)]
        np.testing.assert_allclose(average.get_ydata(), wanted)
        assert average.get_xdata().tolist() == result.episodes["step"][49:].tolist()
        assert set(lines["optimum (−13)"].get_ydata()) == {-13.0}
        assert set(lines["safe detour (−17)"].get_ydata()) == {-17.0}
        styles = {lines[name].get_linestyle() for name in ("optimum (−13)", "safe detour (−17)")}
        assert len(styles) == 2
        assert "-" not in styles

    def test_words(self, result):
        axes = figures.plot_returns(result).axes[0]
        assert axes.get_xlabel() == "environment steps of all workers together"
        assert axes.get_ylabel() == "return of the episode (sum of its rewards)"
        assert len(axes.get_legend().get_texts()) == 6

    def test_the_file_is_this_figure(self, written):
        """What was counted above is what the script wrote."""
        from io import BytesIO

        folder, _ = written
        again = BytesIO()
        loaded = TrainingResult.load(folder / "run.npz")
        figures.save_figure(figures.plot_returns(loaded), again, "svg")
        assert again.getvalue() == (folder / "figure_1.svg").read_bytes()


class TestFigure2:
    def test_heatmap(self, result):
        """States × actions, probabilities from 0 to 1."""
        heatmap = figures.plot_policy(result).axes[0]
        (image,) = heatmap.images
        np.testing.assert_array_equal(image.get_array(), result.policy)
        assert image.get_clim() == (0.0, 1.0)
        assert heatmap.get_xlabel() == "action"
        assert [t.get_text() for t in heatmap.get_xticklabels()] == ["up", "right", "down", "left"]
        assert heatmap.get_ylabel().startswith("state")

    def test_colour_bar(self, result):
        labels = [axes.get_ylabel() for axes in figures.plot_policy(result).axes]
        assert "probability" in labels

    def test_path(self, result):
        """The most probable actions lead from the start to the goal."""
        grid = figures.plot_policy(result).axes[1]
        (path,) = [line for line in grid.lines if len(line.get_xdata()) > 1]
        x, y = path.get_xdata(), path.get_ydata()
        assert (x[0], y[0]) == (0, 3)
        assert (x[-1], y[-1]) == (11, 3)
        assert (np.abs(np.diff(x)) + np.abs(np.diff(y)) == 1).all()
        assert f"{len(x) - 1} steps" in path.get_label()

    def test_arrows(self, result):
        """One per action and state in which a walker can stand, as long as it is probable."""
        grid = figures.plot_policy(result).axes[1]
        arrows = grid.collections
        assert len(arrows) == 4
        walked = [s for s in range(48) if not s > 36]
        for a, quiver in enumerate(arrows):
            length = np.hypot(quiver.U, quiver.V)
            np.testing.assert_allclose(length, 0.46 * result.policy[walked, a], rtol=1e-9)


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
