"""A world that a reader draws: the page makes Python's world, and what it hands out is its run."""

import json
import re
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_maps
from twin import STATIC, same_bits

from a3c_tut import TableWorld, cliff_world, figures, grid_world
from a3c_tut.book import drawing, live
from a3c_tut.exact import greedy_path, optimal_values
from a3c_tut.experiments import final_return

sys.path.insert(0, str(STATIC.parent / "tools"))
from a3c_live import SCRIPTS

pytestmark = pytest.mark.browser

# --- The twin ---------------------------------------------------------------------------------

#: What a page's settings are called in Python.
MADE = "([lines, settings]) => a3c.grid_world(lines, settings)"
WRONG = {"start": "map has no S", "goal": "map has no G", "way": "map has no way"}


def drawn_data(lines, **rewards):
    """A world as the page is to make it: its name for the safe detour is not the page's."""
    data = json.loads(json.dumps(live.world_data(grid_world(lines, **rewards))))
    data["references"] = {"optimum": data["references"]["optimum"]}
    return data


def test_a_world_of_a_map_is_pythons(twin):
    """A hundred random maps; where Python refuses one, the page says what Python says."""
    seen = set()

    @given(
        random_maps(max_rows=7, max_columns=8),
        st.sampled_from([-1.0, 0.0, -0.1, -2.5]),
        st.sampled_from([-100.0, 0.0, -0.5]),
        st.sampled_from([0.0, 1.0, 20.0]),
        st.booleans(),
        st.sampled_from(["", "S", "G"]),
    )
    @settings(max_examples=100, deadline=None, derandomize=True)
    def compare(lines, step, fall, goal, fall_ends, without):
        lines = [line.replace(without or "?", ".") for line in lines]
        rewards = {"step_reward": step, "fall_reward": fall, "goal_reward": goal,
                   "fall_ends": fall_ends}  # fmt: skip
        theirs = twin.evaluate(MADE, [lines, rewards])
        seen.add(theirs.get("wrong"))
        if "wrong" in theirs:
            with pytest.raises(ValueError, match=WRONG[theirs["wrong"]]):
                grid_world(lines, **rewards)
        else:
            assert theirs == drawn_data(lines, **rewards)

    compare()
    assert seen == {None, *WRONG}


@pytest.mark.parametrize("drawn", drawing.DRAWN, ids=lambda drawn: drawn.name)
def test_the_maps_to_begin_with(twin, drawn):
    assert twin.evaluate(MADE, [drawn.lines, {}]) == drawn_data(drawn.lines)
    assert len(drawn.lines) <= drawing.MOST_ROWS
    assert len(drawn.lines[0]) <= drawing.MOST_COLUMNS
    if drawn.name == "the cliff-world":
        ours = grid_world(drawn.lines)
        for name in ("next_state", "reward", "terminated"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(cliff_world(), name))


BEST = "([w, gamma, horizon]) => Array.from(a3c.optimal_values(w, gamma, horizon))"


@pytest.mark.parametrize("gamma, horizon", [(1.0, 200), (1.0, 7), (0.99, 300), (0.5, 3)])
def test_the_best_values_are_the_exact_ones(twin, gamma, horizon):
    """In maps, and in a world where an end leads to a state that is worth something."""
    generator, shape = np.random.default_rng(3), (9, 3, 1)
    ends = TableWorld(
        generator.integers(9, size=shape), np.ones(shape),
        generator.integers(-6, 3, size=shape) / 2, generator.random(shape) < 0.3, np.eye(9)[0], 20,
    )  # fmt: skip
    assert (optimal_values(ends, 0.5, 9)[ends.next_state[ends.terminated]] != 0.0).any()
    rewards = {"step_reward": -0.1, "fall_reward": -7.0, "goal_reward": 3.0}
    maps = (grid_world(drawing.DRAWN[at].lines, **rewards) for at in (0, 2))
    for world in (ends, *maps):
        theirs = twin.evaluate(BEST, [live.world_data(world), gamma, horizon])
        assert same_bits(optimal_values(world, gamma, horizon), theirs)


