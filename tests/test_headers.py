"""The headers as values; tests/test_server.py looks at those that are sent."""

import base64
import hashlib
from pathlib import Path

import pytest
from streamlit.file_util import get_static_dir

from cnn_explorer.ui.headers import security_headers


def policy(headers: dict[str, str]) -> dict[str, str]:
    return dict(directive.split(" ", 1) for directive in headers["Content-Security-Policy"].split("; "))


def test_only_the_inline_scripts_of_streamlits_own_page_may_run() -> None:
    page = (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")
    scripts = [part.split("</script>")[0] for part in page.split("<script>")[1:]]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts]
    assert policy(security_headers())["script-src"].split() == ["'self'", *hashes]
    assert hashes


def test_other_sites_may_frame_the_app_where_its_host_names_them() -> None:
    headers = security_headers("'self'  https://school.example https://*.school.example:8443")
    assert policy(headers)["frame-ancestors"] == "'self' https://school.example https://*.school.example:8443"
    assert "X-Frame-Options" not in headers
    assert policy(security_headers("'none'"))["frame-ancestors"] == "'none'"
    assert security_headers()["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("sources", ["", " ", "'self'; script-src *", "'self', https://a.example", "https://é"])
def test_what_would_end_the_directive_is_refused(sources: str) -> None:
    with pytest.raises(ValueError, match=r"CNN_EXPLORER_FRAME_ANCESTORS is .*; it must be one or more CSP sources"):
        security_headers(sources)
