"""A network on a picture, against the steps written out with NumPy; pictures of every kind; the page that shows it."""

import io
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from classic_networks import seeded
from PIL import ExifTags, Image
from streamlit.testing.v1 import AppTest
from widgets import address, control

from cnn_explorer.classics import photographs, running, tracing
from cnn_explorer.classics.catalogue import LITE0
from cnn_explorer.classics.photographs import PHOTOGRAPHS, SIDE, as_jpeg, decoded, photograph
from cnn_explorer.classics.worker import WorkerError
from cnn_explorer.digits.preprocessing import PictureError
from cnn_explorer.ui.classics import kept

pytestmark = pytest.mark.usefixtures("own_visitors")


# --- what is computed ---


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@torch.no_grad()
def test_answers_are_those_of_a_pass_written_out(name: str) -> None:
    found = running.classify(LITE0, photograph(name))
    picture = decoded(photograph(name))
    resized = picture.resize([256 * side // min(picture.size) for side in picture.size], Image.Resampling.BICUBIC)
    left, top = ((side - 224) // 2 for side in resized.size)
    cropped = np.asarray(resized.crop((left, top, left + 224, top + 224)))
    values = ((cropped.astype(np.float32) - 127) / 128).transpose(2, 0, 1)
    logits = seeded(LITE0)(torch.from_numpy(values.copy())[None])[0].double().numpy()
    probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    best = np.argsort(-probabilities)[:5]
    assert [one.label for one in found.answers] == [tracing.categories()[place] for place in best]
    assert [one.probability for one in found.answers] == pytest.approx(probabilities[best], abs=1e-4)
    assert np.array_equal(found.cropped, cropped)
    assert found.pixel == tuple(cropped[112, 112])
    assert found.normalised == pytest.approx(values[:, 112, 112], abs=1e-5)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_the_steps_are_torchvisions_own(interpolation: str) -> None:
    from torchvision.transforms._presets import ImageClassification
    from torchvision.transforms.functional import InterpolationMode

    wanted = running.Preprocessing(256, 224, interpolation, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    theirs = ImageClassification(crop_size=224, interpolation=InterpolationMode(interpolation))
    picture = decoded(photograph("coffee"))
    assert torch.equal(running.normalised(running.scaled(picture, wanted)[1], wanted), theirs(picture)[None])


def test_another_network_is_never_run_with_random_weights() -> None:
    with pytest.raises(ValueError, match="are not here"):
        running.classify("resnet18", photograph("coffee"))


def test_damaged_weights_are_told_across_the_process() -> None:
    with pytest.raises(ValueError, match="install the app again"):
        kept.worker().call(exec, WITHOUT_WEIGHTS)


WITHOUT_WEIGHTS = """
from cnn_explorer.classics import lite0, running
package, lite0.PACKAGE = lite0.PACKAGE, "not_installed"
running._KEPT.clear()
try:
    running.trained("efficientnet_lite0")
finally:
    lite0.PACKAGE = package
"""


# --- pictures ---


def noise(mode: str, size: tuple[int, int] = (90, 60)) -> Image.Image:
    values = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def file_of(picture: Image.Image, kind: str, **options: Any) -> io.BytesIO:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    file.seek(0)
    return file


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16"])
def test_every_mode_is_read(mode: str) -> None:
    picture = Image.fromarray(np.full((60, 90), 40_000, np.uint16)) if mode == "I;16" else noise("RGB")
    if mode in ("LAB", "HSV", "YCbCr", "CMYK", "LA", "RGBA", "P", "1", "L", "I", "F"):
        picture = Image.new("LAB", (90, 60)) if mode == "LAB" else noise(mode)
    read = decoded(as_jpeg(picture))
    assert (read.mode, read.size) == ("RGB", (90, 60))


def test_a_picture_with_transparency_has_a_white_ground() -> None:
    read = decoded(as_jpeg(Image.open(file_of(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), "PNG"))))
    assert np.asarray(read).min() > 250


def test_sixteen_bits_keep_their_shades() -> None:
    values = np.tile(np.linspace(0, 65_535, 64).astype(np.uint16), (64, 1))
    read = np.asarray(decoded(as_jpeg(Image.open(file_of(Image.fromarray(values), "PNG")))))[32, :, 0]
    assert read[0] < 6
    assert read[-1] > 249
    assert abs(int(read[32]) - 128) < 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_stands_upright(orientation: int) -> None:
    upright = Image.new("RGB", (60, 40), "white")
    upright.paste((255, 0, 0), (0, 0, 20, 20))  # red in the upper left corner
    stored = upright.copy()
    undo = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip
    if orientation > 1:
        stored = stored.transpose(Image.Transpose[undo[orientation]])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    read = decoded(as_jpeg(Image.open(file_of(stored, "JPEG", exif=exif, quality=95))))
    assert read.size == (60, 40)
    red, green, _ = read.getpixel((8, 8))  # type: ignore[misc]
    assert red > 200 > 60 > green
    assert min(read.getpixel((50, 30))) > 200  # type: ignore[type-var]


def test_a_large_picture_is_reduced_and_an_animation_is_its_first_frame() -> None:
    assert max(decoded(as_jpeg(Image.open(file_of(noise("RGB", (3000, 2000)), "JPEG")))).size) == SIDE
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "blue")]
    read = decoded(as_jpeg(Image.open(file_of(frames[0], "GIF", save_all=True, append_images=frames[1:]))))
    assert read.getpixel((15, 15))[0] > 200  # type: ignore[index]


@pytest.mark.parametrize(("size", "reason"), [((20_000, 20_000), "25 million"), ((1, 20_000), "8 times as long")])
def test_too_large_or_too_narrow_is_told_before_anything_is_decoded(size: tuple[int, int], reason: str) -> None:
    class Undecoded(Image.Image):
        def load(self) -> Any:
            pytest.fail("it was decoded")

    picture = Undecoded()
    picture._size = size
    with pytest.raises(PictureError, match=reason):
        as_jpeg(picture)


def test_one_pixel_passes_through_the_network() -> None:
    found = running.classify(LITE0, as_jpeg(Image.new("RGB", (1, 1), "green")))
    assert found.resized.shape == (256, 256, 3)
    assert len(found.answers) == 5


# --- the page ---


def opened(**query: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=120)
    page.switch_page("pages/classics.py")
    page.query_params.update(query)
    return page.run()


def classified(page: AppTest) -> str:
    """What is shown of the answer, once it is there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = [text for text in (one.proto.body for one in page.get("html")) if 'class="classified"' in text]
        if found:
            return str(found[0])
        assert not page.error
        time.sleep(0.2)
        page.run()
    raise TimeoutError


def test_the_page_classifies_the_picture_of_its_address() -> None:
    page = opened(picture="coffee")
    assert "espresso" in classified(page)
    control(page.selectbox, "classic_picture").select("chelsea").run()
    assert address(page)["picture"] == "chelsea"
    assert "Egyptian cat" in classified(page)
    assert any("even for a face" in caption.value for caption in page.caption)
    assert not any("changes the drawing alone" in caption.value for caption in page.caption)
    control(page.number_input, "classic_size").set_value(128).run()
    assert any("for 224 × 224 pixels: the size above" in caption.value for caption in page.caption)


def test_a_picture_of_ones_own_stays_out_of_the_address() -> None:
    page = opened()
    page.file_uploader[0].upload("mine.png", file_of(Image.open(io.BytesIO(photograph("coffee"))), "PNG").read(), "image/png").run()  # fmt: skip
    assert "espresso" in classified(page)
    assert address(page)["picture"] == "own"
    page = opened(picture="own")
    assert "stays with the visitor" in page.warning[0].value
    assert control(page.selectbox, "classic_picture").value == next(iter(PHOTOGRAPHS))


@pytest.mark.parametrize("content", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", photograph("coffee")[:9000]])
def test_a_file_that_cannot_be_read_has_one_sentence(content: bytes) -> None:
    page = opened()
    page.file_uploader[0].upload("mine.png", content, "image/png").run()
    assert len(page.error) == 1
    assert address(page)["picture"] == next(iter(PHOTOGRAPHS))


def test_a_network_without_weights_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    page = opened(network="resnet18")
    assert any("do not come with the app" in text.value for text in page.markdown)
    (button,) = [button for button in page.button if "whose weights come" in button.label]
    button.click().run()
    assert address(page)["network"] == LITE0


@pytest.mark.parametrize("problem", [ValueError("the weights are damaged"), WorkerError()])
def test_what_goes_wrong_in_the_worker_is_a_sentence(
    problem: Exception, monkeypatch: pytest.MonkeyPatch, failures: list[BaseException | None]
) -> None:
    def fail(*_: object) -> None:
        raise problem

    monkeypatch.setattr(kept, "classified", fail)
    page = opened()
    (error,) = page.error
    assert "damaged" in error.value or "could not be computed" in error.value
    failures.clear()


def test_the_photographs_have_sources() -> None:
    assert all(one.title and one.source for one in photographs.PHOTOGRAPHS.values())
