"""Weights that are fetched: whole and right, or not at all. Every network's own builder takes them. Memory is bounded."""

import hashlib
import re
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from classic_networks import seeded
from full_data import classic_weights
from streamlit.testing.v1 import AppTest

from cnn_explorer.classics import downloads, explaining, running, tracing
from cnn_explorer.classics.catalogue import LITE0
from cnn_explorer.classics.downloads import OFFLINE, WRONG, Downloads, Progress, WrongHashError, check, checkpoint
from cnn_explorer.classics.photographs import decoded, photograph
from cnn_explorer.classics.worker import Worker
from cnn_explorer.sharing.background import Background
from cnn_explorer.ui.classics import kept

pytestmark = pytest.mark.usefixtures("own_visitors")
ONE_A_FAMILY = ["alexnet", "vgg11_bn", "googlenet", "inception_v3", "resnet18", "densenet121", "squeezenet1_1", "mobilenet_v2"]  # fmt: skip

FORGET = "from cnn_explorer.classics import running; running._KEPT.clear(); running.forget()"


@dataclass
class Host:
    """A server of files on this machine: what it has sent, and how it fails."""

    url: str = ""
    content: bytes = b""
    cut: int = 0  # bytes that are missing at the end
    status: int = 200
    asked: list[str] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Host]:
    told = Host()
    told.go.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(told.content)))
            self.end_headers()
            half = len(told.content) // 2
            self.wfile.write(told.content[:half])
            self.wfile.flush()
            told.go.wait(20)
            self.wfile.write(told.content[half : len(told.content) - told.cut])

        def log_message(self, *_: Any) -> None:
            pass

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield told
    told.go.set()
    server.shutdown()
    server.server_close()


def named(content: bytes, name: str = "net") -> str:
    return f"{name}-{hashlib.sha256(content).hexdigest()[:8]}.pth"


def ended(found: Downloads, file: Path) -> Progress | None:
    """The progress of a download when it has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        progress = found.progress(file)
        if progress is None or progress.error:
            return progress
        time.sleep(0.01)
    raise TimeoutError


# --- a download ---


def test_a_download_is_shared_and_complete_or_not_there(host: Host) -> None:
    host.content = bytes(range(256)) * 4000
    url = f"{host.url}/models/{named(host.content)}"
    found, file = Downloads(), checkpoint(url)
    host.go.clear()
    for _ in range(3):
        found.start(url)
    deadline = time.monotonic() + 20
    while (found.progress(file) or Progress()).done == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    progress = found.progress(file)
    assert progress is not None
    assert 0 < progress.done < progress.total == len(host.content)
    assert not file.exists()
    host.go.set()
    assert ended(found, file) is None
    assert file.read_bytes() == host.content
    assert len(host.asked) == 1


def test_what_is_cut_off_or_changed_is_thrown_away_and_fetched_again(host: Host) -> None:
    content = bytes(range(256)) * 4000
    url = f"{host.url}/models/{named(content)}"
    found, file = Downloads(), checkpoint(url)
    for host.content, host.cut in ((content, 1000), (content[:-1] + b"x", 0)):
        found.start(url)
        progress = ended(found, file)
        assert progress is not None
        assert progress.error == WRONG
        assert [*file.parent.iterdir()] == []
    host.content, host.cut = content, 0
    found.start(url)
    assert ended(found, file) is None
    assert file.read_bytes() == content


def test_without_a_connection_there_is_a_sentence(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.status = 404
    for url in (f"{host.url}/a-12345678.pth", "http://127.0.0.1:1/b-12345678.pth"):
        found = Downloads()
        found.start(url)
        progress = ended(found, checkpoint(url))
        assert progress is not None
        assert progress.error == OFFLINE
    assert "could not be fetched" in caplog.text


def test_a_folder_that_cannot_be_written_is_a_sentence(host: Host, tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("in the way")
    found, url = Downloads(), f"{host.url}/a-12345678.pth"
    found.start(url)
    progress = ended(found, checkpoint(url))
    assert progress is not None
    assert progress.error == downloads.NO_ROOM


@pytest.mark.parametrize("variables", [{"TORCH_HOME": "/a"}, {"XDG_CACHE_HOME": "/b"}, {}])
def test_files_are_where_torchvision_looks(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert checkpoint("https://host/models/x-1.pth") == Path(torch.hub.get_dir()) / "checkpoints" / "x-1.pth"


def test_every_file_of_the_catalogue_has_its_hash_in_its_name(tmp_path: Path) -> None:
    file = tmp_path / "any"
    file.write_bytes(b"something else")
    for facts in kept.facts().values():
        if facts.url:
            with pytest.raises(WrongHashError):
                check(file, checkpoint(facts.url).name)


# --- weights in a network ---


def saved(name: str, folder: Path, old: bool = False, whole: bool = False) -> tuple[Path, torch.nn.Module]:
    """A file with seeded weights as torchvision's has them, and the network that they are from."""
    network = seeded(name, whole, aux_logits=True)
    file = folder / "new.pth"
    state = {
        key: value for key, value in network.state_dict().items() if not (old and key.endswith("num_batches_tracked"))
    }
    torch.save(state, file, _use_new_zipfile_serialization=not old)
    return file.rename(folder / named(file.read_bytes(), name)), network


