"""Plots on dark pages: the same pixels, with colours that can be seen there."""

import base64
import io

import nbformat
import numpy as np
import pytest
from PIL import Image
from test_site import ROOT, load_tool

from a3c_tut import figures

dark = load_tool("a3c_dark")

INKS = [figures.BLACK, figures.ORANGE, figures.SKY, figures.GREEN, figures.YELLOW, figures.BLUE,
        figures.VERMILION, figures.PURPLE]  # fmt: skip


def rgb(*names):
    return np.array([[int(name[i : i + 2], 16) for i in (1, 3, 5)] for name in names])


def luminance(colours):
    """Relative luminance as WCAG defines it."""
    share = np.asarray(colours) / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_white_becomes_the_page_and_black_is_read_on_it():
    page, ink = dark.dark_colours(rgb("#FFFFFF", "#000000"))
    assert np.abs(page.astype(int) - 0x12).max() <= 2
    contrast = (luminance(ink) + 0.05) / (luminance(page) + 0.05)
    assert contrast > 12


@pytest.mark.parametrize("ink", INKS)
def test_colours_are_seen_and_keep_their_hue(ink):
    """At least 3 : 1 against the page, as WCAG asks of graphics; on white two do not reach that."""
    (made,) = dark.dark_colours(rgb(ink))
    assert (luminance(made) + 0.05) / (luminance([0x12] * 3) + 0.05) > 3
    before, after = dark.to_oklab(rgb(ink))[0, 1:], dark.to_oklab(made[None])[0, 1:]
    if np.hypot(*before) > 0.02:
        cosine = before @ after / np.hypot(*before) / np.hypot(*after)
        assert cosine > 0.97


def test_probabilities_keep_their_order():
    """The scale of Figure 2 still goes one way, from the page's colour to a light one."""
    scale = figures._shades()(np.linspace(0, 1, 33))[:, :3] * 255
    made = luminance(dark.dark_colours(scale))
    assert (np.diff(made) > 0).all()
    assert made[0] < 0.01
    assert made[-1] > 0.4


def test_there_and_back():
    colours = np.random.default_rng(0).integers(0, 256, (200, 3))
    np.testing.assert_array_equal(dark.to_srgb(dark.to_oklab(colours)), colours)


def png(mode):
    buffer = io.BytesIO()
    picture = Image.new("RGB", (3, 2), (255, 255, 255))
    picture.putpixel((1, 0), (0, 114, 178))
    (picture.quantize(4) if mode == "P" else picture).save(buffer, "PNG")
    return buffer.getvalue()


def test_only_the_colours_change():
    made = Image.open(io.BytesIO(dark.dark_png(png("P")))).convert("RGB")
    before = np.array(Image.open(io.BytesIO(png("P"))).convert("RGB")).reshape(-1, 3)
    np.testing.assert_array_equal(np.array(made).reshape(-1, 3), dark.dark_colours(before))
    assert dark.size_of(png("P")) == (3, 2)
    assert dark.dark_png(png("RGB")) is None


@pytest.mark.parametrize("path", sorted((ROOT / "book").glob("*.ipynb")), ids=lambda p: p.stem)
def test_every_stored_plot_can_be_made_dark(path):
    plots = [
        value
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", [])
        for kind, value in output.get("data", {}).items()
        if kind.endswith("image/png")
    ]
    assert [dark.dark_png(base64.b64decode(plot)) is None for plot in plots] == [False] * len(plots)
