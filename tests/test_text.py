"""Text from outside stays text: quoted, it is one code span; in the app's messages nothing else of it is markup."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rendered import FOREIGN, FOREIGN_QUOTED, shown

from cnn_explorer.text import quoted
from cnn_explorer.ui.markdown import plain, sentence

PIECES = (
    "www.evil.test", "http://evil.test/a", "HTTPS://", "a@evil.test", "mailto:a@evil.test", ":material/home:", ":smile:",
    ":red[x]", "$x$", "<b>", "<http://evil.test>", "[a](http://evil.test)", "![a](b)", "&#46;", "&lt;", "- a", "-", "+ ",
    "1. a", "2)", "# a", "> a", "---", "===", "| a |", "|---|", "**a**", "_a_", "~~a~~", "`", "``", "```", "\\", "\n", "\n\n",
    "\r", "\u2028", "    ", "\t", "\0", "\x1b[1m", "\u202e", "\u200b", "\ufeff", "é", "a", "www", ".", ":", "@", "3",
)  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=12).map("".join)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("rleu", "`rleu`"),
        ("conv8k5x3 → 9×9", "`conv8k5x3 → 9×9`"),
        ("", "nothing"),
        (" \n\t\u2028", "nothing"),
        ("one\r\n\r\n    two", "`one two`"),
        ("a`b``c", "`a'b''c`"),
        ("\u202egnp\u202c.exe", "`\ufffdgnp\ufffd.exe`"),
        ("a\0\x1b\u200b\ufeffb", "`a\ufffdb`"),
        ("9" * 40, "`" + "9" * 40 + "`"),
        ("9" * 41, "`" + "9" * 40 + "…`"),
        ("9" * 39 + " 9", "`" + "9" * 39 + "…`"),
        (FOREIGN, f"`{FOREIGN_QUOTED}`"),
    ],
)
def test_quoted(text: str, span: str) -> None:
    assert quoted(text) == span


def test_the_length_is_the_callers() -> None:
    assert quoted("abcdef", 3) == "`abc…`"


@given(texts, st.integers(1, 60))
def test_whatever_is_quoted_is_one_span_on_one_line(text: str, most: int) -> None:
    span = quoted(text, most)
    if not text.strip():
        assert span == "nothing"
        return
    ((kind, content),) = shown(span)
    assert (kind, f"`{content}`") == ("code", span)
    assert len(content) <= most + 1
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in span)
    assert quoted(content, most + 1) == span  # quoted once more it stays


@given(st.text(alphabet="abcxyzÄß09_~.,:;@/$<>[]()*#-×→", max_size=40).filter(bool))
def test_harmless_text_is_quoted_as_it_is(text: str) -> None:
    assert quoted(text) == f"`{text}`"


@given(texts, texts)
@example("``", "`")
@example("\\", "www.evil.test")
@example("`", "` www.evil.test `")
def test_a_message_is_text_and_code_spans(words: str, foreign: str) -> None:
    message = f"{words} and {quoted(foreign)} besides"
    parts = shown(plain(message))
    shown(sentence(message))
    shown(plain(f"{quoted(foreign)} {words}"))
    if "`" not in words and "\0" not in words:  # no parser shows a NUL
        told = "".join(text if kind == "text" else f"`{text}`" for kind, text in parts)
        assert told.replace("\N{WORD JOINER}", "") == " ".join(message.replace("\N{WORD JOINER}", "").split())


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("`rleu` at position 8: expected a layer", r"`rleu` at position 8\: expected a layer."),
        ("nothing at position 0", "Nothing at position 0."),
        (ValueError("stride (=`x`) is 1 to 6"), "Stride (=`x`) is 1 to 6."),
        ("kernel_size*2 [x] <b> $1 & more", r"Kernel\_size\*2 \[x\] \<b\> \$1 \& more."),
        ("one ` and `two`", r"One ` and `two\`."),
        ("``one` `two`", r"\``one` `two`."),
        ("a\n\nb", "A b."),
        ("- a", r"\- a."),
        ("12. a", r"12\. a."),
        ("12.5 s", "12.5 s."),
    ],
)
def test_a_sentence(problem: Exception | str, said: str) -> None:
    assert sentence(problem) == said


ADDRESSES = ["www.evil.test", "WWW.evil.test", "http://evil.test", "a@evil.test", ":smile:", ":material/home:"]


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_outside_a_span_is_no_link(text: str) -> None:
    with pytest.raises(AssertionError):
        shown(text)  # the check itself finds it
    ((_, told),) = shown(plain(text))
    assert re.sub("\N{WORD JOINER}", "", told) == text
