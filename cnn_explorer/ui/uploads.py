"""The uploader of pictures: it reads a file, and keeps a sentence on what is wrong with it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import streamlit as st
from PIL import Image
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from cnn_explorer.digits.preprocessing import SIZE_LIMITS, PictureError
from cnn_explorer.sharing.memory import give_back_memory
from cnn_explorer.text import quoted
from cnn_explorer.ui import events
from cnn_explorer.ui.boundary import careful
from cnn_explorer.ui.markdown import plain
from cnn_explorer.ui.session import remembered

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
PATIENCE = 30.0  # seconds to wait for the pictures of others

UNREADABLE = "is not a picture that can be read. A PNG or JPEG file can."
BUSY = "has to wait: pictures of others are being read. Upload it again in a minute."

Callback = Callable[..., None]

# One picture is decoded at a time: the largest that is allowed takes a hundred megabytes, a progressive
# JPEG file three times as much, a WebP file four times.
_DECODING = threading.Lock()
_LOG = logging.getLogger(__name__)


@dataclass
class _Uploads:
    """By the key of an uploader: what is wrong with its last upload ("" for nothing), and how many were refused."""

    errors: dict[str, str] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)


def picture_uploader(
    label: str, key: str, use: Callable[[Image.Image], str], follow: Callable[[Callback], Callback] = lambda act: act
) -> None:
    """Upload a picture.

    `use(picture)` returns "", or what is wrong with the picture. It may raise `PictureError`, which says why it cannot
    be used. `follow` wraps the callback; with it a page reruns what depends on the picture.
    """
    st.file_uploader(
        label,
        type=[*map(str.lower, FORMATS), "jpg"],
        key=(shown := shown_key(key)),
        on_change=follow(careful(_read)),
        args=(key, shown, use),
        width=320,
    )


def shown_key(key: str) -> str:
    """The key of an uploader's present widget. After a refused file it is another widget, which lists no file."""
    refused = remembered(_Uploads).refused.get(key, 0)
    return f"{key} v{refused}" if refused else key


def refuse(key: str) -> None:
    """Have an uploader list no file any more, as the last one was refused."""
    refused = remembered(_Uploads).refused
    refused[key] = refused.get(key, 0) + 1


def picture_camera(label: str, key: str, use: Callable[[Image.Image], str]) -> None:
    """Take a picture with the camera. `use` is as for `picture_uploader`."""
    st.camera_input(label, key=key, on_change=careful(_read), args=(key, key, use), width=320)


def upload_error(key: str) -> str:
    """What is wrong with the last upload, or ""."""
    return remembered(_Uploads).errors.get(key, "")


def _read(key: str, shown: str, use: Callable[[Image.Image], str]) -> None:
    errors = remembered(_Uploads).errors
    errors[key] = ""
    file = st.session_state[shown]
    if not isinstance(file, UploadedFile):  # removed again, or of a session that has ended
        return
    name = quoted(file.name)
    if not _DECODING.acquire(timeout=PATIENCE):
        events.refusal("picture")
        errors[key] = f"{name} {BUSY}"
        refuse(key)
        return
    try:
        with Image.open(file, formats=FORMATS) as picture:
            wrong = use(picture)
    except PictureError as problem:
        wrong = f"cannot be used: {plain(problem)}."
    except Image.DecompressionBombError:  # so large that Pillow does not even open it
        wrong = f"cannot be used: the picture has too many pixels; {SIZE_LIMITS}."
    except Exception:  # Pillow raises errors of many types for a damaged file
        _LOG.warning("an uploaded picture cannot be read", exc_info=True)
        wrong = UNREADABLE
    finally:
        _DECODING.release()
        drop_content(file)
    if wrong:
        events.refusal("picture")
        errors[key] = f"{name} {wrong}"
        refuse(key)


def drop_content(file: UploadedFile) -> None:
    """Give back the bytes of an upload that has been read. Streamlit would keep them until the session ends.

    To the uploader an empty file of the same identifier is the same file: it goes on showing its name, and no callback
    follows.
    """
    context = get_script_run_ctx()
    if context and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        empty = UploadedFileRec(file.file_id, file.name, file.type, b"")
        context.uploaded_file_mgr.add_file(context.session_id, empty)
    file.seek(0)
    file.truncate()
    give_back_memory()
