#!/usr/bin/env -S python3 -B
"""Each rule of `words` finds a planted line, and leaves alone what is right."""

from __future__ import annotations

import subprocess
import tempfile
import unittest
from pathlib import Path

WORDS = Path(__file__).parent / "words"
LONG = " ".join(["go"] * 26)
FITTING = " ".join(["go"] * 25)


class Words(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        subprocess.run(["git", "init", "--quiet", self.folder], check=True)

    def words(self, file: str, text: str) -> list[str]:
        """The findings for a repository with one file."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        done = subprocess.run([WORDS, self.folder], capture_output=True, text=True, check=False)
        *findings, summary = done.stdout.splitlines()
        self.assertEqual(done.returncode, 1 if findings else 0, done.stderr)
        self.assertTrue(summary.startswith("words: "), summary)
        return findings

    def assert_finds(self, file: str, text: str, *expected: str) -> None:
        findings = self.words(file, text)
        self.assertEqual(len(findings), len(expected), findings)
        for finding, beginning in zip(findings, expected):
            self.assertTrue(finding.startswith(beginning), finding)

    def assert_fine(self, file: str, text: str) -> None:
        self.assertEqual(self.words(file, text), [])

    def test_a_long_sentence_is_found_in_every_kind_of_text(self) -> None:
        self.assert_finds("README.md", f"# Title\n\nShort.\n{LONG[:60]}\n{LONG[60:]}.\n", "README.md:4: sentence: go go")
        self.assert_finds("README.md", f"- {LONG}\n- {FITTING}\n", "README.md:1: sentence")
        self.assert_finds("README.md", "")
        self.assert_finds("proxy.yaml", f"# {LONG}\nkey: 1\n", "proxy.yaml:1: sentence")
        self.assert_finds("proxy.yaml", f"key: 1  # {FITTING}\n")
        self.assert_finds("proxy.yaml", "")
        self.assert_finds("src/a.rs", f"/// {LONG[:60]}\n/// {LONG[60:]}\nfn f() {{}}\n", "src/a.rs:1: sentence")
        self.assert_finds("src/a.rs", f"fn f() {{\n    warn!(\"{LONG}\");\n}}\n", "src/a.rs:2: sentence")
        self.assert_finds("src/a.rs", f"#[error(\n    \"{LONG[:60]} \\\n     {LONG[60:]}\"\n)]\nstruct S;\n", "src/a.rs:2: sentence")

    def test_what_ends_a_sentence_and_what_is_one_word(self) -> None:
        half = " ".join(["go"] * 14)
        for text in (
            f"{half}. {half}.",
            f"{half}. `code` {half}.",
            f"{half} to bcproxy. bcproxy {half}.",
            f"{half}\n\n{half}",
            f"- {half}\n- {half}",
            f"## {half}\n{half}",
            f"{half} `one word of code, however long, with spaces` {half[:24]}",
            f"```text\n{LONG}\n```",
            f"{half} [a link](https://example.com/a) {half[:24]}.",
        ):
            self.assert_fine("README.md", text + "\n")
        self.assert_finds("README.md", f"{half}, e.g. {half}\n", "README.md:1: sentence")

    def test_code_data_and_tests_are_no_prose(self) -> None:
        self.assert_fine("src/a.rs", f"const X: &str = \"<a>{LONG}</a>\";\n")
        self.assert_fine("src/a.rs", f"#[cfg(test)]\nmod tests {{\n    const X: &str = \"{LONG}\";\n}}\n")
        self.assert_fine("proxy.yaml", "# key: { env: NAME }\n# other_key: 1\n# [section]\n")

    def test_phrases_are_found_across_lines_and_whatever_the_case(self) -> None:
        self.assert_finds("README.md", "Ask\nwho keeps\nthe Firewall.\n", "README.md:2: phrase: who keeps the Firewall -- write: the administrator")
        self.assert_finds("README.md", "")
        self.assert_finds("src/a.rs", "// It is sent again.\nfn f() {}\n", "src/a.rs:1: phrase: sent again -- write: retried")
        self.assert_finds("src/a.rs", "const X: &str = \"how to mend it\";\n", "src/a.rs:1: phrase: mend -- write: fix")
        self.assert_fine("src/a.rs", "const X: &str = \"how to recommend it\";\n")

    def test_old_names_are_found_in_code_files_fields_and_keys(self) -> None:
        self.assert_finds("src/a.rs", "struct SoapGate;\n", "src/a.rs:1: name: SoapGate -- write: limiter")
        self.assert_finds("src/a.rs", "fn f(a: A) {\n    a.is_aloft();\n}\n", "src/a.rs:2: name: is_aloft -- write: in_flight")
        self.assert_finds("src/a.rs", "info!(refusals = 1);\n", "src/a.rs:1: name: refusals")
        self.assert_finds("src/a.rs", "const X: &str = \"bcproxy_gate_waiting\";\n", "src/a.rs:1: name: bcproxy_gate_waiting")
        self.assert_finds("src/a.rs", "const X: &str = r#\"{\"sent_again\": 1}\"#;\n", "src/a.rs:1: name: sent_again -- write: retry")
        self.assert_finds("src/a.rs", "")
        self.assert_finds("src/keeper.rs", "", "src/keeper.rs:1: name: keeper -- write: token_refresher")
        (self.folder / "src/keeper.rs").unlink()
        self.assert_finds("proxy.yaml", "routes:\n  - destination: a\n", "proxy.yaml:2: name: destination")
        self.assert_finds("proxy.yaml", "")
        self.assert_finds("README.md", "The metric `bcproxy_gate_waiting`.\n", "README.md:1: name: bcproxy_gate_waiting")

    def test_names_that_only_resemble_an_old_one_are_fine(self) -> None:
        for name in ("aggregate", "gateway", "replace", "placeholder", "namespace", "in_flight", "single_flight", "size_hint", "keep_alive", "island"):
            self.assert_fine("src/a.rs", f"fn {name}() {{}}\n")

    def test_long_lines_are_found(self) -> None:
        self.assert_fine("README.md", "a. b. " * 20 + "\n")
        self.assert_finds("README.md", "a. b. " * 21 + "\n", "README.md:1: column")
        self.assert_fine("README.md", f"See <https://example.com/{'a' * 120}>.\n")
        self.assert_fine("README.md", f"```\n{'a' * 150}\n```\n")
        self.assert_fine("src/a.rs", f"//! ```text\n//! {'a' * 118}\n//! ```\n")
        self.assert_finds("src/a.rs", f"// {'a' * 118}\nfn f() {{}}\n", "src/a.rs:1: column")

    def test_a_cell_is_no_paragraph(self) -> None:
        self.assert_fine("README.md", "| a | b |\n|---|---|\n| one `a|b` | a short cell |\n")
        cell = " ".join(["go"] * 16)
        self.assert_finds("README.md", f"| a |\n|---|\n| {cell} |\n", "README.md:3: cell")
        self.assert_finds("README.md", "| a |\n|---|\n| One. Two. |\n", "README.md:3: cell")

    def test_british_spellings_are_found(self) -> None:
        self.assert_finds("README.md", "Its behaviour.\n", "README.md:1: spelling: behaviour -- American: behavior")
        self.assert_finds("README.md", "It is authorised, as `colour` is.\n", "README.md:1: spelling: authorised -- American: authorized")
        self.assert_fine("README.md", "Our four hours exercise promises. Advise and revise.\n")

    def test_an_exception_holds_needs_a_reason_and_must_be_needed(self) -> None:
        self.words(".ci/words.allow", "spelling README.md behaviour -- a title of a book\n")
        self.assert_fine("README.md", "Its behaviour.\n")
        self.assert_finds("README.md", "Fine.\n", "words.allow:1: this exception is not needed")
        self.assert_finds(".ci/words.allow", "spelling README.md behaviour\n", "words.allow:1: write `RULE FILES TEXT -- reason`")


if __name__ == "__main__":
    unittest.main()
