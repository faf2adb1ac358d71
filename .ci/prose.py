"""Passages of prose in Markdown, comments and string literals, cut into sentences. A passage is what a blank line, a bullet or a cell ends."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterable, Iterator, NamedTuple

# Stands for inline code, a link or a placeholder: one word, which may begin a sentence.
CODE = "\N{OBJECT REPLACEMENT CHARACTER}"
_ABBREVIATIONS = ("e.g.", "i.e.", "etc.", "cf.", "vs.", "approx.")
_SENTENCE_END = re.compile(rf"""\.["'”’)\]]*\s+(?=\S)|[!?…]["'”’)\]]*\s+(?=["'“‘(]*[A-Z0-9{CODE}])""")
_BULLET = re.compile(r"\s*(?:[-*+]|\d+[.)])\s+")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_TABLE_RULE = re.compile(r"[\s|:-]+")


class Sentence(NamedTuple):
    line: int
    text: str

    def words(self) -> list[str]:
        return [word for word in self.text.split() if any(character.isalnum() or character == CODE for character in word)]


@dataclass
class Passage:
    """Lines of text that belong together. `kind` is text, cell, heading, comment, doc or message."""

    kind: str
    lines: list[tuple[int, str]] = field(default_factory=list)

    def text(self) -> str:
        return " ".join(text.strip() for _, text in self.lines)

    def line_at(self, offset: int) -> int:
        """The line number of the character at `offset` in `text`."""
        for number, text in self.lines:
            offset -= len(text.strip()) + 1
            if offset < 0:
                return number
        return self.lines[-1][0]

    def inline_code(self) -> Iterator[tuple[int, str]]:
        for match in re.finditer(r"`+([^`]+)`+", self.text()):
            yield self.line_at(match.start()), match.group(1)

    def sentences(self) -> Iterator[Sentence]:
        """Inline code, links' addresses and placeholders count as one word each."""
        text = _fold(self.text())
        start = 0
        for match in _SENTENCE_END.finditer(text):
            if not text[: match.start() + 1].endswith(_ABBREVIATIONS):
                yield Sentence(self._line_of(text[start : match.end()]), text[start : match.end()].strip())
                start = match.end()
        if text[start:].strip():
            yield Sentence(self._line_of(text[start:]), text[start:].strip())

    def _line_of(self, sentence: str) -> int:
        """The line on which a folded sentence begins: that of its first plain words."""
        plain = next((part.strip() for part in sentence.split(CODE) if len(part.strip()) > 3), "")
        at = self.text().find(plain[:40]) if plain else 0
        return self.line_at(max(at, 0))


def _fold(text: str) -> str:
    """The text with everything that counts as one word folded into one, of the same meaning for sentences."""
    text = re.sub(r"\[?(`+)(.+?)\1\]?(\([^)\s]*\))?", CODE, text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)\s]*\)", r"\1", text)
    text = re.sub(r"<?https?://[^\s>]*[^\s>.,;:)]>?", CODE, text)
    return re.sub(r"\*\*|__", "", text)


def markdown(lines: Iterable[tuple[int, str]], kind: str = "text") -> list[Passage]:
    """The passages of a Markdown text, given with its line numbers. Code blocks, tags and link definitions are left out."""
    found: list[Passage] = []
    current = Passage(kind)
    fenced = False

    def finish() -> None:
        nonlocal current
        if current.lines:
            found.append(current)
        current = Passage(kind)

    for number, line in lines:
        stripped = line.strip().removeprefix("> ")
        if _FENCE.match(line):
            finish()
            fenced = not fenced
        elif fenced:
            continue
        elif not stripped or stripped.startswith("<") and stripped.endswith(">") and "://" not in stripped or re.match(r"\[[^\]]+\]: ", stripped):
            finish()
        elif stripped.startswith("|"):
            finish()
            if not _TABLE_RULE.fullmatch(stripped):
                found += [Passage("cell", [(number, cell)]) for cell in cells(stripped) if cell.strip()]
        elif stripped.startswith("#"):
            finish()
            found.append(Passage("heading", [(number, stripped.lstrip("# "))]))
        else:
            if bullet := _BULLET.match(line):
                finish()
                stripped = line[bullet.end() :]
            current.lines.append((number, stripped))
    finish()
    return found


def cells(row: str) -> list[str]:
    """The cells of a table row; a bar inside code does not divide."""
    protected = re.sub(r"`[^`]*`", lambda code: code.group().replace("|", "\0"), row.replace("\\|", "\0"))
    return [cell.replace("\0", "|") for cell in protected.strip("|").split("|")]


def hash_comments(text: str) -> list[Passage]:
    """The prose in `#` comments of YAML, TOML, systemd units, Dockerfiles and shell scripts. Keys that are commented out are no prose."""
    found: list[Passage] = []
    current = Passage("comment")
    for number, line in enumerate(text.splitlines(), 1):
        own = re.match(r"\s*#+(?:\s+(.*))?$", line)
        trailing = re.search(r"\s#\s+(.*)$", line) if not own else None
        content = (own.group(1) or "") if own else ""
        is_code = re.match(r"(?:- )?[\w.]+:(?:\s|$)|[A-Z]\w*=|- [{\w./]+$|[\[{}\]]", content)
        if not own or not content or is_code or _BULLET.match(content) or line.startswith("#!"):
            if current.lines:
                found.append(current)
            current = Passage("comment")
        if content and not is_code and not line.startswith("#!"):
            current.lines.append((number, content))
        if trailing:
            found.append(Passage("comment", [(number, trailing.group(1))]))
    return found + ([current] if current.lines else [])


def message(line: int, value: str) -> list[Passage]:
    """The passages of a string literal, if it is prose. Each of its lines ends a sentence; a placeholder is a word."""
    if re.search(r"</|/>|xmlns|\bfunction\b|^\s*[{\[]", value):
        return []
    text = re.sub(r"\{[^{}\s]*\}", CODE, value.replace("{{", "(").replace("}}", ")"))
    return [Passage("message", [(line, part)]) for part in text.split("\n") if re.search(r"[A-Za-z]{2,} +\S*[A-Za-z]{2,}", part)]
