"""The figures that are drawn again in place show what figures drawn anew show."""

import io

import numpy as np
import pytest
from PIL import Image

from a3c_tut import A3CConfig, cliff_world, corridor_world, grid_world, train
from a3c_tut.lab import LiveFigures

CLIFF = cliff_world()


def pixels(live):
    return [np.asarray(Image.open(io.BytesIO(png))).astype(int) for png in live.pngs()]


def assert_same(seen, wanted):
    for one, other in zip(pixels(seen), pixels(wanted), strict=True):
        assert one.shape == other.shape
        assert (np.abs(one - other).max(axis=2) > 8).mean() < 1e-4


@pytest.fixture(scope="module")
def run():
    return train(CLIFF, seed=0)


def test_an_update_shows_what_a_new_drawing_shows(run):
    other = train(CLIFF, seed=1)
    live = LiveFigures(other)
    live.update(run)
    there = pixels(live)
    live.update(other)
    assert_same(live, LiveFigures(other))
    assert any((one != two).any() for one, two in zip(there, pixels(live), strict=True))


def test_a_drawing_is_that_of_the_plain_figures(run):
    """With nothing kept back: the same artists, drawn the usual way."""
    live = LiveFigures(run)
    for layer, png in zip(live._layers, pixels(live), strict=True):
        for artist in layer._live:
            artist.set_animated(False)
        layer._canvas.draw()
        whole = np.asarray(layer._canvas.buffer_rgba())[..., :3].astype(int)
        assert (np.abs(whole - png).max(axis=2) > 8).mean() < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        lambda: train(CLIFF, A3CConfig(num_workers=2)),
        lambda: train(CLIFF, total_steps=30_000),
        lambda: train(CLIFF, total_steps=2_000),  # fewer episodes than the average takes
        lambda: train(cliff_world(5, 8)),
        lambda: train(corridor_world(6), total_steps=2_000),
    ],
)
def test_another_shape_is_drawn_anew(run, other):
    live, result = LiveFigures(run), other()
    live.update(result)
    assert_same(live, LiveFigures(result))
    live.update(run)
    assert_same(live, LiveFigures(run))


def test_a_policy_that_never_arrives_has_no_path(run):
    lost = train(CLIFF, A3CConfig(actor_lr=0.0))
    live = LiveFigures(run)
    live.update(lost)
    assert not live._map.get_legend().get_visible()
    live.update(run)
    assert live._map.get_legend().get_visible()
    live = LiveFigures(lost)  # here it has to be drawn anew, to have a path
    live.update(run)
    assert_same(live, LiveFigures(run))


def test_numbers_that_are_wider_find_room():
    """A long run of bad luck: −10,000 instead of −100 at the axis, and its label still inside."""
    live = LiveFigures(train(CLIFF))
    live.update(train(CLIFF, A3CConfig(actor_lr=0.0)))
    first, _ = pixels(live)
    assert (first[:, :3] == 255).all()


class TestLab:
    """The widget, driven as a notebook drives it: by setting values."""

    @pytest.fixture
    def lab(self):
        pytest.importorskip("ipywidgets")
        from a3c_tut.lab import Lab

        return Lab(total_steps=6_000)

    @pytest.mark.parametrize(
        "name, value",
        [
            ("world", "corridor"),
            ("num_workers", 5),
            ("rollout_length", 12),
            ("gamma", 0.9),
            ("entropy_coef", 0.2),
            ("actor_lr", 0.5),
            ("critic_lr", 0.02),
            ("optimizer", "sgd"),
            ("max_grad_norm", None),
            ("lr_anneal", "global"),
            ("schedule", "worker 0 five times slower"),
            ("seed", 7),
        ],
    )
    def test_moving_a_knob_trains_and_draws_again(self, lab, name, value):
        before = [picture.value for picture in lab._pictures]
        lab.knobs[name].value = value
        assert [picture.value for picture in lab._pictures] != before
        assert all(picture.value[1:4] == b"PNG" for picture in lab._pictures)

    def test_the_code_reproduces_what_is_on_screen(self, lab):
        for name, value in {"num_workers": 4, "optimizer": "sgd", "schedule": "random",
                            "seed": 3, "world": "sparse-grid"}.items():  # fmt: skip
            lab.knobs[name].value = value
        names = {}
        exec(lab.code(), names)
        assert (names["result"].theta == lab.result.theta).all()
        assert names["config"] == lab.config()

    @pytest.mark.parametrize("map", ["..#\nS.G\nCC.", ["..#", "S.G", "CC."]])
    def test_it_begins_with_a_map_of_ones_own(self, lab, map):
        from a3c_tut.lab import Lab

        own = Lab(total_steps=2_000, map=map)
        names = {}
        exec(own.code(), names)
        assert own.result.world == grid_world(map) == names["result"].world
        assert names["result"] == own.result
        own.knobs["world"].value = "corridor"
        assert own.result.world.name == "corridor of 12"
        assert own.knobs["world"].options[1:] == lab.knobs["world"].options

    def test_a_diverging_run_is_said_and_the_lab_goes_on(self, lab, monkeypatch):
        from a3c_tut import lab as room

        shown = lab.result
        with monkeypatch.context() as patch:
            patch.setattr(room, "train", _diverge(shown))
            lab.knobs["actor_lr"].value = 9.0
            assert "Diverged" in lab._said.value
            assert lab.result is shown
        lab.knobs["actor_lr"].value = 0.1
        assert "Diverged" not in lab._said.value

    def test_every_control_is_named_and_every_picture_described(self, lab):
        assert all(knob.description for knob in lab.knobs.values())
        assert all(len(picture.alt) > 20 for picture in lab._pictures)


def _diverge(result):
    def train(*_, **__):
        raise DivergenceError(result)

    from a3c_tut.errors import DivergenceError

    return train
