"""Which file of a crate uses what another file defines. A re-export is followed to the file of the definition."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rust_source import Span, Token, attribute_end, code, group_end, item_end, tokens, without_tests
from use_tree import Import, expand_use

ModulePath = tuple[str, ...]
CRATE_NAME = "bcproxy"
DEFINES = frozenset(["struct", "enum", "union", "trait", "type", "const", "static", "fn"])
# Keys of serde and schemars whose value is a path or a type.
CODE_IN_STRINGS = frozenset(
    ["with", "serialize_with", "deserialize_with", "schema_with", "default", "from", "try_from", "into", "remote", "skip_serializing_if", "bound", "getter"]
)


class Arrow(NamedTuple):
    """`source` names something that `target` defines. Both are paths from the crate's folder."""

    source: str
    target: str


class Mention(NamedTuple):
    """Where an arrow comes from: the line and the path written there."""

    line: int
    path: str


@dataclass
class Module:
    """A module of the crate, in a file of its own or inline."""

    path: ModulePath
    file: str
    body: list[Token]
    items: set[str] = field(default_factory=set)
    children: set[str] = field(default_factory=set)
    imports: list[Import] = field(default_factory=list)


class Item(NamedTuple):
    """A definition, or the module that should have it and doesn't show it (a macro's product)."""

    module: ModulePath


Target = Module | Item


class CrateError(Exception):
    """The sources don't form a crate that this program understands."""


