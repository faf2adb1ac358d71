"""Rust source as tokens with line numbers, and without its test-only parts. Shared by `rooms` and `words`."""

from __future__ import annotations

import re
from typing import NamedTuple

OPEN = {"(": ")", "[": "]", "{": "}"}
ITEM_KEYWORDS = frozenset(
    ["pub", "fn", "mod", "use", "struct", "enum", "trait", "impl", "type", "const", "static", "async", "unsafe", "extern", "macro_rules"]
)

_TOKEN = re.compile(
    r"""
      (?P<doc>///(?!/)[^\n]*|//![^\n]*)
    | (?P<comment>//[^\n]*)
    | (?P<block>/\*)
    | (?P<raw>[bc]?r(?P<hashes>\#*)"(?s:.*?)"(?P=hashes))
    | (?P<string>[bc]?"(?s:\\.|[^"\\])*")
    | (?P<char>b?'(?:\\u\{[^}]*\}|\\x..|\\.|[^\\'\n])')
    | (?P<lifetime>'[A-Za-z_]\w*)
    | (?P<ident>(?:r\#)?[A-Za-z_]\w*)
    | (?P<number>\d\w*(?:\.\d\w*)?)
    | (?P<space>\s+)
    | (?P<punct>::|->|=>|.)
    """,
    re.VERBOSE,
)
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "'": "'"}
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F_]+)\}|x([0-9a-fA-F]{2})|\r?\n\s*|(.))")


class Token(NamedTuple):
    """`kind` is doc, comment, raw, string, char, lifetime, ident, number or punct."""

    kind: str
    text: str
    line: int

    def value(self) -> str:
        """What a string literal stands for; lines continued with a backslash are joined."""
        start = self.text.index('"')
        if self.kind == "raw":
            hashes = self.text[:start].count("#")
            return self.text[start + 1 : len(self.text) - 1 - hashes]
        return _ESCAPE.sub(_unescape, self.text[start + 1 : -1])


class Span(NamedTuple):
    """Lines from `first` to `last`, both included."""

    first: int
    last: int


def _unescape(match: re.Match[str]) -> str:
    unicode, byte, simple = match.groups()
    if unicode or byte:
        return chr(int(unicode or byte, 16))
    return _SIMPLE_ESCAPES.get(simple, "") if simple else ""


def tokens(text: str) -> list[Token]:
    """Every token but white space."""
    found: list[Token] = []
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"line {line}: not Rust: {text[at : at + 20]!r}")
        kind, end = match.lastgroup or "punct", match.end()
        if match.group("raw") is not None:
            kind = "raw"
        if kind == "block":
            end = _end_of_block_comment(text, at)
            kind = "doc" if re.match(r"/\*(?:\*(?![*/])|!)", text[at:]) else "comment"
        if kind != "space":
            found.append(Token(kind, text[at:end], line))
        line += text.count("\n", at, end)
        at = end
    return found


def _end_of_block_comment(text: str, start: int) -> int:
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)


def code(all_tokens: list[Token]) -> list[Token]:
    """The tokens without comments and doc comments."""
    return [token for token in all_tokens if token.kind not in ("doc", "comment")]


def group_end(stream: list[Token], start: int) -> int:
    """The index after the bracket that closes the one at `start`."""
    depth = 0
    for index in range(start, len(stream)):
        if stream[index].kind == "punct":
            if stream[index].text in OPEN:
                depth += 1
            elif stream[index].text in ")]}":
                depth -= 1
                if depth == 0:
                    return index + 1
    return len(stream)


def _is(stream: list[Token], index: int, *texts: str) -> bool:
    return [token.text for token in stream[index : index + len(texts)]] == list(texts)


def attribute_end(stream: list[Token], index: int) -> int:
    """The index after the attribute at `index`, or `index` if there is none."""
    if _is(stream, index, "#", "["):
        return group_end(stream, index + 1)
    if _is(stream, index, "#", "!", "["):
        return group_end(stream, index + 2)
    return index


def _marks_test(attribute: list[Token]) -> bool:
    words = [token.text for token in attribute[2:-1]]
    return words in (["test"], ["tokio", "::", "test"]) or words[:4] in (["cfg", "(", "test", ")"], ["cfg", "(", "all", "("]) and "test" in words


def item_end(stream: list[Token], start: int) -> int:
    """The index after the item, statement, field or variant at `start`."""
    is_item = start < len(stream) and stream[start].text in ITEM_KEYWORDS
    index = start
    if is_item and stream[start].text == "pub":
        index = group_end(stream, start + 1) if _is(stream, start + 1, "(") else start + 1
    is_use = _is(stream, index, "use")
    while index < len(stream):
        text = stream[index].text if stream[index].kind == "punct" else ""
        if text in OPEN:
            index = group_end(stream, index)
            if text == "{" and not is_use:
                return index
            continue
        if text == ";" or text == "," and not is_item:
            return index + 1
        if text in (")", "]", "}") and text:
            return index
        index += 1
    return index


def without_tests(stream: list[Token]) -> tuple[list[Token], list[Span]]:
    """The tokens outside `#[cfg(test)]` and `#[test]` items, and the lines of those items."""
    kept: list[Token] = []
    spans: list[Span] = []
    index = 0
    while index < len(stream):
        end = attribute_end(stream, index)
        if end == index or not _marks_test(stream[index:end]):
            kept.append(stream[index])
            index += 1
            continue
        first = stream[index].line
        if _is(stream, index, "#", "!"):
            return [], [Span(1, stream[-1].line)]
        while end < len(stream) and (stream[end].kind in ("doc", "comment") or attribute_end(stream, end) > end):
            end = attribute_end(stream, end) if stream[end].text == "#" else end + 1
        end = item_end(stream, end)
        spans.append(Span(first, stream[end - 1].line))
        index = end
    return kept, spans
