"""The built book, as a reader meets it: in a browser, without a network.

`make test` builds the book first; run alone, these tests build it when it is out of date.
Chromium is looked for in A3C_CHROMIUM, then on the path. Where it is missing the browser tests
are skipped, unless A3C_REQUIRE_BROWSER=1.
"""

import contextlib
import functools
import http.server
import importlib.util
import os
import re
import shutil
import subprocess
import threading
import zipfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from a3c_tut.book.claims import Ledger

ROOT = Path(__file__).resolve().parents[1]


def load_tool(name, folder=ROOT / "book" / "tools"):
    """Import a script from a folder that is not a package."""
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_tool("build")
check_links = load_tool("check_links")


def pages_in_reading_order():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]

    def with_sections(page):
        yield page["file"]
        for section in page.get("sections", []):
            yield from with_sections(section)

    files = [toc["root"], *(file for chapter in chapters for file in with_sections(chapter))]
    return [f"{file}.html" for file in files]


PAGES = pages_in_reading_order()
HELPERS = ["search.html", "genindex.html"]  # made by Sphinx, read by people all the same
pytestmark = pytest.mark.browser

HEIGHT = 900

every_chapter = pytest.mark.parametrize("page", PAGES)


# --- The site as files ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def site():
    """Where the built site is; built now if it is out of date."""
    if not build.is_fresh():
        if "PYTEST_XDIST_WORKER" in os.environ:
            pytest.fail("the built book is out of date: run `make book` first")
        assert build.build() == 0, "the book does not build without warnings"
    return build.SITE


@functools.cache
def soup(path):
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def article(site, page):
    return soup(site / page).find("article")


def numbered(site, label):
    """All captions such as "Figure 1", in reading order, as (number, page, text)."""
    return [
        (int(number.get_text().split()[-1]), page, number.parent.get_text(" ", strip=True))
        for page in PAGES
        for number in article(site, page).select(".caption-number")
        if number.get_text().startswith(label)
    ]


def test_pages_of_the_site_are_those_of_the_toc(site):
    built = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    built = {page for page in built if not page.startswith("_static/")}
    sources = {page for page in built if page.startswith("_modules/")}
    assert "_modules/a3c_tut/training.html" in sources
    built -= sources
    assert built - {"index.html", "py-modindex.html"} == {*PAGES, *HELPERS}


def test_links_and_anchors(site):
    assert check_links.broken_links(site) == []


def test_the_copy_to_take_along_is_the_site(site, tmp_path):
    with zipfile.ZipFile(site / "a3c-book.zip") as copy:
        copy.extractall(tmp_path)
    taken = tmp_path / "a3c-book"
    for page in PAGES:
        assert (taken / page).read_bytes() == (site / page).read_bytes()
    apart = {".buildinfo", "a3c-book.zip", "fault.html"}
    names = [{path.relative_to(top) for path in top.rglob("*") if path.name not in apart}
             for top in (taken, site)]  # fmt: skip
    assert names[0] == names[1]


def policy(site, page):
    """A page's Content-Security-Policy, as a dict from what to who."""
    (meta,) = soup(site / page).select('meta[http-equiv="Content-Security-Policy"]')
    return dict(part.split(" ", 1) for part in meta["content"].split("; "))


@pytest.mark.parametrize("page", PAGES + HELPERS)
def test_every_page_says_what_it_may_run(site, page):
    """Files of the site, and lines that are named by their hashes; nothing of another host."""
    allowed = policy(site, page)
    assert allowed["default-src"] == "'none'"
    assert not re.search(r"unsafe-(inline|eval)", allowed["script-src"])
    assert not re.search(r"http|\*", " ".join(allowed.values()))
    head = (site / page).read_text(encoding="utf-8")
    assert head.index("Content-Security-Policy") < head.index("<script")


LAUNCHERS = ("mybinder.org", "colab.research.google.com")
ADDRESS = "https://github.com/somebody/somewhere"


