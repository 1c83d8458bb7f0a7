"""Whatever fails on a page, a visitor reads one sentence and goes on with the same session."""

import io
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch  # noqa: F401  # imported first, so that the pages need not wait for it
from PIL import Image
from streamlit.testing.v1 import AppTest
from test_shipped import flip, forget
from widgets import address, components, control, record, sent

from cnn_explorer import shipped
from cnn_explorer.sharing.lru_cache import LruCache
from cnn_explorer.spec.network import LECTURE, PRESETS
from cnn_explorer.ui import boundary, caches, state
from cnn_explorer.ui import loading as loading_module
from cnn_explorer.ui.address import Address
from cnn_explorer.ui.draw import controls, live
from cnn_explorer.ui.loading import torch_loading
from cnn_explorer.ui.numbers import controls as number_controls
from cnn_explorer.ui.numbers.state import NumberPage
from cnn_explorer.ui.train import controls as training_controls
from cnn_explorer.ui.train import progress

UNKNOWN = boundary.UNKNOWN
Failures = list[BaseException | None]
PAGES = ["", "training", "convolution", "pooling"]


class Unheard(Exception):
    pass


def opened(name: str = "", **parameters: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=60)
    if name:
        page.switch_page(f"pages/{name}.py")
    page.query_params.update(parameters)
    torch_loading().wait()
    return page.run()


def fail(*_: object, **__: object) -> None:
    raise Unheard("a secret of the server")


def told(page: AppTest) -> list[str]:
    """What it complains about, without the backslashes of Markdown."""
    assert not page.exception, page.exception
    return [error.value.replace("\\", "") for error in page.error]


def expect(failures: Failures, kind: type[Exception], count: int = 1) -> None:
    """So many failures have been caught and logged since, all of a kind."""
    assert [type(problem) for problem in failures] == [kind] * count
    failures.clear()


# --- pages and their parts ---

PARTS: list[tuple[str, object, str]] = [
    ("", Address, "read"),
    ("", controls, "preset_choice"),
    ("", state, "apply_message"),  # in the network view
    ("training", Address, "read"),
    ("training", training_controls, "header"),
    ("training", training_controls, "buttons"),  # in what moves
    ("convolution", Address, "read"),
    ("convolution", number_controls, "header"),
    ("pooling", number_controls, "parameters"),
]


@pytest.mark.parametrize(("name", "where", "what"), PARTS)
def test_a_failure_is_one_sentence_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, failures: Failures, name: str, where: object, what: str
) -> None:
    page = opened(name, drawing="d5", net="conv4k5-relu-fc10")
    assert told(page) == []
    before, shown = address(page), replace(record(page, state.Shown))
    with monkeypatch.context() as patch:
        patch.setattr(where, what, fail)
        page.run()
    assert told(page) == [UNKNOWN]
    expect(failures, Unheard)
    assert "secret" not in UNKNOWN
    assert record(page, state.Shown) == shown
    page.run()
    assert told(page) == []
    assert address(page) == before
    assert len(components(page)) == 1


def test_a_part_that_fails_leaves_the_rest_of_the_page(monkeypatch: pytest.MonkeyPatch, failures: Failures) -> None:
    monkeypatch.setattr(live, "trained", fail)
    page = opened(drawing="d5")
    assert told(page) == [UNKNOWN]
    assert control(page.selectbox, "preset").value == "the lecture's network"
    expect(failures, Unheard)


def test_an_uploaded_file_outlives_a_failure(monkeypatch: pytest.MonkeyPatch, failures: Failures) -> None:
    """Streamlit forgets the widgets that a run did not come to, unless the run was stopped."""
    page = opened()
    one, file = Image.new("L", (60, 60), 255), io.BytesIO()
    one.paste(0, (25, 10, 35, 50))
    one.save(file, "PNG")
    page.file_uploader[0].upload("any.png", file.getvalue(), "image/png").run()
    with monkeypatch.context() as patch:
        patch.setattr(controls, "preset_choice", fail)
        page.run()
    assert page.session_state["upload"].name == "any.png"
    expect(failures, Unheard)


