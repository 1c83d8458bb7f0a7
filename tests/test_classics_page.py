"""The page "Classic networks" without a browser: what is on it, its address, its ways to the other pages."""

import json
import os
from typing import Any

import pytest
from programs import start
from streamlit.testing.v1 import AppTest
from widgets import address, components, control, follow

from cnn_explorer.classics import tracing
from cnn_explorer.classics.catalogue import FAMILIES, NETWORKS
from cnn_explorer.classics.graph import Graph, Node
from cnn_explorer.classics.recorded import NOTHING
from cnn_explorer.classics.wording import weights_of
from cnn_explorer.classics.worker import WorkerError
from cnn_explorer.sharing.lru_cache import LruCache
from cnn_explorer.spec.network import parse
from cnn_explorer.spec.shapes import infer_shapes
from cnn_explorer.ui.classics import kept
from cnn_explorer.ui.classics.details import number_page_of, own_network_with
from cnn_explorer.ui.numbers.state import CONVOLUTION, POOLING

pytestmark = pytest.mark.usefixtures("own_visitors")


def opened(**query: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=120)
    page.switch_page("pages/classics.py")
    page.query_params.update(query)
    return page.run()


def drawn(page: AppTest) -> dict[str, Any]:
    """What the network map was sent."""
    sent: list[list[dict[str, Any]]] = [json.loads(each.proto.json) for each in components(page)]
    (found,) = [data[0] for data in sent if "rows" in data[0]]
    return found


def ids(page: AppTest) -> list[list[str]]:
    return [[part["step"]["id"] for part in row["parts"] if "step" in part] for row in drawn(page)["rows"]]


def press(page: AppTest, id: str) -> AppTest:
    page.session_state["network_map"] = {"press": {"id": id}}
    return page.run()


def test_a_press_unfolds_a_part_and_the_address_says_so() -> None:
    page = opened(network="resnet18")
    assert ids(page) == [["input", "stem", "layer1", "layer2", "layer3", "layer4", "head"]]
    assert any("11,689,512 parameters" in text.value for text in page.markdown)
    page = press(page, "layer2")
    assert ids(page)[1] == ["layer2.0", "layer2.1"]
    assert address(page)["open"] == "layer2"
    page = opened(network="resnet18", open="layer2.0.conv1")
    assert len(drawn(page)["rows"]) == 3
    assert any("`128 · 64 · 3 · 3 = 73,728`" in text.value for text in page.markdown)
    page = press(page, "")
    assert len(drawn(page)["rows"]) == 1
    assert "open" not in address(page)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.title)
def test_every_family_opens_the_block_that_shows_it(family: Any) -> None:
    page = opened(network="resnet18")
    page.button(f"classic_family_{family.title}").click().run()
    assert (address(page)["network"], address(page)["open"]) == (family.shown, family.block)
    assert drawn(page)["selected"] == family.block


def test_a_size_too_small_is_told_and_repaired() -> None:
    page = opened(network="vgg11", size="20")
    assert any("too small" in text.value for text in page.markdown)
    problems = {part["step"]["id"]: part["step"]["problem"] for part in drawn(page)["rows"][0]["parts"]}
    assert problems["stage4"] == ""
    assert problems["stage5"] == "does not fit"
    assert problems["head"] == "not reached"
    page.button("classic_repair_32").click().run()
    assert address(page)["size"] == "32"
    assert not any("too small" in text.value for text in page.markdown)


def test_another_network_begins_folded_at_its_own_size() -> None:
    page = opened(network="resnet18", open="layer1", size="64")
    control(page.selectbox, "classic_network").select("inception_v3").run()
    assert "open" not in address(page)
    assert "size" not in address(page)
    assert control(page.number_input, "classic_size").value == 299
    assert any("3,326,696" in text.value for text in page.markdown)


@pytest.mark.parametrize(
    "query", [{"open": "layer9"}, {"open": "x" * 500}, {"network": "vgg99"}, {"size": "0"}, {"size": "a"}]
)
def test_what_cannot_be_read_gets_a_sentence(query: dict[str, str]) -> None:
    page = opened(**query)
    assert len(page.warning) == 1
    assert len(drawn(page)["rows"]) == 1