def addresses(page):
    return [tag["href"] for tag in soup(page).find_all("a", href=True)]


def test_without_the_repositorys_address_nothing_launches(site):
    assert yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["repository"]["url"] == ""
    for page in PAGES:
        assert [a for a in addresses(site / page) if any(host in a for host in LAUNCHERS)] == []


def test_with_the_repositorys_address_notebooks_launch(tmp_path):
    """A book of two pages, built with this book's settings but for the address."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    settings["repository"]["url"] = ADDRESS
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nchapters: [{file: book/one}]\n", encoding="utf-8"
    )
    shutil.copytree(ROOT / "book" / "tools", tmp_path / "book" / "tools")
    shutil.copytree(ROOT / "book" / "static", tmp_path / "book" / "static")
    shutil.copy(ROOT / "book" / "references.bib", tmp_path / "book")
    (tmp_path / "book" / "index.md").write_text("# A page\n", encoding="utf-8")
    cells = [nbformat.v4.new_markdown_cell("# A notebook"), nbformat.v4.new_code_cell("1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "book" / "one.ipynb")
    command = [build.JUPYTER_BOOK, "build", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = addresses(tmp_path / "_build" / "html" / "book" / "one.html")
    for host in LAUNCHERS:
        (button,) = [address for address in found if host in address]
        assert "somebody/somewhere" in button
        assert button.endswith("book/one.ipynb")
    assert ADDRESS in found


def test_link_checker_sees_what_is_broken(tmp_path):
    (tmp_path / "b.html").write_text('<p id="here">b</p>')
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">fine</a><a href="https://example.org">not followed</a>'
        '<a href="gone.html">1</a><a href="b.html#gone">2</a>'
        '<img src="gone.png"><a href="/b.html">4</a>'
    )
    assert len(check_links.broken_links(tmp_path)) == 4


@every_chapter
def test_numbers_keep_their_signs(site, page):
    """No line may end between 95 and %, or between n and = 5."""
    prose = BeautifulSoup(str(article(site, page)), "html.parser")
    for other in prose.select("pre, code, .math, script, style, .a3c-live"):
        other.decompose()
    parted = re.compile(r".{0,20}(?:\d %|\b[nβγε] [=≈] ?[−\d]).{0,20}", re.S)
    assert parted.findall(prose.get_text()) == []


@every_chapter
def test_code_keeps_its_spaces(site, page):
    """An unbreakable space in an example that somebody copies is a syntax error."""
    code = [tag.get_text() for tag in article(site, page).select("pre, code")]
    assert [text for text in code if "\N{NO-BREAK SPACE}" in text] == []


#: The seed's sections, by the pages that they are on.
SECTIONS = {
    "introduction": "1", "theory": "2", "objective": "2.1", "updates": "2.2", "stability": "2.3",
    "applications": "3", "cpu_training": "3.1", "sparse_rewards": "3.2", "control": "3.3",
    "best_practices": "3.4", "python_practice": "4", "result": "5", "summary": "6",
}  # fmt: skip


def test_sections_have_the_seeds_numbers(site):
    titles = {page: article(site, f"book/{page}.html").h1.get_text() for page in SECTIONS}
    assert {page: title.split(". ")[0] for page, title in titles.items()} == SECTIONS


def test_equations_are_numbered_through_the_book(site):
    found = [tag.get_text() for p in PAGES for tag in article(site, p).select(".eqno")]
    found = [re.search(r"\(\d+\)", text).group() for text in found]
    assert len(found) >= 3
    assert found == [f"({n})" for n in range(1, len(found) + 1)]


def test_figures_1_and_2_are_the_only_figures(site):
    figures = numbered(site, "Figure")
    assert [(number, page) for number, page, _ in figures] == [
        (1, "book/result.html"),
        (2, "book/result.html"),
    ], "other plots are experiments: their names start with exp-"
    assert "A3C episode returns aggregated across asynchronous workers" in figures[0][2]
    assert "Action probability heatmap of the global policy after training" in figures[1][2]
    assert "Global policy probabilities after A3C training" in figures[1][2]


def test_experiments_are_numbered_through_the_book(site):
    numbers = [number for number, _, _ in numbered(site, "Experiment")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_listing_1_is_in_python_practice(site):
    first = numbered(site, "Listing")[0]
    assert first[:2] == (1, "book/python_practice.html")


def alt_problem(alt):
    """Why this is no alt text for a plot, or None."""
    if not alt or not alt.strip():
        return "is missing"
    if re.search(r"\.(png|svg|jpe?g|gif)$", alt.strip(), re.I) or re.fullmatch(r"\S*[/\\]\S*", alt):
        return "is a file name"  # what Sphinx puts there when nobody wrote one
    if len(alt) < 20 or " " not in alt.strip():
        return "is not a sentence"
    return None


@every_chapter
def test_every_picture_says_what_is_seen(site, page):
    pictures = article(site, page).find_all("img")
    problems = {img.get("src"): alt_problem(img.get("alt")) for img in pictures}
    assert not {src: problem for src, problem in problems.items() if problem}


@every_chapter
def test_every_plot_of_a_page_has_both(site, page):
    pictures = [
        picture
        for picture in soup(site / page).select("article img")
        if "_images/" in picture["src"] and not picture.find_parent(class_="a3c-live")
    ]
    light, other = pictures[::2], pictures[1::2]
    assert all("a3c-light" in picture["class"] for picture in light)
    assert all("a3c-dark" in picture["class"] for picture in other)
    assert [one["alt"] for one in light] == [two["alt"] for two in other]
    assert [two["src"] for two in other] == [
        one["src"].replace(".png", "-dark.png") for one in light
    ]
    for picture in pictures:
        assert (site / page).parent.joinpath(picture["src"]).is_file()


@pytest.mark.parametrize("alt", [None, "", "../_images/3f2a.png", "plot.svg", "a plot", "a/b/c"])
def test_a_file_name_is_no_alt_text(alt):
    assert alt_problem(alt)


# --- The site in a browser --------------------------------------------------------------------


@pytest.fixture(scope="session")
def origin(site):
    """Serve the site on this machine; return its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextlib.contextmanager
