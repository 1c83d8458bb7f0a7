"""The page "Train" without a browser: buttons, address, labels, and what is kept for the other pages."""

import re
import time
from functools import cache

import numpy as np
import pytest
import safetensors.torch
import streamlit as st
import torch
from rendered import FOREIGN, quotes_foreign_text, shown
from streamlit.testing.v1 import AppTest
from widgets import address, components, control, data_of, follow, record, sent, tell_view, wait_for_training

from cnn_explorer.sharing.lru_cache import LruCache
from cnn_explorer.spec.network import PRESETS, parse
from cnn_explorer.training.files import CONVERT, weights_file
from cnn_explorer.training.recipe import digits_for, parse_recipe, recipes_for
from cnn_explorer.training.run import Run
from cnn_explorer.ui import caches, visitors
from cnn_explorer.ui.network_view import pack_weights
from cnn_explorer.ui.train import progress
from cnn_explorer.ui.train.live import Watch
from cnn_explorer.ui.train.results import ResultsShown
from cnn_explorer.weights.builder import build_network
from cnn_explorer.weights.evaluation import accuracy
from cnn_explorer.weights.load import load_network

LONG = "bundled-sgd0.05m0.5-b32-e2-s1"
QUICK = "bundled-sgd0.05m0.5-b256-e2-s0"  # fifteen batches an epoch
SMALL = "conv4k5s3-relu-fc10"
SHIPPED = PRESETS["stride=2 halves"]  # of the networks that come with weights the one that is trained soonest


