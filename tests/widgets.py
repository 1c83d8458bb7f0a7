"""An AppTest's widgets by their name, the key of one that others may change ending in a version
(cnn_explorer/ui/controlled.py); its address; what its session remembers; what its network view was sent.
"""

import json
import struct
import threading
from typing import Any, TypeVar

from streamlit.testing.v1 import AppTest

from cnn_explorer.ui.address import Known

Record = TypeVar("Record")


def name_of(widget: Any) -> str:
    return (widget.key or "").rsplit(" v", 1)[0]


def control(widgets: Any, wanted: str) -> Any:
    (found,) = [widget for widget in widgets if name_of(widget) == wanted]
    return found


def wait_for_training(seconds: float = 0.2) -> None:
    """Wait until nothing trains any more, but no longer than that: each run of a page slows a training down."""
    for thread in threading.enumerate():
        if thread.name == "train":
            thread.join(seconds)


def address(page: AppTest) -> dict[str, str]:
    """As the browser shows it: as it was last written, or read and completed."""
    return dict(record(page, Known).query[-1])


def record(page: AppTest, kind: type[Record]) -> Record:
    """What the session remembers; see cnn_explorer/ui/session.py."""
    found: Record = page.session_state[f"{kind.__module__}.{kind.__qualname__}"]
    return found


def components(page: AppTest) -> list[Any]:
    """The page's own components, without the top bar."""
    return [one for one in page.get("bidi_component") if ".top_bar_" not in one.proto.component_name]


def data_of(page: AppTest) -> dict[str, Any]:
    """What the page's only component was sent."""
    (found,) = components(page)
    data: list[dict[str, Any]] = json.loads(found.proto.json)
    return data[0]


def follow(page: AppTest) -> AppTest:
    """Go to the page that the browser was told to open, by the address that it was given."""
    (bar,) = [one for one in page.get("bidi_component") if ".top_bar_" in one.proto.component_name]
    answer = json.loads(bar.proto.json)[0]["answer"]
    page.switch_page(f"pages/{answer['path']}.py" if answer["path"] else "app.py")
    page.query_params.clear()
    page.query_params.update(answer["query"])
    return page.run()


def sent(page: AppTest) -> dict[str, Any]:
    """The header of what the network view was sent; see cnn_explorer/ui/network_view/__init__.py."""
    assert not page.exception, page.exception
    (view,) = components(page)
    data = view.proto.bytes
    (length,) = struct.unpack_from("<I", data)
    header: dict[str, Any] = json.loads(data[4 : 4 + length])
    return header


def tell_view(page: AppTest, seq: int, **said: object) -> AppTest:
    """Run the first page with a message of the view that is not about the drawing."""
    message = {"seq": seq, "drawing": "", "final": False, "moving": False, "lacking": "", "drawn": False}
    page.session_state["network_view"] = {"message": message | said}
    return page.run()