def window(chromium, address, home, *, mode="light", width=1280):
    """A page in a window of its own; every request that leaves its home is refused."""
    context = chromium.new_context(
        viewport={"width": width, "height": HEIGHT}, reduced_motion="reduce"
    )
    context.add_init_script(
        f"try {{ localStorage.mode = '{mode}'; localStorage.theme = '{mode}' }} catch {{}}"
    )
    seen = SimpleNamespace(foreign=[], errors=[], bytes=0)

    def decide(route):
        own = route.request.url.startswith((home, "data:", "blob:"))
        if not own:
            seen.foreign.append(route.request.url)
        route.continue_() if own else route.abort()

    def weigh(response):
        # Scripts, styles and fonts are shared by all pages: fetched once.
        if "/_static/" not in response.url and response.ok and home.startswith("http"):
            seen.bytes += len(response.body())
        if response.status >= 400:
            seen.errors.append(f"{response.status} for {response.url}")

    tab = context.new_page()
    tab.route("**/*", decide)
    tab.on("websocket", lambda socket: seen.foreign.append(socket.url))
    tab.on("pageerror", lambda error: seen.errors.append(str(error)))
    tab.on("console", lambda m: m.type == "error" and seen.errors.append(m.text))
    tab.on("requestfinished", lambda request: weigh(request.response()))
    tab.goto(f"{home}/{address}", wait_until="load")
    tab.evaluate("() => window.MathJax?.startup?.promise")
    yield tab, seen
    context.close()


