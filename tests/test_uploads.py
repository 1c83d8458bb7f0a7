"""Whatever file is uploaded as a picture, the page says in one sentence what is wrong with it, and goes on."""

import io
import struct
import threading
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import torch  # noqa: F401  # imported first, so that the pages need not wait for it
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec
from streamlit.testing.v1 import AppTest
from widgets import address

from cnn_explorer.digits.drawing import example_drawing, parse_drawing
from cnn_explorer.digits.preprocessing import preprocess_picture
from cnn_explorer.ui import uploads

UNREADABLE = f"`some.png` {uploads.UNREADABLE}"
LIMITS = (
    "at most 25 million are read (120 million of a JPEG file, 50 million of a progressive one), and at most 200,000 on a "
    "side; make it smaller."
)


def written(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def seven() -> Image.Image:
    picture = Image.new("L", (60, 80), 255)
    ImageDraw.Draw(picture).line([(15, 15), (45, 15), (25, 65)], fill=0, width=6)
    return picture


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG file of white pixels, a bit each; beyond a hundred rows there are none, as before such a picture is
    refused.
    """
    rows = (b"\0" + b"\xff" * ((width + 7) // 8)) * min(height, 100)
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def torn(content: bytes) -> bytes:
    return content[: len(content) // 2]


FILES = {
    "no file at all": b"",
    "text": b"no picture",
    "a torn PNG": torn(written(seven(), "PNG")),
    "a torn JPEG": torn(written(seven(), "JPEG")),
    "a torn WebP": torn(written(seven(), "WEBP")),
    "an EXIF block of four bytes in a PNG": png(60, 80, chunk(b"eXIf", b"II*\0")),
    "an EXIF block of four bytes in a JPEG": written(seven(), "JPEG", dpi=(72, 72), exif=b"Exif\0\0II*\0"),
    "an EXIF block that is no EXIF block": written(seven(), "JPEG", dpi=(72, 72), exif=b"Exif\0\0" + b"\xff" * 7),
    "text of a megabyte in a kilobyte": png(60, 80, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2_000_000)))),
}


def opened(name: str) -> AppTest:
    page = AppTest.from_file("../app.py", default_timeout=60)
    if name:
        page.switch_page(f"pages/{name}.py")
        page.query_params["step"] = "picture"
    return page.run()


def upload(page: AppTest, content: bytes) -> list[str]:
    """Upload a file; all that the page has to complain about."""
    page.file_uploader[0].upload("some.png", content, "image/png").run()
    assert not page.exception, page.exception
    return [error.value.replace("\\", "") for error in page.error]


def test_a_refused_file_is_listed_no_more() -> None:
    page = opened("")
    (before,) = [uploader.id for uploader in page.file_uploader]
    assert upload(page, b"no picture") == [UNREADABLE]
    (after,) = [uploader.id for uploader in page.file_uploader]
    assert after != before  # another widget, which has no file
    assert not page.file_uploader[0].value
    assert upload(page, written(seven(), "PNG")) == []
    assert [uploader.id for uploader in page.file_uploader] == [after]


def test_a_photograph_of_48_million_pixels_is_read() -> None:
    sheet = Image.new("L", (8000, 6000), 235)
    sheet.paste(seven().convert("L").resize((2400, 3200)), (2500, 1400))
    page = opened("")
    assert upload(page, written(sheet, "JPEG")) == []
    large = address(page)["drawing"]
    assert large.startswith("p")
    assert upload(page, written(sheet.reduce(4), "JPEG")) == []
    one, other = (parse_drawing(text).preprocess().pixels.astype(int) for text in (large, address(page)["drawing"]))
    assert np.abs(one - other).mean() < 6
    progressive = written(sheet, "JPEG", progressive=True)
    assert upload(page, progressive) == []
    assert address(page)["drawing"] == large
    higher = progressive.replace(struct.pack(">2H", 6000, 8000), struct.pack(">2H", 6300, 8000), 1)  # so its head says
    told = upload(page, higher)
    assert told == [f"`some.png` cannot be used: the picture has 8,000×6,300 pixels; {LIMITS}"]


@pytest.mark.parametrize("name", ["", "convolution"])
def test_a_file_that_cannot_be_read_has_one_sentence(name: str) -> None:
    page = opened(name)
    for content in FILES.values():
        assert upload(page, content) == [UNREADABLE]
    assert address(page)["drawing"] == example_drawing().text
    assert upload(page, written(seven(), "JPEG")) == []


@given(st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP"]), st.data())
def test_a_spoilt_picture_is_read_or_has_one_sentence(kind: str, data: st.DataObject) -> None:
    content = bytearray(written(seven(), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    session = Uploaded(bytes(content[: data.draw(st.integers(1, len(content)))]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads.st, "session_state", session)
        uploads._read(
            "upload", "upload", lambda picture: "" if preprocess_picture(picture).pixels.shape == (28, 28) else "fails"
        )
        said = uploads.upload_error("upload")
    assert said in ("", UNREADABLE) or said.endswith(LIMITS)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("width", "height", "what"),
    [
        (1, 25_000_000, "1×25,000,000"),
        (200_001, 10, "200,001×10"),
        (5001, 5000, "5,001×5,000"),
        (12_000, 12_000, "12,000×12,000"),
    ],
)
def test_a_picture_that_is_too_large_is_told_the_limits(width: int, height: int, what: str) -> None:
    assert upload(opened(""), png(width, height)) == [
        f"`some.png` cannot be used: the picture has {what} pixels; {LIMITS}"
    ]


def test_so_is_one_that_pillow_does_not_open() -> None:
    assert upload(opened(""), png(50_000, 50_000)) == [
        f"`some.png` cannot be used: the picture has too many pixels; {LIMITS}"
    ]


class Unheard(Exception):
    pass


@pytest.mark.parametrize(
    "problem", [MemoryError(), RecursionError(), struct.error("a"), Unheard("b"), ValueError("c"), KeyError(1)]
)
def test_whatever_pillow_raises_is_one_sentence_and_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, problem: Exception
) -> None:
    def fail(*_: object) -> None:
        raise problem

    page = opened("")
    monkeypatch.setattr(Image.Image, "getexif", fail)
    assert upload(page, written(seven(), "PNG")) == [UNREADABLE]
    assert problem in [
        record.exc_info[1] for record in caplog.records if record.name == uploads.__name__ and record.exc_info
    ]


def test_one_picture_is_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three uploads at once, each as long as the others might overlap it."""
    inside, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(2)

    def use(picture: Image.Image) -> str:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        try:  # met by another one, if there can be one
            together.wait(0.2)
        except threading.BrokenBarrierError:
            together.reset()
        with lock:
            inside -= 1
        return ""

    monkeypatch.setattr(uploads.st, "session_state", Uploaded())
    run_together([lambda: uploads._read("upload", "upload", use)] * 3)
    assert most == 1
    assert uploads.upload_error("upload") == ""


def test_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PATIENCE", 0.01)
    page = opened("")
    with uploads._DECODING:
        assert upload(page, written(seven(), "PNG")) == [f"`some.png` {uploads.BUSY}"]
    assert upload(page, written(seven(), "JPEG")) == []


class Uploaded(dict[str, object]):
    """A session in which a picture has been uploaded."""

    def __init__(self, content: bytes | None = None) -> None:
        super().__init__()
        self.content = written(seven(), "PNG") if content is None else content

    def __getitem__(self, key: str) -> object:
        if key in self:
            return super().__getitem__(key)
        return UploadedFile(UploadedFileRec("1", "some.png", "image/png", self.content), FileURLs())


def run_together(acts: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
