#!/usr/bin/env -S python3 -B
"""`rooms` finds each kind of arrow, and only arrows: on small crates, and on a copy of src/ with one arrow added."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from crate_graph import Crate  # noqa: E402

HERE = Path(__file__).parent
ROOMS = HERE / "rooms"
SOURCES = HERE.parent / "src"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def rooms(folder: Path, *options: str) -> tuple[int, str]:
    done = subprocess.run([ROOMS, *options, folder], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class InAFolder(unittest.TestCase):
    def setUp(self) -> None:
        self.maxDiff = 2000
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)


class Arrows(InAFolder):
    """What counts as an arrow from `a` to another file, in a crate of a handful of files."""

    FILES = {
        "src/lib.rs": "mod a;\nmod b;\nmod deep;\n",
        "src/b.rs": "pub struct B;\npub enum E { One }\npub fn f() {}\n",
        "src/deep/mod.rs": "mod leaf;\nmod other;\npub use leaf::Leaf;\npub use other::*;\npub struct Own;\n",
        "src/deep/leaf.rs": "pub struct Leaf;\n",
        "src/deep/other.rs": "pub struct Other;\n",
    }

    def arrows_of(self, source: str) -> set[str]:
        crate = Crate(write(self.folder, {**self.FILES, "src/a.rs": source}))
        return {arrow.target.removeprefix("src/") for arrow in crate.arrows if arrow.source == "src/a.rs"}

    def test_every_form_of_use_counts(self) -> None:
        for source in (
            "use crate::b::B;",
            "use super::b::B as Other;",
            "use crate::{b::{B, E}};",
            "pub use crate::b::f;",
            "use crate::b::E::*;",
            "fn g() { use crate::b::B; }",
            "mod inner { use super::super::b::B; }",
            "mod inner { pub fn g() { crate::b::f() } }",
            "#[cfg(test)]\nmod tests { use super::*; }\nuse crate::b::B;",
        ):
            self.assertEqual(self.arrows_of(source), {"b.rs"}, source)

    def test_every_path_in_code_counts(self) -> None:
        for source in (
            "fn g() { crate::b::f() }",
            "fn g(_: &super::b::B) {}",
            "fn g() -> Option<crate::b::B> { None }",
            "use crate::b; fn g() { b::f() }",
            "use crate::b as c; fn g() { c::E::One; }",
            "fn g() { use crate::b; b::f() }",
            "use crate::b::{self}; fn g() { b::f() }",
            "struct S(<crate::b::B as Trait>::T);",
            "fn g() { println!(\"{:?}\", crate::b::f()) }",
            "macro_rules! m { () => { $crate::b::f() } }",
            "#[derive(crate::b::f)] struct S;",
            "#[serde(with = \"crate::b\")] struct S;\nfn g() { crate::b::f() }",
            "struct S { #[serde(serialize_with = \"crate::b::f\")] x: u8 }",
            "struct S { #[serde(default = \"super::b::f\")] x: u8 }",
            "use super::*; fn g(_: b::B) {}",
            "use crate::b::*; fn g(_: B) {}",
            "fn g() { fn h() -> impl Future + use<> { crate::b::f() } }",
        ):
            self.assertEqual(self.arrows_of(source), {"b.rs"}, source)

    def test_re_exports_lead_to_the_file_of_the_definition(self) -> None:
        for source, target in (
            ("use crate::deep::Leaf;", "deep/leaf.rs"),
            ("use crate::deep::Other;", "deep/other.rs"),
            ("fn g(_: crate::deep::Leaf) {}", "deep/leaf.rs"),
            ("use crate::deep::*; fn g(_: Other) {}", "deep/other.rs"),
            ("use crate::deep::Own;", "deep/mod.rs"),
            ("use crate::deep::MadeByAMacro;", "deep/mod.rs"),
        ):
            self.assertEqual(self.arrows_of(source), {target}, source)

    def test_comments_strings_tests_and_other_crates_do_not_count(self) -> None:
        for source in (
            "// crate::b::f()",
            "/// [`crate::b::f`]\nstruct S;",
            "/* use crate::b::B; /* nested */ crate::b::f() */",
            "const S: &str = \"crate::b::f()\";",
            "const S: &str = r#\"use crate::b::B; \"# ;",
            "#[cfg(test)]\nmod tests { use crate::b::B; }",
            "#[cfg(test)]\nuse crate::b::B;\nstruct S;",
            "#[cfg(test)] #[allow(unused)] fn g() { crate::b::f() }",
            "struct S { #[cfg(test)] b: crate::b::B, c: char }",
            "use b_of_another_crate::B; use std::fmt; fn g() -> fmt::Result { Ok(()) }",
            "fn g(x: X) { x.b.f() }",
            "const C: [char; 2] = ['\"', '\\''];",
        ):
            self.assertEqual(self.arrows_of(source), set(), source)

    def test_a_table_of_contents_is_no_arrow_but_its_use_is(self) -> None:
        crate = Crate(write(self.folder, {**self.FILES, "src/a.rs": ""}))
        self.assertEqual([arrow for arrow in crate.arrows if arrow.source == "src/deep/mod.rs"], [])
        files = {**self.FILES, "src/a.rs": "", "src/deep/mod.rs": "mod leaf;\nmod other;\npub use leaf::Leaf;\nfn g(_: Leaf) {}\n"}
        crate = Crate(write(self.folder, files))
        self.assertEqual([arrow.target for arrow in crate.arrows if arrow.source == "src/deep/mod.rs"], ["src/deep/leaf.rs"])


class Bounds(InAFolder):
    def crate(self, files: dict[str, str]) -> tuple[int, str]:
        return rooms(write(self.folder, files), "-v")

    def circle(self, size: int) -> dict[str, str]:
        names = [f"f{number}" for number in range(size)]
        files = {f"src/{name}.rs": f"pub fn g() {{ crate::{after}::g() }}\n" for name, after in zip(names, names[1:] + names[:1])}
        return {"src/lib.rs": "".join(f"mod {name};\n" for name in names), **files}

    def test_a_circle_of_three_files_is_allowed_and_one_of_four_is_not(self) -> None:
        self.assertEqual(self.crate(self.circle(3))[0], 0)
        code, output = self.crate(self.circle(4))
        self.assertEqual(code, 1)
        self.assertIn("import circle of 4 files, at most 3", output)
        self.assertIn("src/f0.rs -> src/f1.rs (1: crate::f1::g)", output)

    def test_folders_have_no_circle(self) -> None:
        files = {"src/lib.rs": "mod x; mod y;", "src/x/mod.rs": "mod a; mod c;", "src/y/mod.rs": "mod b;"}
        files |= {"src/x/a.rs": "use crate::y::b::B;", "src/x/c.rs": "pub struct C;", "src/y/b.rs": "pub struct B;"}
        self.assertEqual(self.crate(files)[0], 0)
        code, output = self.crate(files | {"src/y/b.rs": "pub struct B(crate::x::c::C);"})
        self.assertEqual(code, 1)
        self.assertIn("import circle of 2 folders, none is allowed: src/x src/y", output)

    def test_a_folder_and_one_inside_it_may_use_each_other(self) -> None:
        files = {"src/lib.rs": "mod x;", "src/x/mod.rs": "mod y; pub struct X; struct Z(y::Y);", "src/x/y/mod.rs": "pub struct Y(super::X);"}
        self.assertEqual(self.crate(files), (0, "rooms: 3 files, 2 arrows, no findings\n"))

    def test_crowded_folders_and_long_files_are_found(self) -> None:
        many = {f"src/f{number}.rs": "\n" for number in range(15)}
        code, output = self.crate({"src/lib.rs": "".join(f"mod f{number};" for number in range(15)), **many})
        self.assertEqual(code, 1)
        self.assertIn("src: 16 files, at most 15", output)

    def test_lines_of_tests_are_not_counted(self) -> None:
        tests = "#[cfg(test)]\nmod tests {\n" + "\n" * 100 + "}\n"
        self.assertEqual(self.crate({"src/lib.rs": "\n" * 300 + tests})[0], 0)
        code, output = self.crate({"src/lib.rs": "\n" * 301 + tests})
        self.assertEqual(code, 1)
        self.assertIn("src/lib.rs: 301 lines without tests, at most 300", output)

    def test_files_of_tests_are_no_part_and_forgotten_files_are_told(self) -> None:
        files = {"src/lib.rs": "#[cfg(test)]\nmod tests;\n", "src/tests.rs": "\n" * 400}
        self.assertEqual(self.crate(files)[0], 0)
        self.assertIn("src/left.rs: no `mod` declaration", self.crate(files | {"src/left.rs": ""})[1])

    def test_an_exception_holds_needs_a_reason_and_must_be_needed(self) -> None:
        long = {"src/lib.rs": "\n" * 301}
        self.assertEqual(self.crate(long | {".ci/rooms.allow": "lines src/lib.rs: a table\n"})[0], 0)
        self.assertIn("rooms.allow:1: write", self.crate(long | {".ci/rooms.allow": "lines src/lib.rs:\n"})[1])
        short = {"src/lib.rs": "\n", ".ci/rooms.allow": "# why\nlines src/lib.rs: a table\n"}
        self.assertIn("rooms.allow:2: the exception `lines src/lib.rs` is not needed", self.crate(short)[1])
        self.assertEqual(self.crate(self.circle(4) | {".ci/rooms.allow": "arrow src/f0.rs src/f1.rs: one day\n"})[0], 0)


class ThisCrate(InAFolder):
    """A copy of src/, in which `business_central` is made to use `proxy`, which uses it."""

    VICTIM = "src/business_central/surface.rs"
    TARGET = "crate::proxy::Problems"
    CIRCLE = r"import circle of \d+ folders, none is allowed: .*src/business_central.* src/proxy\b"

    def with_arrow(self, extra: dict[str, str]) -> tuple[int, str]:
        shutil.copytree(SOURCES, self.folder / "src")
        for file, line in extra.items():
            path = self.folder / file
            path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")
        return rooms(self.folder, "-v")

    def assert_found(self, result: tuple[int, str], path: str) -> None:
        code, output = result
        self.assertEqual(code, 1)
        self.assertTrue(re.search(self.CIRCLE, output), "no finding names the two folders")
        arrow = rf"src/business_central/\S+ -> src/proxy/\S+ \(\d+: {path}"
        self.assertTrue(re.search(arrow, output), "the arrow is not shown")

    def test_as_it_is_the_two_folders_make_no_circle(self) -> None:
        self.assertFalse(re.search(self.CIRCLE, self.with_arrow({})[1]))

    def test_an_arrow_by_use_is_found(self) -> None:
        self.assert_found(self.with_arrow({self.VICTIM: f"\nuse {self.TARGET};\n"}), self.TARGET)

    def test_an_arrow_by_a_full_path_is_found(self) -> None:
        added = f"\nfn f() {{\n    let _ = {self.TARGET}::default();\n}}\n"
        self.assert_found(self.with_arrow({self.VICTIM: added}), self.TARGET)

    def test_an_arrow_through_a_re_export_is_found(self) -> None:
        extra = {"src/lib.rs": f"\npub use {self.TARGET} as Borrowed;\n", self.VICTIM: "\nuse crate::Borrowed;\n"}
        self.assert_found(self.with_arrow(extra), "crate::Borrowed")


if __name__ == "__main__":
    unittest.main()
