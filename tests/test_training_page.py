"""The page "Train" without a browser: buttons, address, labels, and what is kept for the other pages."""

import re
import time
from collections.abc import Iterator

import pytest
import torch
from streamlit.testing.v1 import AppTest
from widgets import address, control, sent

from cnn_explorer.evaluation import accuracy
from cnn_explorer.network import LECTURE, PRESETS, parse
from cnn_explorer.training.recipes import digits_for, parse_recipe, recipes_for
from cnn_explorer.training.run import Run
from cnn_explorer.ui import cached

QUICK = "bundled-sgd0.05m0.5-b256-e2-s0"  # fifteen batches an epoch
SMALL = "conv4k5s2-relu-fc10"


@pytest.fixture(autouse=True)
def own_runs() -> Iterator[None]:
    """No test finds what another has trained."""
    yield
    cached.runs().close()
    cached.runs.clear()


def opened(**address: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=60)
    page.switch_page("pages/training.py")
    page.query_params.update({"net": SMALL, "recipe": QUICK, **address})
    page.run()
    assert not page.exception, page.exception
    return page


def sentence(page: AppTest) -> str:
    return str(sent(page)["sentence"])


def press(page: AppTest, key: str) -> AppTest:
    next(button for button in page.button if button.key == key).click()
    page.run()
    return page


def settled(page: AppTest) -> AppTest:
    """Run again as the view asks for it, until nothing goes on."""
    for _ in range(600):
        page.run()
        assert not page.exception, page.exception
        if not sent(page)["training"]["going"]:
            return page
        time.sleep(0.02)
    raise AssertionError("it does not come to an end")


def trained(batches: int, net: str = SMALL, recipe: str = QUICK) -> torch.nn.Sequential:
    """The same by the core alone."""
    run = Run(parse(net), parse_recipe(recipe))
    while run.batch < batches or run.is_due(batches):
        run.advance()
    return run.network()[1]


def fingerprint(module: torch.nn.Sequential) -> str:
    from cnn_explorer.weights import Label, TrainedNetwork

    return TrainedNetwork(module, Label("", "", None, "")).fingerprint


def test_it_opens_with_an_untrained_network_and_its_maps() -> None:
    page = opened()
    assert sentence(page) == "Untrained: random weights, as seed 0 makes them."
    assert not sent(page)["trained"]
    assert sent(page)["net"] == SMALL
    assert sent(page)["version"] == fingerprint(trained(0))


def test_it_trains_to_the_very_weights_that_the_recipe_gives_and_says_how_good_they_are() -> None:
    page = settled(press(opened(), "train"))
    module = trained(30)
    assert sent(page)["version"] == fingerprint(module)
    test = digits_for("bundled")[1]
    right = accuracy(module, test.images, test.labels)
    assert sentence(page) == f"Trained here, 2 epochs on 4,000 digits: right on {100 * right:.1f} % of 1,000 test digits."
    assert address(page)["at"] == "30"
    train = next(button for button in page.button if button.key == "train")
    assert train.disabled  # to the end


def test_a_batch_and_an_epoch_at_a_time() -> None:
    page = opened()
    for key, at in (("train_batch", 1), ("train_batch", 2), ("train_epoch", 15), ("train_batch", 16), ("train_epoch", 30)):
        settled(press(page, key))
        assert address(page)["at"] == str(at)
        assert sent(page)["version"] == fingerprint(trained(at)), at


def test_paused_and_resumed_it_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "bundled-sgd0.05m0.5-b32-e2-s1"
    page = press(opened(recipe=long), "train")
    assert sent(page)["training"]["going"]
    page = settled(press(page, "pause"))
    while (run := cached.runs().standing("", parse(SMALL), parse_recipe(long))).going or str(run.run and run.run.batch) != address(page)[
        "at"
    ]:
        page.run()  # the batch that was under way
    stopped = int(address(page)["at"])
    assert 0 <= stopped < 250
    assert sent(page)["version"] == fingerprint(trained(stopped, recipe=long))
    page = settled(press(page, "train"))
    assert address(page)["at"] == "250"
    assert sent(page)["version"] == fingerprint(trained(250, recipe=long))


def test_start_over_gives_the_very_same_initial_weights_and_the_same_run() -> None:
    page = settled(press(opened(), "train_epoch"))
    after = sent(page)["version"]
    page = settled(press(page, "train_reset"))
    assert address(page)["at"] == "0"
    assert sent(page)["version"] == fingerprint(trained(0))
    page = settled(press(page, "train_batch"))
    assert sent(page)["version"] == fingerprint(trained(1))
    page = settled(press(page, "train_epoch"))
    assert sent(page)["version"] == after


def test_what_another_visitor_has_trained_is_not_trained_again() -> None:
    settled(press(opened(), "train"))
    run = cached.runs().run(parse(SMALL), parse_recipe(QUICK))
    assert run is not None
    page = settled(press(opened(), "train"))
    assert cached.runs().run(parse(SMALL), parse_recipe(QUICK)) is run
    assert sent(page)["version"] == fingerprint(trained(30))
    again = opened(at="30")  # an address that is opened once more
    assert sent(again)["version"] == fingerprint(trained(30))