@pytest.fixture(autouse=True)
def own_runs(own_visitors: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds what another has trained, and no drawing is judged."""
    monkeypatch.setattr(caches, "novelty", lambda: None)


def opened(**address: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=60)
    page.switch_page("pages/training.py")
    page.query_params.update({"net": SMALL, "recipe": QUICK, **address})
    page.run()
    assert not page.exception, page.exception
    return page


def first_page(**query: str) -> AppTest:
    """Run until PyTorch answers."""
    page = AppTest.from_file("../app.py", default_timeout=60)
    page.query_params.update(query)
    while sent(page.run())["pending"]:
        time.sleep(0.01)
    return page


def at(page: AppTest) -> int:
    """The place in the address."""
    return int(address(page).get("at", 0))


def said(page: AppTest) -> str:
    """All warnings, as a reader sees them."""
    return " ".join(warning.value for warning in page.warning).replace("\\", "")


def drive(recipe: str, until: int, net: str = SMALL, visitor: str = "another") -> Run:
    """Somebody else has a run go on."""
    run = caches.scheduler().train(visitor, parse(net), parse_recipe(recipe), until).run
    assert run is not None
    return run


def rest(run: Run, until: int) -> Run:
    """Wait until so many batches are trained, and tested."""
    while run.is_due(until):
        wait_for_training(0.01)
    return run


def kept(batches: int, net: str = SMALL) -> Run:
    """Somebody else has trained so many batches."""
    return rest(drive(QUICK, batches, net), batches)


def seen(batches: int) -> AppTest:
    """The page, opened where so many batches are trained."""
    kept(batches)
    return opened(at=str(batches))


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
        wait_for_training()
    raise AssertionError("it does not come to an end")


@cache
def trained(batches: int, net: str = SMALL, recipe: str = QUICK) -> torch.nn.Sequential:
    """The same by the core alone."""
    run = Run(parse(net), parse_recipe(recipe))
    while run.batch < batches or run.is_due(batches):
        run.advance()
    return run.network()[1]


def fingerprint(module: torch.nn.Sequential) -> str:
    from cnn_explorer.weights.load import fingerprint_of

    return fingerprint_of(module)


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
    assert (
        sentence(page) == f"Trained here, 2 epochs on 4,000 digits: right on {100 * right:.1f} % of 1,000 test digits."
    )
    assert at(page) == 30
    train = next(button for button in page.button if button.key == "train")
    assert train.disabled  # to the end


def test_a_batch_and_an_epoch_at_a_time() -> None:
    page = opened()
    for key, batch in (
        ("train_batch", 1),
        ("train_batch", 2),
        ("train_epoch", 15),
        ("train_batch", 16),
        ("train_epoch", 30),
    ):
        settled(press(page, key))
        assert at(page) == batch
        assert sent(page)["version"] == fingerprint(trained(batch)), batch


def test_a_batch_that_is_over_before_the_page_looks_is_in_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    noted = progress.note_change

    def note_slowly() -> None:
        noted()
        run = caches.scheduler().run(parse(SMALL), parse_recipe(QUICK))
        assert run is not None
        rest(run, 1)

    page = opened()
    monkeypatch.setattr(progress, "note_change", note_slowly)
    press(page, "train_batch")
    assert not sent(page)["training"]["going"]
    assert at(page) == 1
    assert sent(page)["version"] == fingerprint(trained(1))


def test_paused_and_resumed_it_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "bundled-sgd0.05m0.5-b32-e2-s1"
    page = press(opened(recipe=long), "train")
    assert sent(page)["training"]["going"]
    page = settled(press(page, "pause"))
    stopped = at(page)
    assert 0 <= stopped < 250
    run = caches.scheduler().run(parse(SMALL), parse_recipe(long))
    assert run is not None
    assert run.batch == stopped  # not one batch more
    assert sent(page)["version"] == fingerprint(trained(stopped, recipe=long))
    page = settled(press(page, "train"))
    assert at(page) == 250
    assert sent(page)["version"] == fingerprint(trained(250, recipe=long))


def test_start_over_gives_the_very_same_initial_weights_and_the_same_run() -> None:
    page = settled(press(opened(), "train_epoch"))
    after = sent(page)["version"]
    page = settled(press(page, "train_reset"))
    assert at(page) == 0
    assert sent(page)["version"] == fingerprint(trained(0))
    page = settled(press(page, "train_batch"))
    assert sent(page)["version"] == fingerprint(trained(1))
    page = settled(press(page, "train_epoch"))
    assert sent(page)["version"] == after


def test_what_another_visitor_has_trained_is_not_trained_again() -> None:
    run = kept(30)
    page = settled(press(opened(), "train"))
    assert caches.scheduler().run(parse(SMALL), parse_recipe(QUICK)) is run
    assert sent(page)["version"] == fingerprint(trained(30))
    again = opened(at="30")  # an address that is opened once more
    assert sent(again)["version"] == fingerprint(trained(30))


def test_a_step_of_what_is_trained_already_is_a_true_step() -> None:
    kept(30)
    page = settled(press(opened(), "train_batch"))
    assert sent(page)["version"] == fingerprint(trained(1))


def test_two_networks_by_one_recipe() -> None:
    page = settled(press(opened(beside="fc16-relu-fc10"), "train"))
    table = (
        next(text.value for text in page.markdown if "multiply-adds" in text.value) if section(page, "beside") else ""
    )
    for net, parameters in ((SMALL, "2,674"), ("fc16-relu-fc10", "12,730")):
        assert sum(parameter.numel() for parameter in trained(0, net).parameters()) == int(parameters.replace(",", ""))
        test = digits_for("bundled")[1]
        right = accuracy(trained(30, net), test.images, test.labels)
        assert re.search(rf"\| {net} \| {parameters} \| .* \| \*\*{100 * right:.2f} %\*\* of 1,000 \|", table), table
    control(page.get("button_group"), "look_into")


def section(page: AppTest, name: str) -> bool:
    record(page, ResultsShown).section = name
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
    page = seen(15)
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
    assert words in said(page)
    assert sent(page)["net"] == SMALL


@pytest.mark.parametrize("part", ["recipe", "at"])
def test_what_an_address_says_is_quoted(part: str) -> None:
    (warning,) = opened(**{part: FOREIGN}).warning
    assert quotes_foreign_text(warning.value), warning.value


@pytest.mark.parametrize("net", ["max2", "conv4k3-fc7", "conv4k28-conv4k2-fc10"])
def test_what_cannot_be_trained_says_why(net: str) -> None:
    page = opened(net=net)
    assert any("network" in warning.value for warning in page.warning)
    train = next(button for button in page.button if button.key == "train")
    assert train.disabled


def test_the_name_of_a_weights_file_is_quoted() -> None:
    page = opened()
    section(page, "along")
    uploader = page.file_uploader(key=f"weights_file {SMALL}")
    uploader.upload("`my` www.evil.test.pt", b"no weights", "application/octet-stream").run()
    (error,) = page.error
    assert [text for kind, text in shown(error.value) if kind == "code"] == [
        "'my' www.evil.test.pt",
        "weights.safetensors",
    ]


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
    run = kept(15, str(SHIPPED))
    first = first_page(net=str(SHIPPED), weights=f"{QUICK}@15")
    assert sent(first)["version"] == fingerprint(run.network()[1])
    assert sentence(first).startswith("Trained here, 1 epoch on 4,000 digits: right on ")
    assert sent(first)["training"] is None
    press(first, "forget_weights")
    assert sentence(first).startswith("Trained on MNIST and pen digits.")
    assert "weights" not in address(first)


def test_weights_that_are_not_kept_any_more_get_a_sentence() -> None:
    for text in (f"{QUICK}@15", "nonsense", "@", f"{QUICK}@-1", f"{QUICK}@x"):
        first = first_page(net=str(SHIPPED), weights=text)
        assert any("not kept any more" in warning.value for warning in first.warning)
        assert sentence(first).startswith("Trained on MNIST and pen digits.")


def pinned_weights(page: AppTest) -> np.ndarray:
    """The last weights that were sent: those of the pinned network."""
    (view,) = components(page)
    return np.frombuffer(view.proto.bytes[-4 * sent(page)["pin"]["weights"] :], "<f4")


def test_a_link_pins_a_network_with_the_weights_that_it_was_trained_to() -> None:
    run = kept(15, str(SHIPPED))
    origin, other = f"{QUICK}@15", "conv4k3-fc10"
    page = first_page(net=str(SHIPPED), weights=origin)
    tell_view(page, 1, pin=str(SHIPPED))
    assert (address(page)["pin"], address(page)["pin_weights"]) == (str(SHIPPED), origin)
    press(page, "forget_weights")
    assert address(page)["pin_weights"] == origin  # the pinned network keeps its own
    link = first_page(net=other, pin=str(SHIPPED), pin_weights=origin)
    tell_view(link, 1, lacking_pin=True)
    expected = np.frombuffer(pack_weights(run.network()[1]), "<f4")
    np.testing.assert_array_equal(pinned_weights(link), expected)
    tell_view(link, 2, pin="")
    assert not {"pin", "pin_weights"} & address(link).keys()


def test_pinned_weights_that_are_not_kept_any_more_get_a_sentence() -> None:
    for text in (f"{QUICK}@15", "nonsense", "@", f"{QUICK}@x"):
        page = tell_view(first_page(net=SMALL, pin=str(SHIPPED), pin_weights=text), 1, lacking_pin=True)
        assert [warning.value.split(".")[0] for warning in page.warning] == [
            "The pinned network's weights were trained here and are not kept any more, so it has others"
        ]
        np.testing.assert_array_equal(
            pinned_weights(page), np.frombuffer(pack_weights(load_network(SHIPPED).module), "<f4")
        )


def test_the_queue_says_how_many_are_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "is_present", lambda visitor: True)
    for seed in range(1, 4):
        recipe = parse_recipe(f"bundled-sgd0.05m0.5-b32-e100-s{seed}")
        caches.scheduler().train(f"visitor {seed}", PRESETS["LeNet-5"], recipe, 10**6)
    page = press(opened(), "train")
    progress = page.get("progress")[0].proto.text
    assert re.search(r"[23] other visitors train before your next turn", progress), progress
    for seed in range(1, 4):
        caches.scheduler().leave(f"visitor {seed}")
    settled(page)


# --- what is said ---


def test_a_refused_training_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened(net="fc2800-relu-fc10", recipe="bundled-adam0.01-b64-e1-s0")
    assert "of memory, and one visitor may take 48 MB: choose a smaller network or SGD." in said(page)
    assert next(button for button in page.button if button.key == "train").disabled
    assert not any("Press Train" in caption.value for caption in page.caption)
    page = opened()
    monkeypatch.setattr(caches.scheduler(), "max_visitors", (0, 0))
    press(page, "train")
    assert [toast.value for toast in page.toast] == [
        "0 visitors are training already, as many as can take turns here; try again in a minute."
    ]
    assert not sent(page)["training"]["going"]


def test_what_is_gone_is_told() -> None:
    page = seen(15)
    caches.scheduler().forget(parse(SMALL), parse_recipe(QUICK), "")
    page.run()
    assert "What was trained here is not kept any more" in said(page)
    assert sentence(page).startswith("Untrained")


# --- an address that is opened again, elsewhere or on a server that began anew ---


def progress_text(page: AppTest) -> str:
    return " ".join(bar.proto.text for bar in page.get("progress"))


def test_an_address_is_trained_again_up_to_its_place() -> None:
    page = opened(recipe=LONG, at="125")
    assert "trained again up to epoch 1, where this page was, to the same weights" in progress_text(page)
    assert address(page)["at"] == "125"  # on the way as well: the page may be opened again
    assert not page.warning
    settled(page)
    assert at(page) == 125
    assert "until" not in address(page)
    assert sent(page)["version"] == fingerprint(trained(125, recipe=LONG))


def test_an_address_of_a_training_that_goes_on_goes_on() -> None:
    page = opened(recipe=LONG, at="125", until="250")
    assert (address(page)["at"], address(page)["until"]) == ("125", "250")
    settled(page)
    assert at(page) == 250
    assert not page.warning
    assert sent(page)["version"] == fingerprint(trained(250, recipe=LONG))


def test_a_training_has_its_place_in_the_address_while_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "WRITE_INTERVAL", 0.0)
    page = press(opened(recipe=LONG), "train")
    places = set()
    for _ in range(1000):
        if not sent(page)["training"]["going"]:
            break
        assert address(page).get("until") == "250" or at(page) == 250  # the last test is under way
        places.add(at(page))
        time.sleep(0.03)  # the training needs the processor, too
        page.run()
    assert len(places) > 1
    assert at(page) == 250
    assert "until" not in address(page)


def test_a_second_tab_follows_a_training_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "WRITE_INTERVAL", 0.0)
    first = press(opened(recipe="bundled-sgd0.05m0.5-b32-e3-s3"), "train")
    while at(first) < 10:
        first.run()
    second = opened(**address(first))
    assert sent(second)["training"]["going"]
    assert not second.warning
    for page in (first, second):
        assert at(settled(page)) == 375
    assert sent(first)["version"] == sent(second)["version"]


def test_two_networks_at_two_places_are_both_in_the_address() -> None:
    kept(15)
    page = opened(beside="fc16-relu-fc10", at="15_0")
    assert not sent(page)["training"]["going"]
    settled(press(page, "train_batch"))
    assert address(page)["at"] == "16_1"
    again = opened(beside="fc16-relu-fc10", at="16_1")
    assert sent(again)["version"] == fingerprint(trained(16))


def test_going_back_to_before_a_training_holds_it() -> None:
    page = opened(recipe="bundled-sgd0.05m0.5-b32-e40-s4")
    before = address(page)
    press(page, "train")
    page.query_params.clear()
    page.query_params.update(before)
    page.run()
    assert not sent(page)["training"]["going"]
    assert address(page) == before
    assert sentence(page).startswith("Untrained")


@pytest.mark.parametrize(("batches", "counted"), [(1000, "1,000"), (40, "40")])
def test_the_number_of_tested_digits_is_told(monkeypatch: pytest.MonkeyPatch, batches: int, counted: str) -> None:
    from cnn_explorer.training import run

    monkeypatch.setattr(run, "TEST", (1, batches))
    monkeypatch.setattr(caches, "_EVALUATIONS", LruCache(12))
    page = settled(press(opened(), "train_epoch"))
    assert f"Right, of {counted} test digits" in [metric.label for metric in page.metric]
    assert sentence(page).endswith(f"of {counted} test digits.")


def test_a_network_that_was_never_trained_has_lost_nothing() -> None:
    kept(15)
    page = opened(beside="fc16-relu-fc10", at="15_0")
    assert sent(page)["version"] == fingerprint(trained(15))
    assert not page.warning


def test_a_loss_that_the_results_find_first_is_told() -> None:
    page = seen(15)
    caches.scheduler().forget(parse(SMALL), parse_recipe(QUICK), "")
    section(page, "beside")
    assert "What was trained here is not kept any more" in said(page)
    assert sentence(page).startswith("Untrained")


def test_a_refusal_on_the_way_is_told_and_keeps_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    page = settled(press(opened(recipe=LONG), "train_epoch"))
    press(page, "train")
    monkeypatch.setattr(caches.scheduler(), "max_visitors", (0, 0))
    page.run()
    page.run()
    assert "0 visitors are training already" in said(page)
    held = at(press(page, "pause"))
    assert held >= 125
    assert sent(page)["version"] == fingerprint(trained(held, recipe=LONG))


def test_a_training_that_fails_at_once_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> int:
        raise RuntimeError("no memory")

    monkeypatch.setattr(Run, "_count_correct", fails)
    page = settled(press(opened(), "train"))
    assert "The training failed; the reason is in the server's log." in said(page)
    assert sentence(page).startswith("Untrained")


def test_two_networks_that_do_not_fit_together_are_told() -> None:
    page = opened(net="fc3000-relu-fc10", beside="fc3001-relu-fc10")
    press(page, "train")
    assert "Both trainings need" in page.toast[0].value


# --- what others do ---


def test_a_pause_beside_others_is_at_a_place_that_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "bundled-sgd0.05m0.5-b32-e40-s2"
    run = drive(long, 10**6)
    page = press(opened(recipe=long), "train")
    while at(page) < 10 and int(sent(page)["training"]["going"]) and run.batch < 200:
        wait_for_training(0.05)
        page.run()
    page = settled(press(page, "pause"))
    rested = at(page)
    for further in (1, 20):
        rest(drive(long, rested + further), rested + further)
        page.run()
        assert at(page) == rested
        assert sent(page)["version"] == fingerprint(trained(rested, recipe=long))
    assert run.batch > rested
    settled(press(page, "train_batch"))
    assert at(page) == rested + 1
    assert sent(page)["version"] == fingerprint(trained(rested + 1, recipe=long))


def test_it_stays_where_it_is_when_others_pause_further_on() -> None:
    page = settled(press(opened(), "train_batch"))
    kept(20)
    for _ in range(2):
        page.run()
        assert at(page) == 1
        assert sent(page)["version"] == fingerprint(trained(1))
    settled(press(page, "train_batch"))
    assert at(page) == 2
    assert sent(page)["version"] == fingerprint(trained(2))


def test_only_what_was_trained_before_is_called_replayed() -> None:
    def progress(page: AppTest) -> set[bool]:
        seen = set()
        press(page, "train")
        for _ in range(1000):
            if not sent(page)["training"]["going"]:
                break
            seen |= {"replayed" in bar.proto.text for bar in page.get("progress")}
            time.sleep(0.03)  # the training needs the processor, too
            page.run()
        return seen

    assert progress(opened(recipe=LONG)) == {False}
    assert progress(opened(recipe=LONG)) == {True}


def test_a_step_that_is_refused_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    page = settled(press(opened(), "train_batch"))
    kept(20)
    monkeypatch.setattr(caches.scheduler(), "max_visitors", (0, 0))
    press(page, "train_batch")
    assert page.toast
    assert at(page) == 1
    assert sent(page)["version"] == fingerprint(trained(1))


def test_what_was_trained_stays_when_the_seed_is_changed_on_the_way() -> None:
    page = press(opened(recipe=LONG), "train")
    while caches.scheduler().run(parse(SMALL), parse_recipe(LONG)).batch < 20:  # type: ignore[union-attr]
        time.sleep(0.01)
    control(page.number_input, "seed").set_value(7).run()
    run = caches.scheduler().run(parse(SMALL), parse_recipe(LONG))
    assert run is not None
    assert 20 <= run.batch == run.snapshots[-1].batch
    control(page.number_input, "seed").set_value(1).run()
    assert sent(page)["version"] == fingerprint(trained(run.batch, recipe=LONG))
    assert at(page) == run.batch


def test_what_was_held_in_the_last_test_can_be_resumed() -> None:
    run = drive(QUICK, 1)
    while run.batch < 30:
        run.advance()
    assert not run.finished
    page = opened(at="30")
    assert at(page) == 30
    settled(press(page, "train"))
    assert run.finished
    assert next(button for button in page.button if button.key == "train").disabled


# --- where it goes ---


def test_the_way_back_of_the_browser_is_not_undone() -> None:
    page = seen(15)
    before = address(page)
    control(page.selectbox, "recipes").set_value("fast").run()
    assert address(page)["recipe"] == str(recipes_for("bundled")["fast"])
    assert at(page) == 0
    page.query_params.clear()
    page.query_params.update(before)
    page.run()
    assert address(page) == before
    assert sent(page)["version"] == fingerprint(trained(15))
    settled(press(page, "train_batch"))
    assert at(page) == 16
    page.query_params.clear()
    page.query_params.update(before)
    page.run()
    assert address(page) == before
    assert sent(page)["version"] == fingerprint(trained(15))  # looked at again, for it is kept


def test_the_way_back_leads_to_before_it_was_started_over() -> None:
    page = seen(15)
    before = address(page)
    press(page, "train_reset")
    assert sent(page)["version"] == fingerprint(trained(0))
    page.query_params.update(before)
    page.run()
    assert address(page) == before
    assert sent(page)["version"] == fingerprint(trained(15))
    page.query_params.update({**before, "at": "30"})  # where nobody has been
    page.run()
    assert sent(settled(page))["version"] == fingerprint(trained(30))


def test_who_starts_over_twice_sees_it_trained_twice() -> None:
    page = settled(press(opened(), "train_epoch"))
    before = address(page)
    settled(press(press(page, "train_reset"), "train_batch"))
    page.query_params.update(before)
    page.run()
    press(page, "train_reset")
    settled(press(page, "train_batch"))
    assert sent(page)["version"] == fingerprint(trained(1))
    press(page, "train_epoch")
    assert not any("replayed" in bar.proto.text for bar in page.get("progress"))
    assert sent(settled(page))["version"] == fingerprint(trained(15))


def test_the_second_network_goes_to_the_first_page() -> None:
    other = "fc16-relu-fc10"
    page = settled(press(opened(beside=other), "train"))
    record(page, Watch).looked_into = other
    section(page, "along")
    version = sent(page)["version"]
    follow(next(button for button in page.button if button.label == "Use it on the other pages").click().run())
    assert address(page)["net"] == other
    assert address(page)["weights"] == f"{QUICK}@30"
    assert sent(page)["net"] == other
    assert sent(page)["version"] == version
    assert sentence(page).startswith("Trained here, 2 epochs on 4,000 digits")


def test_back_from_the_first_page_finds_the_comparison() -> None:
    other = "fc16-relu-fc10"
    page = settled(press(opened(beside=other), "train"))
    before = address(page)
    record(page, Watch).looked_into = other
    section(page, "along")
    follow(next(button for button in page.button if button.label == "Use it on the other pages").click().run())
    page.switch_page("pages/training.py")
    page.query_params.clear()
    page.query_params.update(before)
    page.run()
    assert address(page) == before
    assert (address(page)["net"], address(page)["beside"]) == (SMALL, other)


def test_the_place_that_is_looked_at_is_the_one_that_is_used() -> None:
    page = seen(30)
    control(page.get("select_slider"), "viewed_batch").set_value(15).run()
    assert at(page) == 15
    section(page, "along")
    assert sentence(page).startswith("Trained here, 1 epoch on")
    follow(next(button for button in page.button if button.label == "Use it on the other pages").click().run())
    assert address(page)["weights"] == f"{QUICK}@15"
    assert sent(page)["version"] == fingerprint(trained(15))


def test_weights_from_a_file_are_taken_with_other_names_and_pickles_are_not() -> None:
    page = opened()
    section(page, "along")

    def upload(name: str, content: bytes) -> None:
        control(page.file_uploader, f"weights_file {SMALL}").upload(name, content, "application/octet-stream").run()
        assert not page.exception, page.exception

    upload("old.pt", b"PK\x03\x04" + bytes(100))
    assert page.error[0].value.startswith("`old.pt`: PyTorch's .pt and .pth files are pickles")
    assert CONVERT.strip() in [code.value.strip() for code in page.code]
    upload("other.safetensors", weights_file(build_network(parse("conv10k5s6-fc10"))))
    assert "`conv1.weight` has shape (10, 1, 5, 5); this network's conv1 has (4, 1, 5, 5)." in page.error[0].value
    assert CONVERT.strip() not in [code.value.strip() for code in page.code]
    ours = build_network(parse(SMALL), 8)
    state = {
        name.replace("conv1", "layer1").replace("fc1", "head"): tensor for name, tensor in ours.state_dict().items()
    }
    upload("mine.safetensors", safetensors.torch.save(state))
    assert not page.error
    assert page.success[0].value.startswith("`mine.safetensors`: Weights from your file\\: right on ")
    assert page.success[0].value.endswith("Layers were matched by their shapes\\: `layer1` → conv1, `head` → fc1.")
    follow(next(button for button in page.button if button.label == "See it on the other pages").click().run())
    assert sentence(page).startswith("Weights from your file: right on ")
    assert sent(page)["version"] == fingerprint(ours)


def test_an_address_shows_the_weights_that_it_names() -> None:
    kept(15, str(SHIPPED))
    first = AppTest.from_file("../app.py", default_timeout=60)
    own = {"net": str(SHIPPED), "weights": f"{QUICK}@15"}
    first.query_params.update(own)
    first.run()
    press(first, "forget_weights")
    shipped = address(first)
    first.query_params.update(own)
    first.run()
    assert sentence(first).startswith("Trained here, 1 epoch")
    first.query_params.clear()
    first.query_params.update(shipped)
    first.run()
    assert sentence(first).startswith("Trained on MNIST")
    caches.scheduler().forget(SHIPPED, parse_recipe(QUICK), "")
    lost = {**own, "weights": f"{QUICK}@30"}
    for _ in range(2):  # told as often as it is asked for
        first.query_params.update(lost)
        first.run()
        assert "not kept any more" in said(first)
        first.query_params.clear()
        first.query_params.update(shipped)
        first.run()
        assert not first.warning


def test_the_address_names_the_weights_of_its_own_network_only() -> None:
    kept(15, str(SHIPPED))
    first = first_page(net=str(SHIPPED), weights=f"{QUICK}@15")
    control(first.selectbox, "preset").set_value("average pooling").run()
    assert "weights" not in address(first)
    assert sentence(first).startswith("Trained on MNIST and pen digits.")
    control(first.selectbox, "preset").set_value("stride=2 halves").run()
    assert address(first)["weights"] == f"{QUICK}@15"
    assert sentence(first).startswith("Trained here, 1 epoch on 4,000 digits")


def test_the_convolution_page_has_the_kernels_that_were_learnt() -> None:
    kept(15)
    numbers = AppTest.from_file("../app.py", default_timeout=60)
    numbers.switch_page("pages/convolution.py")
    numbers.query_params.update({"net": SMALL, "weights": f"{QUICK}@15", "step": "picture", "filter": "Learned 2"})
    numbers.run()
    assert not numbers.exception, numbers.exception
    player = data_of(numbers)
    assert player["about"].startswith("The kernel is number 2 of your conv1. Trained here, 1 epoch on 4,000 digits: ")
    weight = trained(15).state_dict()["conv1.weight"][1, 0]
    np.testing.assert_allclose(player["kernel"], weight.numpy(), rtol=1e-6)
    control(numbers.selectbox, "conv_filter").set_value("Learned 9").run()  # of four there is no ninth
    told = data_of(numbers)["about"]
    assert told.startswith("The kernel is number 9 of the lecture's conv1. Trained on MNIST and pen digits.")


# --- a greedy session and an honest one ---


def test_a_greedy_session_takes_nothing_from_an_honest_one() -> None:
    honest = settled(press(opened(), "train_epoch"))
    assert at(honest) == 15
    greedy = opened(net="fc4096-fc80-fc10", recipe="bundled-sgd0.05m0.5-b64-e2-s0")
    assert "of memory, and one visitor may take 48 MB" in said(greedy)
    for seed in range(4):  # each takes most of a visitor's share, until there is no room
        recipe = parse_recipe(f"bundled-sgd0.01-b64-e1-s{seed}")
        status = caches.scheduler().train(f"greedy {seed}", parse("fc2000-fc10"), recipe, 1)
        if status.run:
            rest(status.run, 1)
    assert "This training needs 32 MB of memory" in status.problem
    honest.run()
    assert said(honest) == ""
    assert (at(honest), sent(honest)["version"]) == (15, fingerprint(trained(15)))
    settled(press(honest, "train_batch"))
    assert (at(honest), sent(honest)["version"]) == (16, fingerprint(trained(16)))


def test_clearing_streamlits_caches_loses_nothing() -> None:
    page = seen(15)
    scheduler = caches.scheduler()
    run = scheduler.run(parse(SMALL), parse_recipe(QUICK))
    st.cache_data.clear()  # what the server does on a browser's message `clear_cache`
    st.cache_resource.clear()
    assert caches.scheduler() is scheduler
    page.run()
    assert caches.scheduler().run(parse(SMALL), parse_recipe(QUICK)) is run
    assert (at(page), said(page)) == (15, "")
