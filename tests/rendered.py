"""What a message in Markdown looks like on a page.

A CommonMark parser reads it. Then the finished text is searched for what Streamlit's browser code looks for there:
links (remark-gfm), shortcodes of emoji (remark-emoji) and of its own icons. No backslash stops these.
"""

import re

from markdown_it import MarkdownIt

# A backtick, a newline, a link, a direction mark and an icon; short enough to be quoted whole, without a sign at which
# a parameter is split.
FOREIGN = "`enter`\nwww.evil.test \u202e:material/home:"
FOREIGN_QUOTED = "'enter' www.evil.test \N{REPLACEMENT CHARACTER}:material/home:"

_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_FOUND_IN_TEXT = (
    r"(https?://|www(?=\.))[-.\w]+",  # these two are remark-gfm's
    r"[-.\w+]+@[-\w]+(\.[-\w]+)+",
    r":[-+\w]+:",
    r":material/\w+:",
)
_STREAMLITS = r"[:$]\w"  # a directive such as :red[…], a formula: known to Streamlit, not to the parser


def shown(markdown: str) -> list[tuple[str, str]]:
    """The parts of a message in order: "text" and "code". Fails if it is anything but one paragraph of these."""
    blocks = _MARKDOWN.parse(markdown)
    assert [block.type for block in blocks] == ["paragraph_open", "inline", "paragraph_close"], markdown
    parts: list[tuple[str, str]] = []
    for token in blocks[1].children or []:
        kind = {"text": "text", "text_special": "text", "code_inline": "code"}.get(token.type)
        assert kind, f"{token.type} in {markdown!r}"
        if kind == "text" and parts and parts[-1][0] == "text":
            parts[-1] = ("text", parts[-1][1] + token.content)
        else:
            parts.append((kind, token.content))
    for kind, text in parts:
        found = [pattern for pattern in _FOUND_IN_TEXT if kind == "text" and re.search(pattern, text, re.IGNORECASE)]
        assert not found, f"{found} in {markdown!r}"
    bare = re.sub(r"\\.|`[^`]+`", "", markdown)  # without what is escaped and what is code
    assert not re.search(_STREAMLITS, bare), markdown
    return parts


def quotes_foreign_text(markdown: str) -> bool:
    """True if a message holds `FOREIGN` in one code span and nowhere else."""
    parts = shown(markdown)
    code = [text for kind, text in parts if kind == "code" and text == FOREIGN_QUOTED]
    others = [text for _, text in parts if text != FOREIGN_QUOTED]
    return len(code) == 1 and not any("evil" in text or "home" in text for text in others)