def test_a_step_of_what_is_trained_already_is_a_true_step() -> None:
    settled(press(opened(), "train"))
    page = settled(press(opened(), "train_batch"))
    assert sent(page)["version"] == fingerprint(trained(1))


def test_two_networks_by_one_recipe() -> None:
    page = settled(press(opened(beside="fc16-relu-fc10"), "train"))
    table = next(text.value for text in page.markdown if "multiply-adds" in text.value) if section(page, "beside") else ""
    for net, parameters in ((SMALL, "5,874"), ("fc16-relu-fc10", "12,730")):
        assert sum(parameter.numel() for parameter in trained(0, net).parameters()) == int(parameters.replace(",", ""))
        test = digits_for("bundled")[1]
        right = accuracy(trained(30, net), test.images, test.labels)
        assert re.search(rf"\| {net} \| {parameters} \| .* \| \*\*{100 * right:.2f} %\*\* \|", table), table
    control(page.get("button_group"), "look_into")


def section(page: AppTest, name: str) -> bool:
    page.session_state["results_section"] = name
    page.run()
    assert not page.exception, page.exception
    return True


@pytest.mark.parametrize("name", ["wrong", "beside", "along"])
def test_every_section_before_and_after_a_training(name: str) -> None:
    page = opened()
    section(page, name)
    settled(press(page, "train_epoch"))
    section(page, name)


def test_a_digit_of_the_gallery_becomes_the_drawing() -> None:
    page = settled(press(opened(), "train_epoch"))
    before = address(page)["drawing"]
    press(page, "digit_0")
    assert address(page)["drawing"] != before
    assert address(page)["drawing"].startswith("p")


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("recipe", "mnist-sgd0.01", "recipe"),
        ("recipe", "bundled-sgd5m0.5-b64-e1-s0", "rate (=5.0) must be a number from 0.0001 to 1"),
        ("beside", "nonsense", "network to compare with"),
        ("beside", "fc4096-fc4096-fc10", "parameters"),
        ("at", "-3", "number of batches"),
        ("at", "٣", "number of batches"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(part: str, value: str, words: str) -> None:
    page = opened(**{part: value})
    assert any(words in warning.value.replace("\\", "") for warning in page.warning), [warning.value for warning in page.warning]
    assert sent(page)["net"] == SMALL


@pytest.mark.parametrize("net", ["max2", "conv4k3-fc7", "conv4k28-conv4k2-fc10"])
def test_what_cannot_be_trained_says_why(net: str) -> None:
    page = opened(net=net)
    assert any("network" in warning.value for warning in page.warning)
    train = next(button for button in page.button if button.key == "train")
    assert train.disabled


def test_settings_are_in_the_address() -> None:
    page = opened()
    control(page.selectbox, "optimizer").set_value("adam").run()
    assert address(page)["recipe"] == "bundled-adam0.05-b256-e2-s0"
    control(page.number_input, "seed").set_value(7).run()
    control(page.checkbox, "augment").check().run()
    assert address(page)["recipe"] == "bundled-adam0.05-augment-b256-e2-s7"
    control(page.selectbox, "recipes").set_value("the lecture's recipe").run()
    assert address(page)["recipe"] == str(recipes_for("bundled")["the lecture's recipe"]).replace("s0", "s7")


def test_the_first_page_shows_trained_weights_until_they_are_given_back() -> None:
    page = settled(press(opened(net=str(LECTURE)), "train_epoch"))
    run = cached.runs().run(LECTURE, parse_recipe(QUICK))
    assert run is not None
    first = AppTest.from_file("../app.py", default_timeout=60)
    first.query_params.update({"net": str(LECTURE), "weights": f"{QUICK}@15"})
    first.run()
    assert sent(first)["version"] == sent(page)["version"]
    assert sentence(first).startswith("Trained here, 1 epoch on 4,000 digits: right on ")
    assert sent(first)["training"] is None
    press(first, "forget_weights")
    assert sentence(first).startswith("Trained on MNIST and pen digits.")
    assert "weights" not in address(first)


def test_weights_that_are_not_kept_any_more_get_a_sentence() -> None:
    for text in (f"{QUICK}@15", "nonsense", "@", f"{QUICK}@-1", f"{QUICK}@x"):
        first = AppTest.from_file("../app.py", default_timeout=60)
        first.query_params.update({"net": str(LECTURE), "weights": text})
        first.run()
        assert any("not kept any more" in warning.value for warning in first.warning)
        assert sentence(first).startswith("Trained on MNIST and pen digits.")


def test_the_queue_says_how_many_are_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "is_present", lambda visitor: True)
    for seed in range(1, 4):
        recipe = parse_recipe(f"bundled-sgd0.05m0.5-b32-e100-s{seed}")
        cached.runs().drive(f"visitor {seed}", PRESETS["LeNet-5"], recipe, 10**6)
    page = press(opened(), "train")
    progress = page.get("progress")[0].proto.text
    assert re.search(r"[23] other visitors train before your next turn", progress), progress
    for seed in range(1, 4):
        cached.runs().leave(f"visitor {seed}")
    settled(page)
