"""The figures that are drawn again in place show what figures drawn anew show."""

import io

import numpy as np
import pytest
from PIL import Image

from a3c_tut import A3CConfig, cliff_world, corridor_world, train
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