SEVERAL = [
    "S..#....",
    ".C.#.CC.",
    ".C...C..",
    "...#...G",
]
LARGE = [
    "....#....C..",
    ".##.#.##.C..",
    ".#..C..#....",
    ".#.CCC.##.#.",
    "S.......C.#.",
    "###.###.C.#.",
    "C.....#...#G",
    "C.CCC.####..",
    "..C.........",
    "....CC#CCCC.",
]
FOLDED = ["S" + "." * 10, *["#" * 10 + ".", "." * 11, "." + "#" * 10, "." * 11] * 2, "G" + "#" * 10]
#: Slips in the twin, each of which one of these worlds has to show.
SLIPS = [
    ('letters[to] === "#" ? state : to', "to"),
    ("column >= columns", "column > columns"),
    ("|| row >= rows", ""),
    ('(own === "C" && fall_ends)', "false"),
    ('own === "#" ||', ""),
    ("falls && !fall_ends ? start : to", "to"),
    ("falls ? fall_reward : ", ""),
    ("step_reward + goal_reward", "goal_reward"),
    ("(falls && fall_ends)", "falls"),
    ("Math.max(rows + columns, way)", "(rows + columns)"),
    ("reward[i] + gamma", "reward[i] - gamma"),
]


def test_a_slip_in_the_twin_is_noticed(twin):
    cases = [
        ([list(lines), rewards], drawn_data(lines, **rewards))
        for lines in (SEVERAL, LARGE, FOLDED)
        for rewards in (
            {"step_reward": -0.5, "goal_reward": 2.0, "fall_ends": True},
            {"fall_reward": -7.0},
        )
    ]
    source = (STATIC / "live" / "worlds.js").read_text(encoding="utf-8")
    made = """([source, asked]) => {
      const before = globalThis.a3cModules, changed = {};
      try {
        globalThis.a3cModules = [];
        new Function(source)();
        globalThis.a3cModules[0](changed);
      } finally { globalThis.a3cModules = before; }
      return asked.map(([lines, settings]) => changed.grid_world(lines, settings));
    }"""
    asked, expected = [one for one, _ in cases], [one for _, one in cases]
    assert twin.evaluate(made, [source, asked]) == expected
    for old, new in SLIPS:
        assert source.count(old) == 1, f"worlds.js no longer holds {old!r}: choose another slip"
        assert twin.evaluate(made, [source.replace(old, new), asked]) != expected, (old, new)


# --- The element ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The element on a page of its own, with nothing of the book around it."""
    folder = tmp_path_factory.mktemp("drawing")
    shutil.copytree(STATIC / "live", folder / "live")
    shutil.copy(STATIC / "a3c-logo.svg", folder)
    element = live.live_html("draw", drawing.drawing_data(), "a3c-logo.svg", "alt", "sentence")
    head = "".join(f"<link rel='stylesheet' href='live/{name}.css'>"
                   for name in ("live", "balance", "drawing"))  # fmt: skip
    scripts = "".join(f"<script src='live/{name}.js'></script>" for name in SCRIPTS)
    policy = "default-src 'none'; script-src file:; style-src file:; img-src file:"
    (folder / "index.html").write_text(
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>draw</title>"
        f"<meta http-equiv='Content-Security-Policy' content=\"{policy}\">{head}</head>"
        f"<body><main><h1>Draw</h1>{element}</main>{scripts}</body></html>",
        encoding="utf-8",
    )
    return (folder / "index.html").as_uri()


@pytest.fixture
def visit(chromium, page):
    contexts = []

    def open_page(width=1280, motion="reduce", **options):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, reduced_motion=motion, **options
        )
        contexts.append(context)
        context.set_default_timeout(60_000)
        seen = SimpleNamespace(errors=[])
        tab = context.new_page()
        tab.on("pageerror", lambda error: seen.errors.append(str(error)))
        tab.on("console", lambda m: m.type == "error" and seen.errors.append(m.text))
        tab.goto(page)
        tab.wait_for_selector("[data-a3c][data-state=done]")
        return tab, seen

    yield open_page
    for context in contexts:
        context.close()


def square(tab, row, column):
    return tab.locator(f".a3c-squares-row:nth-child({row}) > div:nth-child({column}) > button")


def choose(tab, brush):
    tab.get_by_role("radio", name=brush, exact=True).check(force=True)


def put(tab, label, value):
    """Move a slider to a value, as its arrow keys would."""
    slider = tab.get_by_label(label, exact=True)
    slider.press("Home")
    while slider.get_attribute("aria-valuetext") != value:
        before = slider.get_attribute("aria-valuetext")
        slider.press("ArrowRight")
        assert slider.get_attribute("aria-valuetext") != before, f"{label} has no {value}"


