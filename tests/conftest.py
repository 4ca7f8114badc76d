"""Settings for all tests, and the browser and the PyTorch that some of them need."""

import importlib.util
import os
import shutil

import hypothesis
import pytest
import twin as twin_source

# The first call of a kernel loads its compiled code: time says nothing about the test.
hypothesis.settings.register_profile("a3c_tut", deadline=None)
hypothesis.settings.load_profile("a3c_tut")

#: Rooms whose examples need PyTorch.
NEED_TORCH = ("torch_modules.py", "torch_turn.py")
if importlib.util.find_spec("torch") is None:  # networks that only those tests import
    collect_ignore = ["pytorch/torch_nets.py"]


def pytest_collection_modifyitems(items):
    """Mark the examples that need PyTorch, and skip them where it is not installed."""
    missing = importlib.util.find_spec("torch") is None
    for item in items:
        if item.path.name in NEED_TORCH:
            item.add_marker(pytest.mark.torch)
            if missing:
                item.add_marker(pytest.mark.skip("no PyTorch: `make test-torch` brings it"))


@pytest.fixture(scope="module")
def chromium():
    """A headless browser; where there is none the tests skip, or fail if A3C_REQUIRE_BROWSER=1.

    Per module: while it lives there is an event loop, which others want for themselves.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("A3C_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if not found:
        reason = f"no Chromium: set A3C_CHROMIUM, or install one of {', '.join(names)}"
        if os.environ.get("A3C_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    sync_api = pytest.importorskip("playwright.sync_api")
    quiet = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
    quiet += ("--disable-background-networking", "--disable-component-update", "--disable-sync")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(quiet))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def twin(chromium):
    """A page with nothing in it but the JavaScript twin, as `a3c`."""
    page = chromium.new_page()
    for source in twin_source.sources():
        page.add_script_tag(content=source)
    page.evaluate("() => { window.a3c = {}; for (const module of a3cModules) module(a3c); }")
    yield page
    page.close()
