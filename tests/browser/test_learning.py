"""A network is trained while one looks: maps, answer and numbers follow; a change ends it; the option trains after each
change.
"""

import re

from browser.conftest import Visit
from browser.explorer import PATIENCE, Explorer

WEAK = "conv6k5s3-relu-conv8k3s3-relu-fc10"  # thirty-two numbers before the last layer
OFTEN_RIGHT = re.compile(r"right on ([\d.]+) % of")


def label(app: Explorer) -> str:
    return app.page.locator(".network-view .label").inner_text()


def right(app: Explorer) -> float:
    found = OFTEN_RIGHT.search(label(app))
    assert found, label(app)
    return float(found[1])


def wait_label(app: Explorer, text: str) -> None:
    """Wait for words of the label. Seconds of training are seconds of processor time, of which a busy machine has few."""
    app.page.locator(".network-view .label").filter(has_text=text).wait_for(timeout=3 * PATIENCE)


def test_a_press_of_the_button_trains_and_everything_follows(visit: Visit) -> None:
    app = visit(net=WEAK)
    wait_label(app, "right on")  # it is measured once the maps are there
    before, look = right(app), app.colours("conv2")
    button = app.page.locator(".training button")
    assert button.inner_text() == "Train 4 s"
    button.focus()
    app.page.keyboard.press("Enter")
    wait_label(app, "Fine-tuning, 1")
    assert button.get_attribute("aria-disabled") == "true"
    middle = app.colours("conv2")
    assert middle != look
    wait_label(app, "Fine-tuned for 4 s on 4,000 digits")
    assert right(app) > before + 2
    assert app.colours("conv2") not in (look, middle)
    assert button.inner_text() == "Train 4 s more"
    app.page.get_by_text("✓ PyTorch agrees").wait_for()  # with the weights as they are now
    answer = app.seq
    with app.stroke(60, 200):
        app.page.mouse.move(*app.place(200, 240), steps=5)
    app.wait_painted(answer)
    app.page.get_by_text("✓ PyTorch agrees").wait_for()
    app.page.reload()
    wait_label(app.ready(), "Fine-tuned for 4 s on 4,000 digits")  # kept for everybody


def test_a_change_ends_a_training_and_the_option_begins_one(visit: Visit) -> None:
    app = visit(net="conv10k5-max2-relu-conv21k5-max2-relu-fc10")
    app.page.locator(".training button").click()
    wait_label(app, "Fine-tuning")
    app.step("block2_out_channels")
    app.wait_net("conv10k5-max2-relu-conv22k5-max2-relu-fc10")
    wait_label(app, "last layer fitted")
    app.step("block2_out_channels", up=False)
    app.wait_net("conv10k5-max2-relu-conv21k5-max2-relu-fc10")
    wait_label(app, "last layer fitted")  # nothing of it is left
    app.page.wait_for_timeout(600)
    wait_label(app, "last layer fitted")
    app.page.locator(".training label").click()
    wait_label(app, "Fine-tuning")
    app.step("block2_out_channels")
    app.wait_net("conv10k5-max2-relu-conv22k5-max2-relu-fc10")
    wait_label(app, "Fine-tuning")
    app.choose("preset", "the lecture's network")
    wait_label(app, "Trained on MNIST")
    assert app.page.locator(".training").is_hidden()


def test_what_nobody_knows_is_trained_on_the_spot(visit: Visit) -> None:
    app = visit(net="fc32-relu-fc10")
    app.page.locator(".network-view[data-trained=false], .network-view[data-trained=true]").wait_for()
    wait_label(app, "Training, ")
    app.page.locator(".network-view[data-trained=true]").wait_for(timeout=PATIENCE)
    assert right(app) > 50
    app.step("linear_fc1 out_features")
    app.wait_net("fc33-relu-fc10")
    app.page.locator(".network-view[data-trained=false]").wait_for(timeout=PATIENCE)
    assert app.page.get_by_text("untrained", exact=True).count() == 1