def draw(tab, lines):
    """Draw a whole map by keyboard, from a floor of its size."""
    put(tab, "Rows", str(len(lines)))
    put(tab, "Columns", str(len(lines[0])))
    keys = {"#": "w", ".": ".", "C": "c", "S": "s", "G": "g"}
    square(tab, 1, 1).focus()
    for row, line in enumerate(lines):
        for letter in line:
            tab.keyboard.press(keys[letter])
            tab.keyboard.press("ArrowRight")
        tab.keyboard.press("Home")
        if row < len(lines) - 1:
            tab.keyboard.press("ArrowDown")


def drawn(tab):
    """The map as a screen reader hears it."""
    letters = {"floor": ".", "wall": "#", "cliff": "C", "start": "S", "goal": "G"}
    rows = []
    for row in tab.locator(".a3c-squares-row").all():
        names = row.locator("button").evaluate_all("bs => bs.map(b => b.ariaLabel)")
        places = [re.fullmatch(r"row (\d+), column (\d+): (\w+)", name).groups() for name in names]
        assert [(int(r), int(c)) for r, c, _ in places] == [
            (len(rows) + 1, c + 1) for c in range(len(places))
        ]
        rows.append("".join(letters[what] for *_, what in places))
    return rows


def trained(tab):
    """Train, and return what the page came to."""
    tab.evaluate("""() => { window.came = null;
      document.querySelector("[data-a3c]").addEventListener(
        "a3c-done", event => window.came = event.detail, { once: true }) }""")
    tab.locator(".a3c-main").press("Enter")
    tab.wait_for_selector("[data-a3c][data-state=over]")
    return tab.evaluate("window.came")


def taken_away(tab):
    """Run the Python that the page hands out."""
    names = {}
    exec(tab.locator(".a3c-scroll code").inner_text(), names)
    return names["result"]


def said(tab):
    tab.wait_for_timeout(450)
    return tab.locator(".a3c-result").inner_text()


def cells_of_table(tab):
    return tab.locator(".a3c-table td").all_inner_texts()


def minus(value):
    return f"{value:g}".replace("-", "−")


