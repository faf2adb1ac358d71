//! The file of users: a line for each, `name:hash`, as in htpasswd's.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::str::FromStr;

use super::stored_hash::{HashError, StoredHash};
use crate::small_file;

/// The contents of a file of users.
#[derive(Debug, Clone, Default)]
pub struct UsersFile(Vec<Line>);

#[derive(Debug, Clone)]
enum Line {
    Entry(UserEntry),
    /// A comment, or nothing.
    Other(String),
}

/// One user of the file.
#[derive(Debug, Clone)]
pub struct UserEntry {
    /// The name, which also names the holder of an API key.
    pub name: UserName,
    /// What is stored of the password or key.
    pub hash: StoredHash,
}

/// A user's name: 1 to 128 characters without a colon or control characters, and no `#` first. Upper and lower case are
/// the same, as in Windows.
#[derive(Debug, Clone)]
pub struct UserName(String);

/// Why a file of users can't be used. No message repeats a hash.
#[derive(Debug, thiserror::Error)]
pub enum UsersFileError {
    /// The file can't be read.
    #[error("can't be read: {}", small_file::reason(.0))]
    Unreadable(io::Error),
    /// The file is binary, or in an encoding of its own.
    #[error("is not UTF-8 text")]
    NotText,
    /// A line is no entry.
    #[error("has a mistake in line {line}: {reason}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: EntryError,
    },
}

/// Why a line is no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// There is no colon.
    #[error("it has no colon between name and hash")]
    NoColon,
    /// The name is empty, too long, or has characters that it can't have.
    #[error(
        "the name needs 1 to 128 characters, no colon, no control characters, no `#` first, and no space at either end"
    )]
    Name,
    /// The hash is not one.
    #[error("its hash can't be used: {0}")]
    Hash(#[from] HashError),
    /// Another line has the same API key, so that its holder would not be known.
    #[error("line {0} has the same API key")]
    RepeatedKey(usize),
    /// Another line has the same name.
    #[error("line {0} has the same name; upper and lower case make no difference")]
    Repeated(usize),
}

impl UsersFile {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, UsersFileError> {
        let bytes = small_file::read(path).map_err(UsersFileError::Unreadable)?;
        small_file::text(&bytes).ok_or(UsersFileError::NotText)?.parse()
    }

    /// The users, in the order of the file.
    pub fn entries(&self) -> impl Iterator<Item = &UserEntry> {
        self.0.iter().filter_map(|line| match line {
            Line::Entry(entry) => Some(entry),
            Line::Other(_) => None,
        })
    }

    /// Sets a user: in the line of the same name, or in a new one. Whether the name was there before.
    pub fn set(&mut self, entry: UserEntry) -> bool {
        let key = entry.name.key();
        let same = self.0.iter_mut().find_map(|line| match line {
            Line::Entry(known) if known.name.key() == key => Some(known),
            _ => None,
        });
        match same {
            Some(known) => {
                *known = entry;
                true
            }
            None => {
                self.0.push(Line::Entry(entry));
                false
            }
        }
    }

    /// Removes a user. Whether there was one of this name.
    pub fn remove(&mut self, name: &UserName) -> bool {
        let before = self.0.len();
        self.0.retain(|line| !matches!(line, Line::Entry(known) if known.name.key() == name.key()));
        self.0.len() < before
    }

    /// The text of the file.
    pub fn expose(&self) -> String {
        let line = |line: &Line| match line {
            Line::Entry(UserEntry { name, hash }) => format!("{}:{}\n", name.0, hash.expose()),
            Line::Other(text) => format!("{text}\n"),
        };
        self.0.iter().map(line).collect()
    }
}

impl FromStr for UsersFile {
    type Err = UsersFileError;

    fn from_str(text: &str) -> Result<Self, UsersFileError> {
        let (mut lines, mut seen, mut keys) = (Vec::new(), HashMap::new(), HashMap::new());
        for (number, text) in (1..).zip(text.lines()) {
            if text.trim().is_empty() || text.starts_with('#') {
                lines.push(Line::Other(text.to_owned()));
                continue;
            }
            let error = |reason| UsersFileError::Line { line: number, reason };
            let (name, hash) = text.split_once(':').ok_or_else(|| error(EntryError::NoColon))?;
            let name: UserName = name.parse().map_err(error)?;
            if let Some(first) = seen.insert(name.key(), number) {
                return Err(error(EntryError::Repeated(first)));
            }
            let hash: StoredHash = hash.trim_end().parse().map_err(|reason| error(EntryError::Hash(reason)))?;
            if let Some(first) = hash.api_key().and_then(|key| keys.insert(key, number)) {
                return Err(error(EntryError::RepeatedKey(first)));
            }
            lines.push(Line::Entry(UserEntry { name, hash }));
        }
        Ok(Self(lines))
    }
}

impl UserName {
    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What two spellings of the same name have in common.
    pub fn key(&self) -> String {
        key_of(&self.0)
    }
}

/// What two spellings of the same name have in common.
pub fn key_of(name: &str) -> String {
    name.to_lowercase()
}

impl FromStr for UserName {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let is_name = (1..=128).contains(&text.chars().count())
            && !text.starts_with('#')
            && !text.contains(|character: char| character == ':' || character.is_control())
            && text.trim() == text;
        if is_name { Ok(Self(text.to_owned())) } else { Err(EntryError::Name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NT: &str = "$3$$8846f7eaee8fb117ad06bdd830b7586c";

    #[test]
    fn users_are_changed_and_everything_else_is_kept() {
        let text = format!("# tills\ntill-1:{NT}\n\nJörg Müller:{NT}\r\n");
        let mut file: UsersFile = text.parse().unwrap();
        let entry = |name: &str| UserEntry { name: name.parse().unwrap(), hash: NT.parse().unwrap() };
        assert!(file.set(entry("JÖRG MÜLLER")) && !file.set(entry("new")));
        assert_eq!(file.expose(), format!("# tills\ntill-1:{NT}\n\nJÖRG MÜLLER:{NT}\nnew:{NT}\n"));
        assert!(file.remove(&"TILL-1".parse().unwrap()) && !file.remove(&"till-1".parse().unwrap()));
        assert_eq!(file.entries().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["JÖRG MÜLLER", "new"]);
    }

    #[test]
    fn a_mistake_has_its_line_and_no_hash() {
        let key = format!("$sha256${}", "88".repeat(32));
        for (text, expected) in [
            ("a", "line 1: it has no colon"),
            (":$3$$", "line 1: the name"),
            ("# x\n#y\n z:$3$$", "line 3: the name"),
            ("a:secret", "line 1: its hash can't be used: it is of no known kind"),
            (&format!("a:{key}\nb:{key}"), "line 2: line 1 has the same API key"),
            ("a:$3$$8846f7eaee8fb117ad06bdd830b7586c\nA:$3$$8846f7eaee8fb117ad06bdd830b7586c", "line 2: line 1 has"),
        ] {
            let message = text.parse::<UsersFile>().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert!(!message.contains("secret") && !message.contains("8846"), "{message}");
        }
    }
}