@pytest.fixture
def visit(chromium, origin):
    """Return a function that opens a page in a new window."""
    with contextlib.ExitStack() as windows:
        yield lambda page, *, at=None, **how: windows.enter_context(
            window(chromium, page, at or origin, **how)
        )


@pytest.fixture(scope="module")
def reader(request, chromium, origin):
    """A page that several tests look at, one after the other, with all that it folds unfolded."""
    with window(chromium, request.param, origin) as (tab, seen):
        tab.evaluate(UNFOLD)
        yield tab, seen


#: Whether all code that scrolls can be reached by the keyboard.
ALL_REACHED = """() => [...document.querySelectorAll('pre[tabindex]')].every(
  e => e.scrollWidth <= e.clientWidth || e.tabIndex === 0)"""


def playwright_error():
    from playwright.sync_api import TimeoutError as GaveUp

    return GaveUp


def turn(tab, mode, width):
    """Give an open page this width, and this theme, by the theme's own button."""
    if tab.viewport_size["width"] != width:
        tab.set_viewport_size({"width": width, "height": HEIGHT})
        # The theme sees what scrolls now, a while later; if it never does, axe will say so.
        with contextlib.suppress(playwright_error()):
            tab.wait_for_function(ALL_REACHED, timeout=5_000)
    for _ in range(3):  # light, dark, and what the system says
        if tab.evaluate("document.documentElement.dataset.mode") == mode:
            break
        tab.evaluate("document.querySelector('.theme-switch-button').click()")
    assert tab.evaluate("document.documentElement.dataset.theme") == mode


# One load of each page does for all that asks a reader; what was loaded is asked first.
every_reader = pytest.mark.parametrize(
    "reader",
    [pytest.param(page, marks=pytest.mark.xdist_group(page)) for page in PAGES + HELPERS],
    indirect=True,
)

# Folded parts are read too: unfold them before looking.
UNFOLD = """() => {
  document.querySelectorAll('details').forEach(d => d.open = true);
  document.querySelectorAll('.admonition.toggle-hidden').forEach(
    d => d.querySelector('button.toggle-button')?.click());
}"""

# Elements of the text that stick out of the window, and that no ancestor lets the reader scroll to.
CUT_OFF = """() => [...document.querySelectorAll('article *')].filter(element => {
  if (element.getBoundingClientRect().right <= innerWidth + 1) return false;
  if (element.closest('mjx-assistive-mml, .sd-tab-label, .visually-hidden')) return false;
  for (let a = element.parentElement; a && a.tagName != 'ARTICLE'; a = a.parentElement)
    if (['auto', 'scroll'].includes(getComputedStyle(a).overflowX)) return false;
  return !['auto', 'scroll'].includes(getComputedStyle(element).overflowX);
}).map(element => element.outerHTML.slice(0, 120))"""


def typeset(tab):
    """Formulas in the page, and those that MathJax gave a visible size without an error."""
    return tab.evaluate("""() => {
      const formulas = [...document.querySelectorAll('article .math')];
      const good = formulas.filter(f => [...f.querySelectorAll('mjx-container')].some(c => {
        const box = c.getBoundingClientRect(); return box.width > 3 && box.height > 3; }));
      const raw = [...document.querySelectorAll('article p, article li, article td')].map(
        p => p.innerText).filter(t => /\\$[^$]*\\$|\\\\\\(|\\\\\\[|\\\\frac|\\\\sum/.test(t));
      const wrong = document.querySelectorAll('mjx-merror, [data-mjx-error]').length;
      return [formulas.length, good.length, wrong, raw];
    }""")


@every_reader
def test_page_loads_alone(reader):
    """No request to another host, no error, little weight, and the maths is typeset."""
    tab, seen = reader
    assert seen.foreign == []
    assert seen.errors == []
    assert 0 < seen.bytes < 2_000_000
    formulas, good, wrong, raw = typeset(tab)
    assert (good, wrong, raw) == (formulas, 0, [])
    not_shown = (
        "[...document.images].filter(i => i.checkVisibility() && !i.naturalWidth).map(i => i.src)"
    )
    assert tab.evaluate(not_shown) == []


