//! `bcproxy man`: prints the man page of bcproxy, or writes those of all commands to a folder.

use std::io;
use std::path::Path;

use anstream::print;
use clap::Command;
use clap_mangen::Man;

use crate::cli::common::Failure;

/// Prints the page of `command`, or writes it and a page for each of its commands to `folder`.
pub fn man(mut command: Command, folder: Option<&Path>) -> Result<(), Failure> {
    command = command.disable_help_subcommand(true);
    command.build();
    match folder {
        None => page(command)
            .map(|(_, page)| print!("{page}"))
            .map_err(|error| Failure::Failed(format!("Writing the man page failed: {error}."))),
        Some(folder) => std::fs::create_dir_all(folder).and_then(|()| write(command, folder)).map_err(|error| {
            Failure::Failed(format!("Writing the man pages to {} failed: {error}.", folder.display()))
        }),
    }
}

fn write(command: Command, folder: &Path) -> io::Result<()> {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        write(inner.clone(), folder)?;
    }
    let (name, page) = page(command)?;
    std::fs::write(folder.join(name), page)
}

/// The file name of a command's page, and the page.
fn page(command: Command) -> io::Result<(String, String)> {
    let page = Man::new(command).source(concat!("bcproxy ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    page.render(&mut text)?;
    // The generator has no section for examples, and would fill their lines.
    let text = String::from_utf8_lossy(&text).replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n.nf\n");
    Ok((page.get_filename(), text))
}
