"""A visitor without a browser: Streamlit's websocket and its uploads, over real connections to a real server."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.BidiComponent_pb2 import BidiComponent
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.state.session_state import STREAMLIT_INTERNAL_KEY_PREFIX
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect


class Visit:
    """One session on the first page, with the cookies of its browser; `open_visit` makes it.

    `query` is what its address says, `elements` what it was sent by the last run, by kind, and `fragment` the part of
    the page that shows a component.
    """

    def __init__(self, url: str, query: str = "") -> None:
        self.host, self.query = urlsplit(url).netloc, query
        self.session = ""
        self.cookies: dict[str, str] = {}
        self.elements: dict[str, list[Element]] = {}
        self.fragment = ""
        self._connection = ExitStack()

    def connect(self) -> None:
        """Begin a session as a browser does: it asks whether the server is there, and keeps the cookies it gets."""
        if self.request("GET", "/_stcore/health") != 200:
            raise ConnectionError("the server is not there")
        self.close()
        connecting = connect(
            f"ws://{self.host}/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            additional_headers={"Cookie": self._cookie},
            max_size=None,
            proxy=None,
        )
        self.socket: ClientConnection = self._connection.enter_context(connecting)
        assert self.socket.response
        self._keep(self.socket.response.headers.get_all("Set-Cookie"))

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._connection.close()

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> int:
        """Send a request with the cookies; returns the status of the answer."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, body, {"Cookie": self._cookie, **(headers or {})})
            answer = connection.getresponse()
            answer.read()
            self._keep(answer.headers.get_all("Set-Cookie", []))
            return answer.status
        finally:
            connection.close()

    @property
    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _keep(self, lines: Iterable[str]) -> None:
        for line in lines:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value

    def rerun(self, files: Mapping[str, str] | None = None, fragment: str = "", link: str | None = None) -> bool:
        """Run the page or a part of it, with uploaded files by their uploader's key, or with the link to a page pressed,
        and what follows; True if nothing failed.
        """
        message = BackMsg()
        if link is not None:
            press, bar = json.dumps([{"event": "go", "value": {"path": link}}]), self._bar.id
            widgets = message.rerun_script.widget_states.widgets
            widgets.add(id=bar, json_value="{}")
            widgets.add(id=f"{STREAMLIT_INTERNAL_KEY_PREFIX}_{bar}__events", json_trigger_value=press)
        message.rerun_script.query_string = self.query
        message.rerun_script.fragment_id = fragment
        for key, name in (files or {}).items():
            ids = [element.file_uploader.id for element in self.elements["file_uploader"]]
            (uploader,) = [each for each in ids if re.search(rf"-{key}( v\d+)?$", each)]
            state = message.rerun_script.widget_states.widgets.add(id=uploader)
            state.file_uploader_state_value.uploaded_file_info.add(file_id=name, name=f"{name}.bmp")
        self.elements.clear()
        self.socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(self.socket.recv(timeout=60))
            if answer.HasField("new_session"):
                self.session = answer.new_session.initialize.session_id or self.session
            elif answer.HasField("page_info_changed"):
                self.query = answer.page_info_changed.query_string
            elif answer.HasField("delta") and answer.delta.HasField("new_element"):
                element = answer.delta.new_element
                self.elements.setdefault(str(element.WhichOneof("type")), []).append(element)
                if element.HasField("bidi_component"):
                    self.fragment = answer.delta.fragment_id
            elif answer.HasField("script_finished") and answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                compiled = answer.script_finished != ForwardMsg.FINISHED_WITH_COMPILE_ERROR
                return compiled and "exception" not in self.elements

    def refused(self, frame: bytes) -> int | None:
        """Send a frame that must not be taken; returns the code with which the connection is closed."""
        with suppress(ConnectionClosed):
            self.socket.send(frame)
            while True:
                self.socket.recv(timeout=60)
        return self.socket.close_code

    def wait_maps(self) -> None:
        """Run the page until PyTorch answers."""
        while self.view["pending"]:
            time.sleep(0.3)
            self.rerun()

    @property
    def view(self) -> dict[str, Any]:
        """The header of what the network view was sent."""
        components = [element.bidi_component for element in self.elements["bidi_component"]]
        (data,) = [each.bytes for each in components if ".top_bar_" not in each.component_name]
        (length,) = struct.unpack_from("<I", data)
        header: dict[str, Any] = json.loads(data[4 : 4 + length])
        return header

    @property
    def _bar(self) -> BidiComponent:
        (bar,) = [
            element.bidi_component
            for element in self.elements["bidi_component"]
            if ".top_bar_" in element.bidi_component.component_name
        ]
        return bar

    @property
    def answer(self) -> dict[str, Any] | None:
        """The page that the top bar opens, None for none."""
        answer: dict[str, Any] | None = json.loads(self._bar.json)[0]["answer"]
        return answer

    @property
    def error(self) -> str:
        """What the page says is wrong, "" for nothing."""
        return " ".join(each.alert.body for each in self.elements.get("alert", ()))

    @property
    def drawing(self) -> str:
        """The drawing in the address, "" until it is written."""
        return parse_qs(self.query).get("drawing", [""])[0]

    def upload(self, name: str, content: bytes) -> int:
        """Send a file as `st.file_uploader` does; returns the status of the answer."""
        head = f'--border\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.bmp"\r\n\r\n'
        headers = {
            "X-Xsrftoken": self.cookies["_streamlit_xsrf"],
            "Content-Type": "multipart/form-data; boundary=border",
        }
        body = head.encode() + content + b"\r\n--border--\r\n"
        return self.request("PUT", f"/_stcore/upload_file/{self.session}/{name}", body, headers)


@contextmanager
def open_visit(url: str, query: str = "") -> Iterator[Visit]:
    """Connect to a server's page, and run it."""
    with closing(Visit(url, query)) as visit:
        visit.connect()
        assert visit.rerun()
        yield visit


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB, which are 10⁶ bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) * 1024 / 1e6


def cpu_seconds(*pids: int) -> float:
    """Processor time of these processes so far."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")


def run_of_a_page() -> bytes:
    """What a browser sends to have its page run."""
    question = BackMsg()
    question.rerun_script.query_string = ""
    return question.SerializeToString()


def runs_without_reading(url: str, *pids: int) -> float:
    """How many runs of its page a browser gets that asks for 60 and reads nothing, by these servers' processor time."""
    with open_visit(url) as visit:
        before = cpu_seconds(*pids)
        for _ in range(10):
            assert visit.rerun()
        run = (cpu_seconds(*pids) - before) / 10
        before = now = cpu_seconds(*pids)
        for _ in range(60):
            visit.socket.send(run_of_a_page())
        last = before - 1
        while now > last + run and now < before + 70 * run:
            time.sleep(1)
            last, now = now, cpu_seconds(*pids)
        visit.socket.socket.shutdown(socket.SHUT_RDWR)  # a proper end would wait for an answer
    return (now - before) / run