#: What a page shares with all others (menu, search, contents) shows in one way only at some width
#: and theme. These pages are looked at in all four ways, the others at each width and each theme.
IN_ALL_WAYS = {PAGES[0], "book/control.html", "book/result.html", "search.html"}


def ways(page):
    both = [(1280, "light"), (390, "dark")]
    return [*both, (1280, "dark"), (390, "light")] if page in IN_ALL_WAYS else both


@pytest.mark.parametrize(
    "reader, width, mode",
    [
        pytest.param(page, *way, marks=pytest.mark.xdist_group(page))
        for page in PAGES + HELPERS
        for way in ways(page)
    ],
    indirect=["reader"],
)
def test_page_is_accessible(reader, width, mode):
    tab, _ = reader
    turn(tab, mode, width)
    assert axe_violations(tab) == []


@every_reader
def test_page_fits_a_phone(reader):
    tab, _ = reader
    turn(tab, "light", 360)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert tab.evaluate(wide) <= 0
    assert tab.evaluate(CUT_OFF) == []


def test_some_page_has_formulas(visit):
    """Otherwise the check of the maths above proves nothing."""
    assert typeset(visit("book/python_practice.html")[0])[0] >= 3


def test_dark_is_remembered(visit):
    tab, _ = visit(PAGES[0], mode="dark")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"


@every_chapter
def test_page_opens_from_disk(visit, site, page):
    tab, seen = visit(page, at=site.as_uri())
    assert seen.foreign == []
    assert seen.errors == []
    formulas, good, wrong, _ = typeset(tab)
    assert (good, wrong) == (formulas, 0)


@pytest.mark.browser
@pytest.mark.parametrize("mode, shown", [("light", "a3c-light"), ("dark", "a3c-dark")])
def test_one_of_the_two_is_shown(visit, mode, shown):
    tab, _ = visit("book/result.html", mode=mode)
    seen = "[...document.querySelectorAll('article img')].filter(i => i.checkVisibility())"
    classes = tab.evaluate(f"{seen}.map(i => i.className)")
    assert len(classes) > 5
    assert set(classes) == {shown}


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
def test_the_picture_of_a3c_can_be_read(visit, width):
    """Its letters keep their size, lie inside it, and none covers another."""
    tab, _ = visit("book/theory.html", width=width)
    boxes = tab.evaluate("""() => {
      const svg = document.querySelector('svg.a3c-diagram'), r = svg.getBoundingClientRect();
      const scale = r.width / svg.viewBox.baseVal.width;
      return [...svg.querySelectorAll('text')].map(t => {
        const b = t.getBoundingClientRect();
        return [b.left - r.left, b.top - r.top, b.right - r.left, b.bottom - r.top, r.width,
                r.height, scale * parseFloat(getComputedStyle(t).fontSize)]; });
    }""")
    assert len(boxes) > 30
    for left, top, right, bottom, wide, high, size in boxes:
        assert size > 11
        assert left >= -1
        assert top >= -1
        assert right <= wide + 1
        assert bottom <= high + 1
    touching = [
        (one, two)
        for i, one in enumerate(boxes)
        for two in boxes[:i]
        if one[0] < two[2] and two[0] < one[2] and one[1] + 4 < two[3] and two[1] + 4 < one[3]
    ]
    assert touching == []