#: Map, sliders, whether a fall ends the episode, seed.
RUNS = {
    "the first one": (None, {}, False, 0),
    "walls and several cliffs": (SEVERAL, {"A fall costs": "20", "A step costs": "0.5"}, False, 3),
    "falls that end it": (SEVERAL, {"A fall costs": "5", "The goal pays": "10"}, True, 12345),
    "a large one": (LARGE, {"Steps": "200,000", "A step costs": "0.1"}, False, 7),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_python_taken_away_gives_the_run_of_the_page(visit, name):
    """Logits, values, episodes, to the last bit; and what the page says is read off that run."""
    lines, sliders, fall_ends, seed = RUNS[name]
    tab, seen = visit()
    if lines is not None:
        draw(tab, lines)
        assert drawn(tab) == lines
    for label, value in sliders.items():
        put(tab, label, value)
    if fall_ends:
        tab.get_by_label("After a fall", exact=True).select_option(index=1)
    tab.get_by_label("Seed", exact=True).fill(str(seed))
    theirs, ours = trained(tab), taken_away(tab)
    assert (ours.seed, ours.total_steps) == (
        seed, int(sliders.get("Steps", "60,000").replace(",", "")))  # fmt: skip
    assert same_bits(ours.theta, theirs["theta"])
    assert same_bits(ours.state["V"], theirs["V"])
    assert same_bits(ours.episodes["total_return"], theirs["total_return"])
    assert theirs["steps"] == ours.steps
    assert len(ours.episodes) > 100
    path, best = greedy_path(ours.world, ours.policy), figures.reference_returns(ours.world)
    you, learners, mean, possible = cells_of_table(tab)
    assert you == "not there yet"
    assert possible == minus(best["optimum"])
    assert mean == f"{minus(round(final_return(ours), 1))} on average"
    if path.terminated:
        assert learners == f"{minus(round(path.total_return, 6))} in {len(path.states) - 1} steps"
    assert f"{ours.steps:,} steps, {len(ours.episodes):,} episodes." in said(tab)
    assert f"The best possible is {minus(best['optimum'])}." in said(tab)
    assert seen.errors == []


def test_the_workers_are_watched_and_can_be_hurried(visit):
    """With motion it takes its time; the run is the same, hurried or not."""
    tab, seen = visit(motion="no-preference")
    button = tab.locator(".a3c-main")
    picture = "document.querySelector('.a3c-field').innerHTML"
    still = tab.evaluate(picture)
    tab.wait_for_timeout(300)
    assert tab.evaluate(picture) == still
    button.click()
    tab.wait_for_selector("[data-a3c][data-state=training]")
    tab.locator(".a3c-count").filter(has_text="of 60,000 steps").wait_for()
    tab.wait_for_selector(".a3c-field .a3c-wedge")
    assert button.inner_text() == "Skip to the end"
    theirs = trained(tab)
    assert same_bits(taken_away(tab).theta, theirs["theta"])
    assert button.inner_text() == "Train again"
    slowly = trained(tab)
    assert slowly["theta"] == theirs["theta"]
    assert seen.errors == []


def test_a_walk_is_counted_as_the_world_counts(visit):
    """By arrow keys and by buttons; with a fall, a wall and the goal."""
    tab, seen = visit()
    draw(tab, ["...", "SCG", ".#."])
    world = grid_world(["...", "SCG", ".#."])
    field, told, heard = (tab.locator(c) for c in (".a3c-field", ".a3c-count", ".a3c-unseen"))
    state, total = 3, 0.0
    for steps, name in enumerate(["right", "down", "right", "up", "up", "right", "right"], 1):
        action = world.action_names.index(name)
        total += world.reward[state, action, 0]
        state = int(world.next_state[state, action, 0])
        if steps % 2:
            field.press(f"Arrow{name.capitalize()}")
        else:
            tab.get_by_role("button", name=name, exact=True).click()
        row, column = divmod(state, 3)
        assert f"row {row + 1}, column {column + 1}: return {minus(total)} in {steps} step" in (
            told.inner_text())  # fmt: skip
        assert told.inner_text().startswith("A fall. ") == (steps == 1)
    tab.wait_for_timeout(450)
    assert heard.last.inner_text() == f"row 1, column 3; return {minus(total)} in 7 steps"
    tab.locator(".a3c-unseen[role=status]").wait_for(state="attached")
    field.press("ArrowDown")
    total -= 1
    assert told.inner_text() == f"You have arrived: return {minus(total)} in 8 steps."
    assert cells_of_table(tab) == [f"{minus(total)} in 8 steps", "–", "–", "−4"]
    # Another walk begins by itself; of two that arrive, the better one counts.
    for name in ("Up", "Right", "Right", "Down"):
        field.press(f"Arrow{name}")
    assert cells_of_table(tab)[0] == "−4 in 4 steps"
    trained(tab)
    assert "; you had −4." in said(tab)
    tab.get_by_label("Seed", exact=True).fill("5")
    assert cells_of_table(tab) == ["−4 in 4 steps", "–", "–", "−4"], "the same world, another run"
    assert tab.evaluate("scrollY") == 0, "arrow keys walk and do not scroll"
    assert seen.errors == []


def test_a_fall_can_be_the_end_and_time_can_be_up(visit):
    tab, _ = visit()
    draw(tab, ["S.G", "C.."])
    tab.get_by_label("After a fall", exact=True).select_option(index=1)
    tab.locator(".a3c-field").press("ArrowDown")
    assert tab.locator(".a3c-count").inner_text() == (
        "You fell, and that was the end: return −100 in 1 step.")  # fmt: skip
    for _ in range(200):
        tab.locator(".a3c-field").press("ArrowUp")
    assert tab.locator(".a3c-count").inner_text() == "The time is up: return −200 in 200 steps."
    assert cells_of_table(tab)[0] == "not there yet"


def test_a_map_that_is_no_world_is_told_and_cannot_be_trained(visit):
    tab, seen = visit()
    for lines, words in (
        (["..", ".G"], "There is no start: make one cell the start."),
        (["S.", ".."], "There is no goal: make one cell a goal."),
        (["S#", "CG"], "No goal can be reached from the start"),
    ):
        draw(tab, lines)
        assert words in said(tab)
        assert words in tab.locator(".a3c-trouble").inner_text()
        tab.locator(".a3c-result[role=status]").wait_for()
        with pytest.raises(ValueError, match="map has no"):
            grid_world(lines)
        assert tab.locator(".a3c-main").is_disabled()
        assert tab.get_by_role("button", name="up", exact=True).is_disabled()
        assert tab.locator(".a3c-scroll code").inner_text() == ""
        assert tab.locator(".a3c-field svg").count() == 0 or not tab.locator(
            ".a3c-field svg").is_visible()  # fmt: skip
        tab.locator(".a3c-field").press("ArrowUp")
    draw(tab, ["S.", "CG"])
    assert not tab.locator(".a3c-trouble").is_visible()
    assert tab.locator(".a3c-main").is_enabled()
    assert len(trained(tab)["theta"]) == 16
    # Another line makes another world: what was learned is gone.
    square(tab, 1, 2).click()
    assert cells_of_table(tab) == ["not there yet", "–", "–", "–"]
    assert seen.errors == []


def test_drawing_by_mouse_touch_and_keyboard(visit):
    tab, seen = visit()
    put(tab, "Rows", "3")
    put(tab, "Columns", "4")
    choose(tab, "floor")
    for row in (1, 2, 3):
        for column in (1, 2, 3, 4):
            square(tab, row, column).click()
    assert drawn(tab) == ["...."] * 3
    choose(tab, "cliff")
    here, there = (square(tab, 2, column).bounding_box() for column in (1, 4))
    tab.mouse.move(here["x"] + 10, here["y"] + 10)
    tab.mouse.down()
    tab.mouse.move(there["x"] + 10, there["y"] + 10, steps=12)
    tab.mouse.up()
    tab.mouse.move(here["x"] + 10, here["y"] + 60, steps=5)
    assert drawn(tab) == ["....", "CCCC", "...."]
    choose(tab, "start")
    square(tab, 3, 1).click()
    square(tab, 1, 1).press("Enter")
    assert drawn(tab) == ["S...", "CCCC", "...."], "there is one start: it moves"
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("End")
    tab.keyboard.press("g")
    assert drawn(tab) == ["S...", "CCCG", "...."]
    tab.wait_for_timeout(450)
    assert tab.locator(".a3c-unseen").last.inner_text() == "row 2, column 4: goal"
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.ariaLabel") == "row 2, column 4: goal"
    stops = tab.locator(".a3c-square").evaluate_all("bs => bs.filter(b => b.tabIndex === 0).length")
    assert stops == 1
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.closest('.a3c-squares')") is None
    tab.keyboard.press("Shift+Tab")
    assert tab.evaluate("document.activeElement.ariaLabel") == "row 2, column 4: goal"
    assert seen.errors == []
    tab, seen = visit(width=360, has_touch=True)
    choose(tab, "wall")
    square(tab, 1, 2).tap()
    assert drawn(tab)[0][:3] == ".#."
    assert seen.errors == []


def test_on_a_telephone_the_largest_map_has_cells_to_hit(visit):
    tab, _ = visit(width=360)
    draw(tab, ["S" + "." * 10 + "G"] + ["#C" * 6] * 9)
    boxes = [square(tab, row, column).bounding_box() for row in (1, 10) for column in (1, 12)]
    assert min(min(box["width"], box["height"]) for box in boxes) >= 24
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert tab.evaluate(wide) <= 0
    assert all(box["x"] + box["width"] <= 360 for box in boxes)


def test_the_python_is_copied_or_selected(visit):
    tab, seen = visit(permissions=["clipboard-read", "clipboard-write"])
    shown = tab.locator(".a3c-scroll code").text_content()
    tab.get_by_role("button", name="Copy").click()
    tab.get_by_text("Copied.").wait_for()
    assert tab.evaluate("navigator.clipboard.readText()") == shown
    tab.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')) }")
    tab.get_by_role("button", name="Copy").click()
    tab.get_by_text("Selected: copy it with the keyboard.").wait_for()
    assert tab.evaluate("getSelection().toString()").strip() == shown.strip()
    assert seen.errors == []


def test_the_stand_in_says_what_is_seen():
    standin = drawing.fallback(total_steps=5_000)
    assert len(standin.alt) > 80
    assert "With JavaScript" in standin.sentence
    assert standin.figure.axes
