"""A layer that the registry did not know, looked at in a real browser: with its one entry of the browser's table, and
without it.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
import silu_layer
from browser.conftest import Watch
from browser.driver import ROOT, Server, running_app
from browser.explorer import Explorer
from browser.test_depth import close, open_map, panel
from playwright.sync_api import Page, Route, expect
from silu_layer import BROWSER_ENTRY, NET

pytestmark = pytest.mark.browser

TABLE = ROOT / "cnn_explorer/ui/network_view/assets/layer_kinds.js"
REGISTRATION = """
from cnn_explorer.spec import layers
from silu_layer import REGISTRY_LINE
layers.LAYERS |= {token: spec for token, spec in REGISTRY_LINE.items() if token not in layers.LAYERS}
"""


@pytest.fixture(scope="module")
def silu_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The app, with the class and its line of the registry."""
    folder = tmp_path_factory.mktemp("silu")
    shutil.copy(silu_layer.__file__, folder)
    shutil.copytree(ROOT / "pages", folder / "pages")
    (folder / "app.py").write_text(REGISTRATION + (ROOT / "app.py").read_text(encoding="utf-8"), encoding="utf-8")
    with running_app(folder / "app.py") as running:
        yield running


def with_entry(route: Route) -> None:
    """The table as it is served once the entry is written into it."""
    table = TABLE.read_text(encoding="utf-8")
    start = "export const LAYER_KINDS = {\n"
    assert start in table
    route.fulfill(body=table.replace(start, start + BROWSER_ENTRY), content_type="text/javascript")


@pytest.fixture(autouse=True)
def _own_host(watch: Watch, silu_server: Server) -> None:
    watch.hosts.add(urlsplit(silu_server.url).netloc)


def opened(page: Page, server: Server) -> Explorer:
    page.goto(f"{server.url}/?{urlencode({'net': NET})}")
    app = Explorer(page).ready()
    app.wait_net(NET)
    app.view.and_(page.locator("[data-follows]")).wait_for(timeout=60_000)
    return app


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


def test_with_its_entry_the_browser_computes_it_as_pytorch_does(
    new_page: Callable[..., Page], silu_server: Server
) -> None:
    page = new_page()
    page.route("**/layer_kinds.js", with_entry)
    for _ in range(4):  # a busy machine can be too slow for the browser's own pass when it is timed
        app = opened(page, silu_server)
        if app.view.get_attribute("data-follows") == "true":
            break
    assert app.view.get_attribute("data-follows") == "true"
    expect(page.locator(".agree")).to_have_text("✓ PyTorch agrees")
    app.draw((60, 140), (220, 140))
    assert int(app.view.get_attribute("data-followed") or 0) > 0  # the maps followed the pen here
    expect(page.locator(".agree")).to_have_text("✓ PyTorch agrees")
    open_map(app, "silu1", 3, 11, 12, 24)
    expect(panel(app).locator(".how")).to_have_text("x times its own sigmoid. Every value by itself.")
    formula, value = panel(app).locator(".lines li").inner_text().replace("−", "-").split(" = ")
    x = float(formula.split(" / ")[0])
    assert float(value) == pytest.approx(silu(np.array(x)), abs=2e-6 * max(1, abs(x)))


def test_without_an_entry_pytorchs_numbers_are_shown(new_page: Callable[..., Page], silu_server: Server) -> None:
    page = new_page()
    app = opened(page, silu_server)
    assert app.view.get_attribute("data-follows") == "false"
    assert app.layers() == ["conv1", "silu1", "max1", "conv2", "silu2"]
    assert page.locator(".column .shape").all_inner_texts()[:3] == ["6×24×24", "6×24×24", "6×12×12"]
    before, paper = app.colours("silu1"), app.seq
    app.draw((60, 140), (220, 140))
    app.wait_painted(paper)
    page.wait_for_function(
        "([canvas, old]) => canvas.toDataURL() !== old", arg=[app.canvas("silu1").element_handle(), before]
    )
    assert app.view.get_attribute("data-followed") is None
    # A value of the layer behind it is made of the same windows as before.
    open_map(app, "silu2", 3, 4, 5, 10)
    expect(panel(app).locator(".how")).to_have_text(
        "This browser does not know how SiLU is computed. The maps are PyTorch's."
    )
    line = panel(app).locator(".lines li").inner_text()
    assert line.startswith("PyTorch: ")
    outlined = "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)"
    assert page.locator(".seen .outline").evaluate(outlined)
    assert page.locator(".column:has([data-layer=conv1]) .outline").evaluate(outlined)
    close(app)
    # The layers around it are explained as ever: their weights are told apart.
    open_map(app, "conv2", 2, 4, 5, 10)
    expect(panel(app).locator(".lines")).to_contain_text("agrees")
    assert Path(TABLE).read_text(encoding="utf-8").count("SiLU") == 0