@pytest.mark.browser
def test_the_forest_plot_leads_to_sheets_that_unfold(visit):
    """Every claim has a row, closed at first; a claim's name opens its own."""
    tab, _ = visit("book/claims.html")
    opened = "[...document.querySelectorAll('details.sd-dropdown')].map(d => d.open)"
    states = tab.evaluate(opened)
    assert len(states) == len(Ledger().claims)
    assert not any(states)
    tab.locator(".a3c-forest").get_by_role("link", name="C07").click()
    tab.wait_for_function(f"{opened}.filter(Boolean).length == 1")
    assert tab.locator("details[open]").inner_text().startswith("C07:")
    height = tab.evaluate("document.querySelector('article').scrollHeight")
    assert height < 400 * len(states)  # a row in the plot, and a closed one below


def test_every_line_of_the_algorithm_leads_to_its_function(site):
    from a3c_tut.book.algorithm import ALGORITHM

    items = article(site, "book/theory.html").select("ol.a3c-algorithm > li")
    assert len(items) == len(ALGORITHM)
    for item, line in zip(items, ALGORITHM, strict=True):
        links = [link["href"] for link in item.select("a.reference")]
        assert any(link.endswith(f"#a3c_tut.{line.module}.{line.function}") for link in links)
        assert any(link.endswith(f"#equation-{line.equation}") for link in links) == bool(
            line.equation
        )
        assert len(item.select("pre")) == 1


@pytest.mark.browser
def test_menu_and_search_are_accessible(visit):
    """What opens over the page: the menu of pages on a phone, and the search box."""
    tab, _ = visit(PAGES[0], width=390)
    tab.locator("button.primary-toggle").first.click()
    tab.wait_for_timeout(500)
    assert axe_violations(tab) == []
    tab, _ = visit(PAGES[0])
    tab.keyboard.press("Control+k")
    tab.wait_for_timeout(500)
    assert axe_violations(tab) == []


def test_search_finds_the_algorithm(visit):
    tab, seen = visit("search.html?q=advantage")
    tab.wait_for_selector("#search-results li a", timeout=10_000)
    assert (seen.foreign, seen.errors) == ([], [])


def axe_violations(tab):
    """What axe-core objects to, short enough to read in a test's report."""
    from axe_playwright_python.base import AXE_SCRIPT

    if not tab.evaluate("() => 'axe' in window"):
        tab.evaluate(AXE_SCRIPT)
    # What passes needs no report: to write one takes longer than the checks.
    options = {
        "rules": {"label-content-name-mismatch": {"enabled": True}},
        "resultTypes": ["violations"],
    }
    violations = tab.evaluate("options => axe.run(options)", options)["violations"]
    return [f"{v['id']}: {n['target']} {n['html'][:160]}" for v in violations for n in v["nodes"]]


def test_a_page_runs_no_line_that_is_not_its_own(visit, site):
    """As if a line had come into the page on its way."""
    fault = site / "_static" / "fault.html"
    page = (site / PAGES[0]).read_text(encoding="utf-8")
    fault.write_text(page.replace("</body>", "<script>window.planted = 1</script></body>"))
    try:
        tab, seen = visit("_static/fault.html")
        assert tab.evaluate("window.planted") is None
        assert any("Content Security Policy" in error for error in seen.errors)
    finally:
        fault.unlink()


def test_browser_checks_see_faults(chromium, visit, site):
    """A page with one fault of each kind: every check above must notice its own."""
    fault = site / "_static" / "fault.html"
    fault.write_text(
        "<!doctype html><html><body><article><img src='gone.png'><p>$$x$$</p>"
        "<div style='width:2000px'>wide</div><span class='math'>x</span></article>"
        "<script src='https://example.org/x.js'></script><script>throw Error('planted')</script>"
    )
    try:
        tab, seen = visit("_static/fault.html", width=360)
        assert seen.foreign == ["https://example.org/x.js"]
        assert any("planted" in error for error in seen.errors)
        assert any("404" in error for error in seen.errors)
        assert typeset(tab) == [1, 0, 0, ["$$x$$"]]
        assert tab.evaluate(CUT_OFF)
        assert any(v.startswith("image-alt") for v in axe_violations(tab))
    finally:
        fault.unlink()