def test_a_convolution_leads_to_the_number_page_and_to_an_own_network() -> None:
    page = opened(network="resnet18", open="layer2.0.conv1")
    (button,) = [button for button in page.button if "number by number" in button.label]
    page = follow(button.click().run())
    assert (CONVOLUTION.name, address(page)["stride"], address(page)["padding"]) == ("conv", "2", "1")
    page = opened(network="resnet18", open="layer2.0.conv1")
    (button,) = [button for button in page.button if "your own network" in button.label]
    page = follow(button.click().run())
    assert address(page)["net"] == "conv64k3p1-relu-max2-conv128k3s2p1-relu-fc10"


def test_only_layers_within_their_limits_lead_to_other_pages() -> None:
    graphs: dict[str, Graph] = {name: tracing.trace_graph(name) for name in ("alexnet", "googlenet", "mobilenet_v2")}
    nodes: dict[str, Node] = {one.name: one for graph in graphs.values() for one in graph.nodes}
    assert number_page_of(nodes["features.0"]) is None  # 11 × 11
    assert number_page_of(nodes["maxpool1"]) is None  # with ceil_mode
    for node in nodes.values():
        way = number_page_of(node)
        if way:
            path, query = way
            first = (CONVOLUTION if path == "convolution" else POOLING).first[query["step"]]
            scene: Any = first.read(query, first)  # type: ignore[arg-type]
            scene.spec().output_shape(scene.shape)
            assert node.window
            assert (scene.kernel_size, scene.stride) == (node.window.kernel_size[0], node.window.stride[0])
        net = own_network_with(node)
        if net and node.channels:
            layer = infer_shapes(parse(net)).layers[3]
            assert layer.output_shape[0] == node.channels[1]
            assert layer.parameters == weights_of(node) + node.channels[1]  # a bias each


def table(page: AppTest) -> list[list[str]]:
    """The rows of the table of all networks, without its heads."""
    (text,) = [one.value for one in page.markdown if one.value.startswith("| network |")]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines()[2:]]


def test_the_order_of_the_table_is_in_the_address() -> None:
    page = opened(sort="accuracy")
    assert table(page)[0][0] == "ResNet-152"
    control(page.selectbox, "classic_sort").select("parameters").run()
    assert address(page)["sort"] == "parameters"
    assert table(page)[0][0] == "SqueezeNet 1.1"
    parameters = [int(row[3].replace(",", "")) for row in table(page)]
    assert parameters == sorted(parameters)
    page = opened(sort="weight")
    assert "sorted by accuracy" in page.warning[0].value
    assert [row[0] for row in table(page)] == [network.title for network in NETWORKS.values()]


def test_a_worker_that_fails_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, failures: list[BaseException | None]
) -> None:
    def fail(*_: object) -> None:
        raise WorkerError

    monkeypatch.setattr(kept, "folded", fail)
    page = opened(network="densenet169")
    assert "could not be computed" in page.error[0].value
    assert isinstance(failures.pop(), WorkerError)


def test_the_page_is_there_without_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept.worker(), "call", lambda *_: pytest.fail("torchvision was asked"))
    page = opened(network="densenet161")
    assert drawn(page)["rows"]
    assert len(table(page)) == len(NETWORKS)


def test_with_another_version_torchvision_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "records", lambda: NOTHING)
    monkeypatch.setattr(kept, "_FACTS", {})
    monkeypatch.setattr(kept, "_GRAPHS", LruCache(64))
    page = opened(network="squeezenet1_1")
    assert any("1,235,496 parameters" in text.value for text in page.markdown)
    assert len(table(page)) == len(NETWORKS)


def test_other_pages_do_not_load_torchvision() -> None:
    """Neither does this page in the server's own process. None of the three loads pandas either."""
    program = (
        "import sys\nfrom streamlit.testing.v1 import AppTest\n"
        f"page = AppTest.from_file({os.path.abspath('app.py')!r}, default_timeout=60).run()\n"
        "page.switch_page('pages/convolution.py').run()\n"
        "from cnn_explorer.ui.classics import kept\nkept.worker().call = lambda *_: None\n"  # the other process
        "page.switch_page('pages/classics.py').run()\n"
        "print(*{'pandas', 'pyarrow'} & sys.modules.keys(), '.')\n"
        "print(*{'torchvision', 'torch._dynamo'} & sys.modules.keys(), '.')"
    )
    ended = start(program, seconds=200).wait()
    assert ended.stdout.splitlines()[-2:] == [".", "."], ended.stderr
