"""Debian's nginx with the configuration of docs/nginx.conf, on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = Path(__file__).parents[1] / "docs" / "nginx.conf"
AROUND = """
{user}
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    default_type application/octet-stream;
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/explorer.conf;
}}
"""


def nginx() -> str | None:
    """The program, None if it is not installed."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_proxy(replicas: tuple[int, int], folder: Path) -> Iterator[str]:
    """Run nginx in front of two replicas on these ports, without TLS; yields its URL. Its files are in `folder`."""
    port = free_port()
    text = CONFIGURATION.read_text(encoding="utf-8")
    for old, new in (
        ("listen 443 ssl ", f"listen 127.0.0.1:{port} "),
        ("    ssl_certificate     /etc/ssl/digits.pem;\n", ""),
        ("    ssl_certificate_key /etc/ssl/digits.key;\n", ""),
        (" Secure;", ""),
        ("/var/cache/nginx/explorer", f"{folder}/cache"),
        (":8501", f":{replicas[0]}"),
        (":8502", f":{replicas[1]}"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "explorer.conf").write_text(text, encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user), encoding="utf-8")
    program = nginx()
    assert program
    process = subprocess.Popen([program, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "error.log").read_text()) from None
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
