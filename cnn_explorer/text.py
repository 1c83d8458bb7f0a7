"""Text from outside, such as an address, a file name or a server's answer, inside sentences of the package."""

from __future__ import annotations

import re

UNSEEN = "\N{REPLACEMENT CHARACTER}"  # stands for characters that cannot be seen


def quoted(text: str, most: int = 40) -> str:
    """Quote foreign text as a Markdown code span, in which nothing is a link, an image or other markup.

    White space of any kind becomes single blanks. A run of control, format (bidirectional ones included) or unassigned
    characters becomes one U+FFFD. A backtick becomes an apostrophe. Text of more than `most` characters is cut and ends
    in "…". Returns one line of at most `most` + 3 characters; "nothing", without backticks, for empty or blank text.
    """
    words = " ".join(text.split()).replace("`", "'")
    shown = re.sub(f"{UNSEEN}+", UNSEEN, "".join(char if char.isprintable() else UNSEEN for char in words))
    if len(shown) > most:
        shown = f"{shown[:most].rstrip()}…"
    return f"`{shown}`" if shown else "nothing"
