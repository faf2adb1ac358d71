//! A person who answers the questions of `bcproxy setup` on a terminal.

use std::path::Path;
use std::sync::Arc;

use bcproxy::simulator::{Settings, Simulator};
use rexpect::session::PtySession;
use tokio::task::spawn_blocking;

use crate::setup::services;
use crate::terminal::{self, type_unseen};

/// One down in a list.
pub const DOWN: &str = "\u{1b}[B";
/// One up: from the first of a list to the last.
pub const UP: &str = "\u{1b}[A";

pub struct Dialog {
    terminal: PtySession,
    /// What the terminal has shown so far, each byte as a character.
    shown: String,
}

/// Runs setup on a terminal, where `person` answers. Returns everything that the terminal has shown.
pub async fn talk(
    simulator: &Arc<Simulator>,
    folder: &Path,
    options: &'static [&'static str],
    person: impl FnOnce(&mut Dialog, &Simulator) + Send + 'static,
) -> String {
    let (simulator, folder) = (simulator.clone(), folder.to_owned());
    let talk = spawn_blocking(move || {
        let mut dialog = Dialog::start(&folder, &simulator, options);
        person(&mut dialog, &simulator);
        dialog.end()
    });
    talk.await.unwrap()
}

impl Dialog {
    fn start(folder: &Path, simulator: &Simulator, options: &[&str]) -> Self {
        let services = services(simulator.authority(), simulator.base_url());
        let arguments: Vec<&str> = [&["setup"], &services[..], options].concat();
        Self { terminal: terminal::start(&arguments, folder), shown: String::new() }
    }

    /// Waits until the terminal shows a text, which has to be ASCII.
    pub fn see(&mut self, expected: &str) {
        let before = self.terminal.exp_string(expected).unwrap_or_else(|error| panic!("{expected}: {error}"));
        self.shown += &before;
        self.shown += expected;
    }

    /// Waits for a question, and types a line.
    pub fn say(&mut self, question: &str, line: &str) {
        self.see(question);
        self.terminal.send_line(line).unwrap();
    }

    /// Types a secret when it is asked for.
    pub fn say_secret(&mut self, line: &str) {
        self.see("Client secret (its Value; input is hidden):");
        type_unseen(&mut self.terminal, line);
    }

    pub fn press_ctrl_c(&mut self) {
        self.terminal.send_control('c').unwrap();
    }

    /// Names tenant and application.
    pub fn identify(&mut self, settings: &Settings) {
        self.say("Directory (tenant) ID or domain:", &settings.tenant_id.to_string());
        self.say("Application (client) ID:", &settings.client_id.to_string());
    }

    /// Gives the right values up to the environment.
    pub fn sign_in(&mut self, settings: &Settings) {
        self.identify(settings);
        self.say("a certificate (PEM files)", "");
        self.say_secret(&settings.client_secret);
        self.say("Day on which the secret expires", "");
        self.say("Environment [Production]:", "");
    }

    /// Gives the right values up to the choice of a company, of which it takes the first.
    pub fn connect(&mut self, settings: &Settings) {
        self.sign_in(settings);
        self.say("(none: clients name the company in each request)", "");
    }

    /// Waits until setup ends, and returns everything that the terminal has shown.
    fn end(mut self) -> String {
        self.shown += &self.terminal.exp_eof().unwrap();
        let bytes = self.shown.chars().map(|byte| u8::try_from(byte).unwrap());
        String::from_utf8(bytes.collect()).unwrap()
    }
}