class Crate:
    """The modules of `src/`, from lib.rs and main.rs along their `mod` declarations; test-only ones are left out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.modules: dict[ModulePath, Module] = {}
        self.lines: dict[str, int] = {}
        self.test_files: set[str] = set()
        self.arrows: dict[Arrow, list[Mention]] = defaultdict(list)
        for root, path in (("lib.rs", ()), ("main.rs", ("(main)",))):
            if (folder / "src" / root).exists():
                self._read(f"src/{root}", path)
        for module in list(self.modules.values()):
            References(self, module).collect()

    def _read(self, file: str, path: ModulePath) -> None:
        text = (self.folder / file).read_text(encoding="utf-8")
        stream = tokens(text)
        kept, spans = without_tests(code(stream))
        self._note_test_files(file, path, code(stream), spans)
        self.lines[file] = text.count("\n") - sum(span.last - span.first + 1 for span in spans)
        self._declare(Module(path, file, kept))

    def _note_test_files(self, file: str, path: ModulePath, stream: list[Token], spans: list[Span]) -> None:
        for index, token in enumerate(stream[:-2]):
            is_test = any(span.first <= token.line <= span.last for span in spans)
            if is_test and token.text == "mod" and stream[index + 2].text == ";":
                self.test_files.update(child_files(file, stream[index + 1].text))

    def _declare(self, module: Module) -> None:
        self.modules[module.path] = module
        stream, index = module.body, 0
        exported = False
        while index < len(stream):
            token = stream[index]
            after = stream[index + 1] if index + 1 < len(stream) else token
            if attribute_end(stream, index) > index:
                index = attribute_end(stream, index)
            elif token.text == "pub":
                exported = True
                index = group_end(stream, index + 1) if after.text == "(" else index + 1
            elif token.text == "use":
                end = item_end(stream, index)
                module.imports += expand_use(stream[index + 1 : end - 1], (), exported)
                index, exported = end, False
            elif token.text == "mod" and after.kind == "ident":
                index = self._declare_child(module, index)
                exported = False
            elif token.text == "macro_rules":
                module.items.add(stream[index + 2].text)
                index = group_end(stream, index + 3)
            elif token.text in DEFINES and after.kind == "ident" and after.text not in ("fn", "unsafe", "extern", "mut"):
                module.items.add(after.text.removeprefix("r#"))
                index, exported = index + 2, False
            elif token.text == "!" and after.text in ("{", "(", "["):
                end = group_end(stream, index + 1)
                module.items |= made_by_macro(stream[index + 1 : end])
                index = end
            elif token.text in ("{", "(", "["):
                index = group_end(stream, index)
            else:
                index += 1

    def _declare_child(self, module: Module, index: int) -> int:
        stream, name = module.body, module.body[index + 1].text.removeprefix("r#")
        module.children.add(name)
        path = (name,) if module.path == ("(main)",) else (*module.path, name)
        if stream[index + 2].text == "{":
            end = group_end(stream, index + 2)
            self._declare(Module(path, module.file, stream[index + 3 : end - 1]))
            return end
        for file in child_files(module.file, name):
            if (self.folder / file).exists():
                self._read(file, path)
                return index + 3
        raise CrateError(f"{module.file}:{stream[index].line}: no file for `mod {name}`; `#[path]` is not supported")

    def resolve(self, module: Module, path: tuple[str, ...], seen: frozenset[tuple[ModulePath, str, bool]] = frozenset()) -> Target | None:
        """What `path`, written in `module`, leads to; `None` for another crate's."""
        here, rest = module, list(path)
        anchored = False
        while rest and rest[0] in ("crate", "self", "super", CRATE_NAME):
            first = rest.pop(0)
            if first == CRATE_NAME and (anchored or module.path != ("(main)",)):
                rest.insert(0, first)
                break
            anchored = True
            if first == "super":
                here = self.modules[here.path[:-1]]
            elif first != "self":
                here = self.modules[()]
        for position, name in enumerate(rest):
            found = self.look_up(here, name, position + 1 < len(rest), seen)
            if found is None:
                return Item(here.path) if anchored or position > 0 else None
            if isinstance(found, Item):
                return found
            here = found
        return here

    def look_up(self, module: Module, name: str, want_module: bool, seen: frozenset[tuple[ModulePath, str, bool]]) -> Target | None:
        """What `name` means in `module`. Where both a module and an item have the name, `want_module` says which."""
        key = (module.path, name, want_module)
        if key in seen:
            return None
        seen |= {key}
        found: list[Target] = []
        if name in module.children:
            found.append(self.modules[(*module.path, name)])
        if name in module.items:
            found.append(Item(module.path))
        for entry in module.imports:
            if entry.name == name and entry.name != "*":
                found += [target] if (target := self.resolve(module, entry.path, seen)) else []
        if not found:
            for entry in module.imports:
                if entry.name == "*" and isinstance(target := self.resolve(module, entry.path, seen), Module):
                    found += [inner] if (inner := self.look_up(target, name, want_module, seen)) else []
        preferred = [target for target in found if isinstance(target, Module) == want_module]
        return (preferred or found or [None])[0]

    def file_of(self, target: Target) -> str:
        return target.file if isinstance(target, Module) else self.modules[target.module].file


def child_files(file: str, name: str) -> list[str]:
    """Where the module `name` declared in `file` can be."""
    parent = Path(file)
    folder = parent.parent if parent.name in ("mod.rs", "lib.rs", "main.rs") else parent.with_suffix("")
    return [str(folder / f"{name}.rs"), str(folder / name / "mod.rs")]


def made_by_macro(stream: list[Token]) -> set[str]:
    """The items written in a macro's arguments."""
    pairs = zip(stream, stream[1:])
    return {name.text for keyword, name in pairs if keyword.text in DEFINES and name.kind == "ident"}


