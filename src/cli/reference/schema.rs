//! `bcproxy schema`: prints the keys of `proxy.yaml` for editors and readers.

use anstream::{print, println};

use crate::config;

/// Prints the JSON Schema, or the reference as Markdown.
pub fn schema(markdown: bool) {
    if markdown {
        print!("{}", config::reference());
    } else {
        println!("{:#}", config::schema());
    }
}