@pytest.mark.parametrize("name", ONE_A_FAMILY)
@torch.no_grad()
def test_every_family_takes_its_weights_and_its_own_preprocessing(name: str, tmp_path: Path) -> None:
    from torchvision.models import get_model_weights

    file, network = saved(name, tmp_path)
    picture = decoded(photograph("coffee"))
    expected = next(iter(get_model_weights(name))).transforms()(picture)[None]
    if name in running.INCEPTION:
        network.transform_input = True  # as torchvision has it with trained weights
        expected = network._transform_input(expected)
        network.transform_input = False
    preprocessing = running.preprocessing_of(name)
    image = running.normalised(running.scaled(picture, preprocessing)[1], preprocessing)
    torch.testing.assert_close(image, expected)
    loaded, middle = running._loaded(name, file), image[..., 64:160, 64:160]
    torch.testing.assert_close(loaded(middle), network(middle), rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_a_file_in_the_older_format_is_read(tmp_path: Path) -> None:
    file, network = saved("densenet121", tmp_path, old=True)
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(running._loaded("densenet121", file)(x), network(x))


@pytest.mark.parametrize("damage", ["torn", "changed", "another network's", "a pickle that runs"])
def test_a_damaged_file_is_deleted_and_never_used(damage: str, tmp_path: Path) -> None:
    file, _ = saved("squeezenet1_1", tmp_path)
    content = file.read_bytes()
    if damage == "torn":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        file.write_bytes(content[:-5000] + bytes(5000))
    elif damage == "another network's":
        file, _ = saved("squeezenet1_0", tmp_path)
    else:
        torch.save({"x": Runs()}, tmp_path / "pickle.pth")
        file = (tmp_path / "pickle.pth").rename(tmp_path / named((tmp_path / "pickle.pth").read_bytes()))
    with pytest.raises(ValueError, match="thrown away"):
        running.trained("squeezenet1_1", file)
    assert not file.exists()
    assert not ran
    with pytest.raises(ValueError, match="not here any more"):
        running.trained("squeezenet1_1", file)


ran: list[str] = []


class Runs:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return ran.append, ("it ran",)


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1"])
def test_trained_weights_recognise_the_photographs(name: str, tmp_path: Path) -> None:
    torch.save(torch.load(classic_weights(name), weights_only=True), tmp_path / "x.pth")
    file = (tmp_path / "x.pth").rename(tmp_path / named((tmp_path / "x.pth").read_bytes()))
    running._KEPT.clear()
    assert running.classify(name, photograph("chelsea"), file).answers[0].label in ("Egyptian cat", "tiger cat")
    assert running.classify(name, photograph("coffee"), file).answers[0].label == "espresso"
    running._KEPT.clear()


# --- memory ---


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells what a process has taken at most")
def test_networks_stay_within_the_memory(tmp_path: Path) -> None:
    """Opened one after the other in one process, four networks take no more than the limit beside torchvision itself.

    All together would take more than one and a half times as much.
    """
    limit, worker = 175, kept.worker()
    worker.call(running.classify, LITE0, photograph("coffee"))
    worker.call(exec, FORGET)
    worker.call(exec, f"import os; os.environ[{running.MEMORY!r}] = '{limit}'")
    try:
        worker.call(Path("/proc/self/clear_refs").write_text, "5")  # what it takes at most begins anew
        before = peak(worker)
        for name in ("resnet18", "resnet50", "googlenet", "resnet34"):
            file, _ = saved(name, tmp_path, whole=True)
            worker.call(running.classify, name, photograph("coffee"), file)
        assert 100 < peak(worker) - before < limit
    finally:
        worker.call(exec, f"import os; del os.environ[{running.MEMORY!r}]")
        worker.call(exec, FORGET)


def test_a_network_that_is_forgotten_leaves_nothing_behind() -> None:
    network = tracing.build("squeezenet1_1", "cpu")
    weights = weakref.ref(network.get_submodule("features.0").weight)
    explaining.grad_cam(running.out_of_place(network), torch.randn(1, 3, 64, 64), 1, 3)
    del network
    running.forget()
    assert weights() is None


def peak(worker: Worker) -> float:
    """The most memory that the process has taken, in megabytes. What `getrusage` says begins with its parent's."""
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", worker.call(Path("/proc/self/status").read_text))
    return float(kilobytes) / 1e3


def test_what_never_fits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(running.MEMORY, "50")
    file, _ = saved("squeezenet1_1", tmp_path)
    with pytest.raises(ValueError, match="more memory"):
        running.trained("squeezenet1_1", file)
    assert file.exists()
    monkeypatch.setenv(running.MEMORY, "much")
    assert running.memory_limit() == running.USUAL_MEMORY


# --- the page ---


def opened(name: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=120)
    page.switch_page("pages/classics.py")
    page.query_params["network"] = name
    return page.run()


def until(page: AppTest, done: Callable[[AppTest], bool]) -> AppTest:
    deadline = time.monotonic() + 60
    while not done(page):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        page.run()
    return page


def is_classified(page: AppTest) -> bool:
    return any('class="classified"' in one.proto.body for one in page.get("html"))


@pytest.fixture
def offered(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """SqueezeNet's weights, seeded ones, as the page is to fetch them."""
    file, _ = saved("squeezenet1_1", tmp_path)
    host.content = file.read_bytes()
    known: dict[str, tracing.Facts] = dict(kept.facts())
    known["squeezenet1_1"] = replace(known["squeezenet1_1"], url=f"{host.url}/{file.name}")
    monkeypatch.setattr(kept, "_FACTS", known)
    monkeypatch.setattr(kept, "_BACKGROUND", Background(4))
    kept.worker().call(exec, FORGET)  # weights that other tests have used
    return host


def test_the_page_fetches_weights_and_uses_them(offered: Host) -> None:
    page = opened("squeezenet1_1")
    assert any("5 MB" in text.value for text in page.markdown)
    assert not is_classified(page)
    offered.go.clear()
    page.button("classic_download").click().run()
    until(page, lambda page: any("Downloading" in text.value for text in page.markdown))
    offered.go.set()
    until(page, is_classified)
    file = kept.weights_file("squeezenet1_1")
    assert file is not None
    assert file.exists()


def test_an_interrupted_download_is_told_and_tried_again(offered: Host) -> None:
    page = opened("squeezenet1_1")
    offered.cut = 1000
    page.button("classic_download").click().run()
    until(page, lambda page: bool(page.warning))
    assert page.warning[0].value == WRONG
    offered.cut = 0
    page.button("classic_download").click().run()
    until(page, is_classified)


def test_a_file_that_was_damaged_later_is_told_and_fetched_again(offered: Host) -> None:
    file = kept.weights_file("squeezenet1_1")
    assert file is not None
    file.parent.mkdir(parents=True)
    file.write_bytes(b"nothing of the kind")
    page = opened("squeezenet1_1")
    until(page, lambda page: bool(page.warning))
    assert "thrown away" in page.warning[0].value
    page.button("classic_download").click().run()
    until(page, is_classified)


def test_a_network_that_would_not_fit_is_not_offered(monkeypatch: pytest.MonkeyPatch, offered: Host) -> None:
    monkeypatch.setenv(running.MEMORY, "50")
    page = opened("squeezenet1_1")
    assert any("need about 70 MB" in text.value for text in page.markdown)
    assert not any(button.key == "classic_download" for button in page.button)