class References:
    """Adds the arrows of one module's body to its crate."""

    def __init__(self, crate: Crate, module: Module) -> None:
        self.crate = crate
        self.module = module
        self.scopes: list[list[Import]] = []
        # Names this module only re-exports from modules below it: an arrow where its own code uses them.
        self.passed_on = {entry.name: entry for entry in module.imports if self._is_table_of_contents(entry)}
        self.globs = [entry for entry in module.imports if entry.name == "*"]

    def collect(self) -> None:
        for entry in self.module.imports:
            if entry.name not in self.passed_on and entry.name != "*":
                self._add(entry.path, entry.line, is_use=True)
            elif entry.name == "*" and isinstance(target := self.crate.resolve(self.module, entry.path), Item):
                self._arrow(target, entry.line, "::".join(entry.path) + "::*")
        self._walk(self.module.body)

    def _is_table_of_contents(self, entry: Import) -> bool:
        target = self.crate.resolve(self.module, entry.path)
        if not entry.exported or target is None:
            return False
        path = target.path if isinstance(target, Module) else target.module
        return path[: len(self.module.path)] == self.module.path and path != self.module.path

    def _walk(self, stream: list[Token], depth: int = 0) -> None:
        index = 0
        while index < len(stream):
            token = stream[index]
            if depth == 0 and token.text == "mod" and stream[index + 2].text == "{":
                index = group_end(stream, index + 2)  # a module of its own
            elif token.text == "use" and token.kind == "ident" and stream[index + 1].text == "<":
                index += 1  # what an `impl` type captures
            elif token.text == "use" and token.kind == "ident":
                end = item_end(stream, index)
                if self.scopes:
                    self._local_use(stream[index + 1 : end - 1])
                index = end
            elif (end := attribute_end(stream, index)) > index:
                self._attribute(stream[index:end])
                index = end
            elif token.kind == "punct" and token.text == "{":
                end = group_end(stream, index)
                self.scopes.append([])
                self._walk(stream[index + 1 : end - 1], depth + 1)
                self.scopes.pop()
                index = end
            elif token.kind == "ident":
                index = self._path(stream, index)
            else:
                index += 1

    def _attribute(self, stream: list[Token]) -> None:
        serde = len(stream) > 2 and stream[2].text in ("serde", "schemars")
        for index, token in enumerate(stream):
            if serde and token.kind in ("string", "raw") and index > 1 and stream[index - 2].text in CODE_IN_STRINGS:
                self._walk([inner._replace(line=token.line) for inner in code(tokens(token.value()))], depth=1)
        self._walk([token for token in stream if token.text != "#"], depth=1)

    def _local_use(self, stream: list[Token]) -> None:
        for entry in expand_use(stream, (), exported=False):
            self.scopes[-1].append(entry)
            self._add(entry.path, entry.line, is_use=True)

    def _path(self, stream: list[Token], index: int) -> int:
        start, path = index, [stream[index].text.removeprefix("r#")]
        while index + 2 < len(stream) and stream[index + 1].text == "::" and stream[index + 2].kind == "ident":
            index += 2
            path.append(stream[index].text.removeprefix("r#"))
        before = stream[start - 1].text if start else ""
        after = stream[index + 1].text if index + 1 < len(stream) else ""
        if before in (".", "::") or len(path) == 1 and (before in DEFINES or before == "mod" or after == ":"):
            return index + 1
        self._add(tuple(path), stream[start].line)
        return index + 1

    def _add(self, path: tuple[str, ...], line: int, is_use: bool = False) -> None:
        full = path
        if not is_use:
            for entry in (entry for scope in reversed(self.scopes) for entry in scope):
                if entry.name == path[0]:
                    full = entry.path + path[1:]
                    break
            if len(full) == 1 and full[0] not in self.passed_on and not (self.globs and self._through_glob(full[0])):
                return  # counted where it was imported
        target = self.crate.resolve(self.module, full)
        if isinstance(target, Item):
            self._arrow(target, line, "::".join(path))

    def _through_glob(self, name: str) -> bool:
        imported = any(entry.name == name for entry in self.module.imports)
        return not imported and name not in self.module.items and name not in self.module.children

    def _arrow(self, target: Item, line: int, path: str) -> None:
        source, file = self.module.file, self.crate.file_of(target)
        if source != file:
            self.crate.arrows[Arrow(source, file)].append(Mention(line, path))


