"""`use` declarations of Rust, cut into single imports."""

from __future__ import annotations

from typing import NamedTuple

from rust_source import Token, group_end


class Import(NamedTuple):
    """One name of a `use` declaration. `name` is `*` for a glob."""

    name: str
    path: tuple[str, ...]
    line: int
    exported: bool


def expand_use(stream: list[Token], prefix: tuple[str, ...], exported: bool) -> list[Import]:
    """The imports of what follows `use` or stands between commas in its braces."""
    path, index = list(prefix), 0
    if not stream:
        return []
    line = stream[0].line
    while index < len(stream):
        text = stream[index].text
        if text == "{":
            found: list[Import] = []
            inner = stream[index + 1 : group_end(stream, index) - 1]
            for part in split_commas(inner):
                found += expand_use(part, tuple(path), exported)
            return found
        if text == "*":
            return [Import("*", tuple(path), line, exported)]
        if text == "as":
            return [Import(stream[index + 1].text, tuple(path), line, exported)]
        if stream[index].kind == "ident" and not (text == "self" and path):
            path.append(text.removeprefix("r#"))
        index += 1
    return [Import(path[-1], tuple(path), line, exported)]


def split_commas(stream: list[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    index = 0
    while index < len(stream):
        end = group_end(stream, index) if stream[index].text == "{" else index + 1
        if stream[index].text == ",":
            parts.append([])
        else:
            parts[-1] += stream[index:end]
        index = end
    return parts
