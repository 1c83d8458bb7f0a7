"""Headers of HTTP responses: what a browser may load, run and frame, and which files it may keep."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from streamlit.file_util import get_static_dir

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FRAME_ANCESTORS = "CNN_EXPLORER_FRAME_ANCESTORS"  # environment variable: who may frame the app, as CSP sources
COMPONENT_FILES = "/_stcore/bidi-components/"
IMMUTABLE = "public, max-age=31536000, immutable"  # a year: a browser asks for such a file once
SELF = "'self'"
DEFAULT_ANCESTORS = (
    f"{SELF} https://*.streamlit.app https://share.streamlit.io"  # Community Cloud shows apps in frames of its own
)


class ResponseHeaders:
    """ASGI middleware that adds the headers of `security_headers` to HTTP responses; websockets pass untouched.

    A component's files may be kept, since their path has a hash of them (`asset_hashes.py`).

    `modules` has, by the last part of a page's path, the JavaScript modules that the page will need, as paths below the
    app's address. A browser then fetches them while it starts Streamlit, which would name them a second later.
    """

    def __init__(self, app: ASGIApp, modules: Mapping[str, Sequence[str]]) -> None:
        self.app = app
        self.links = {
            page: ", ".join(f"<{path}>; rel=modulepreload" for path in paths) for page, paths in modules.items()
        }
        self.headers = security_headers(os.environ.get(FRAME_ANCESTORS, DEFAULT_ANCESTORS))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self.headers)
                if COMPONENT_FILES in scope["path"] and message["status"] == 200:
                    headers["Cache-Control"] = IMMUTABLE
                page = scope["path"].rpartition("/")[2]
                if page in self.links and headers.get("Content-Type", "").startswith("text/html"):
                    headers["Link"] = self.links[page]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def security_headers(frame_ancestors: str = DEFAULT_ANCESTORS) -> dict[str, str]:
    """The headers by name. `frame_ancestors` are CSP sources, separated by spaces, of the sites that may frame the app.

    Raises `ValueError` if `frame_ancestors` is empty or holds a character that would end the directive.
    """
    sources = frame_ancestors.split()
    visible_but_separators = r"[!-+\--:<-~]+"  # ASCII without "," and ";"
    if not sources or not all(re.fullmatch(visible_but_separators, source) for source in sources):
        raise ValueError(
            f"{FRAME_ANCESTORS} is {frame_ancestors!r}; it must be one or more CSP sources separated by spaces, "
            "such as \"'self' https://school.example\""
        )
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Content-Security-Policy": content_security_policy(" ".join(sources)),
    }
    if frame_ancestors in (
        SELF,
        DEFAULT_ANCESTORS,
    ):  # this older header can name no other site; a browser that knows both obeys CSP
        headers["X-Frame-Options"] = "SAMEORIGIN"
    return headers


def content_security_policy(frame_ancestors: str) -> str:
    """What Streamlit's pages need: code from the app's server alone, and the inline scripts of
    Streamlit's index.html.
    """
    directives = {
        "default-src": SELF,
        "script-src": " ".join([SELF, *_inline_script_hashes(Path(get_static_dir()) / "index.html")]),
        "style-src": "'self' 'unsafe-inline'",  # Streamlit, Plotly and KaTeX write styles into the page
        "img-src": "'self' data: blob:",  # the app's pictures are data: URLs
        "font-src": "'self' data:",
        # Not every browser counts the page's own websocket as 'self'. Streamlit fetches a camera's picture as data:.
        "connect-src": "'self' ws: wss: data:",
        "worker-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": SELF,
        "form-action": SELF,
        "frame-ancestors": frame_ancestors,
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())


def _inline_script_hashes(page: Path) -> list[str]:
    """CSP sources that allow exactly the inline scripts of an HTML file."""
    parser = _InlineScripts()
    parser.feed(page.read_text(encoding="utf-8"))
    digests = [hashlib.sha256(script.encode()).digest() for script in parser.scripts]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


class _InlineScripts(HTMLParser):
    """Collects the text of `<script>` elements without a `src`."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and "src" not in dict(attrs)
        if self._inside:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False