@pytest.mark.parametrize("name", PAGES)
def test_the_frame_of_a_page_can_fail(monkeypatch: pytest.MonkeyPatch, failures: Failures, name: str) -> None:
    from cnn_explorer.ui import shell

    monkeypatch.setattr(shell, "_top_bar", fail)
    assert told(opened(name)) == [UNKNOWN]
    expect(failures, Unheard)


def test_pytorch_that_cannot_be_loaded_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading_module, "_load_torch", fail)
    loading = loading_module.Loading()
    loading.wait()
    assert loading.error
    assert "secret" not in loading.error
    assert "Unheard" not in loading.error


# --- callbacks ---


def choose_preset(page: AppTest) -> AppTest:
    return control(page.selectbox, "preset").select("LeNet-5").run()


def type_network(page: AppTest) -> AppTest:
    return control(page.text_input, "architecture").set_value("fc10").run()


def press(key: str) -> Callable[[AppTest], AppTest]:
    return lambda page: page.button(key=key).click().run()


CALLBACKS: list[tuple[str, object, str, Callable[[AppTest], AppTest]]] = [
    ("", state, "set_network", choose_preset),
    ("", controls, "parse", type_network),
    ("", controls, "split", press("add_block")),
    ("training", progress, "_go", press("train")),
    ("convolution", NumberPage, "show", lambda page: page.number_input[0].set_value(3).run()),
]


@pytest.mark.parametrize(("name", "where", "what", "act"), CALLBACKS)
def test_a_callback_that_fails_is_told_and_the_page_stays(
    monkeypatch: pytest.MonkeyPatch,
    failures: Failures,
    name: str,
    where: object,
    what: str,
    act: Callable[[AppTest], AppTest],
) -> None:
    page = opened(name)
    before = address(page)
    real = getattr(where, what)

    def fail_once(*_: object, **__: object) -> None:
        monkeypatch.setattr(where, what, real)
        raise Unheard("a secret of the server")

    monkeypatch.setattr(where, what, fail_once)
    act(page)
    assert told(page) == []
    assert [toast.value for toast in page.toast] == [UNKNOWN]
    assert address(page) == before
    assert len(components(page)) == 1
    expect(failures, Unheard)


# --- damaged files ---


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the shipped files that everything reads from; what networks were kept ready is forgotten."""
    shutil.copytree(shipped.ASSETS, tmp_path / "assets")
    monkeypatch.setattr(shipped, "ASSETS", tmp_path / "assets")
    monkeypatch.setattr(caches, "_NETWORKS", LruCache(caches.KEPT))
    caches.scheduler().close()  # another test's training would read the files before they are damaged
    caches._scheduler.cache_clear()
    forget()
    yield tmp_path / "assets"
    forget()


def sentence_of(file: str) -> str:
    return f"The file {file} that comes with the app is damaged or missing; install the app again."


def test_damaged_weights_of_a_preset_are_told_and_another_network_can_be_chosen(
    copied: Path, failures: Failures
) -> None:
    flip(copied / "presets.pt")
    page = opened(net=str(PRESETS["the lecture's fully connected network"]))
    assert told(page) == [sentence_of("presets.pt")]
    assert not components(page)
    expect(failures, shipped.AssetError)
    control(page.selectbox, "preset").select("the lecture's network").run()
    assert told(page) == []
    assert sent(page)["net"] == str(LECTURE)


@pytest.mark.parametrize(
    ("file", "net"), [("lecture.pt", str(LECTURE)), ("shared.pt", "conv3k5-max2-relu-fc10"), ("digits.npz", "fc10")]
)
def test_any_damaged_file_is_told(copied: Path, failures: Failures, file: str, net: str) -> None:
    flip(copied / file)
    page = opened(net=net, drawing="d5" if file == "digits.npz" else "s")
    assert told(page) == [sentence_of(file)]
    expect(failures, shipped.AssetError)


def test_pytorch_gets_ready_whatever_file_is_damaged(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading_module.gc, "freeze", lambda: None)
    (copied / "lecture.pt").unlink()
    loading = loading_module.Loading()
    loading.wait()
    assert (loading.ready, loading.error) == (True, "")


def test_no_details_are_shown_of_what_no_page_catches() -> None:
    config = tomllib.loads((Path(__file__).parent.parent / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["client"]["showErrorDetails"] == "none"
