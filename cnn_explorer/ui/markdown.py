"""Text of the package as Markdown: code spans stay, and nothing else is markup."""

from __future__ import annotations

import re


def plain(problem: Exception | str) -> str:
    """A text or an error's message on one line, as Markdown: code spans stay, and all else is shown as it is.

    `cnn_explorer.text.quoted` makes such spans. Nothing outside them can be a link, an image, an icon, a formula, HTML
    or a list.
    """
    parts = re.split(r"(`[^`]+`)", " ".join(str(problem).split()))  # every second one is a code span
    parts[::2] = map(_escaped, parts[::2])
    return re.sub(r"^([0-9]+(?=[.)]( |$))|(?=[-+]))", r"\1\\", "".join(parts))  # no list, no rule


def _escaped(text: str) -> str:
    # A backslash stops what Markdown reads. But the browser looks for addresses and `:names:` of icons in the finished
    # text, without the backslashes: only a character between their parts stops that, here one without width.
    parted = re.sub(r"[:@](?=\S)|www(?=\.)", "\\g<0>\N{WORD JOINER}", text, flags=re.IGNORECASE)
    return re.sub(r"([\\\[\]!<>`*:$_~#|&])", r"\\\1", parted)


def sentence(problem: Exception | str) -> str:
    """`plain`, with a capital letter and a full stop where it has none."""
    text = plain(problem)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
