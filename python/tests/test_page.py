"""The page of a comparison in a real browser: needs Chromium on the path, playwright and axe-playwright-python."""

import shutil

import numpy as np
import pytest

import tailfit

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)

# How wide the page is, its colours, and whether it is on paper: A4 less its margins.
VIEWS = {
    "phone": (390, "light", "screen"),
    "screen": (1280, "light", "screen"),
    "dark": (1280, "dark", "screen"),
    "paper": (718, "light", "print"),
}


@pytest.fixture(scope="module")
def page_of(tmp_path_factory):
    rng = np.random.default_rng(0)
    means = 2 * rng.standard_normal((12, 16))
    sizes = np.geomspace(300, 5, 12).astype(int)

    def draw(sizes):
        labels = np.repeat(np.arange(12), sizes)
        return (means[labels] + rng.standard_normal((len(labels), 16))).astype(np.float32), labels

    folder = tmp_path_factory.mktemp("page")
    result = tailfit.compare(*draw(sizes), *draw(np.full(12, 20)), effort="quick", seeds=2)
    result.save(folder / "out")
    return folder / "out" / "report.html"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path")
@pytest.mark.parametrize("view", VIEWS)
def test_the_page_can_be_read(page_of, view):
    width, colours, medium = VIEWS[view]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        size = {"width": width, "height": 900}
        page = browser.new_context(viewport=size, color_scheme=colours, offline=True).new_page()
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.emulate_media(media=medium, color_scheme=colours)
        page.goto(page_of.as_uri())
        page.screenshot(path=page_of.parent.parent / f"{view}.png", full_page=True)
        overflow = "e => e.scrollWidth - e.clientWidth"
        assert page.eval_on_selector("html", overflow) <= 0, "the page itself scrolls sideways"
        if view != "phone":
            tables = "all => all.map(e => e.scrollWidth - e.clientWidth)"
            assert max(page.eval_on_selector_all(".wide", tables)) <= 0, "a table is cut off"
        faults = axe.Axe().run(page).response["violations"]
        browser.close()
    assert not said
    assert not [(fault["id"], fault["impact"]) for fault in faults]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path")
def test_a_column_sorts_the_table(page_of):
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_of.as_uri())
        heads = page.locator(".sortable thead button")
        column = heads.all_inner_texts().index("all")
        heads.nth(column).click()
        cells = page.locator(f".sortable tbody tr > :nth-child({column + 1})").all_inner_texts()
        browser.close()
    means = [float(cell.split()[0]) for cell in cells]
    assert len(means) > 5 and means == sorted(means, reverse=True)
