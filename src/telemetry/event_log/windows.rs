//! The Event Log of Windows: <https://learn.microsoft.com/en-us/windows/win32/eventlog/event-logging>.

use std::io;

use winsafe::guard::DeregisterEventSourceGuard;
use winsafe::{HEVENTLOG, HKEY, RegistryValue, co};

use super::queue::{EventLog, Sink};
use super::text::for_event_log;
use crate::guide::{Event, Severity};

/// Why the Event Log can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Windows gives no handle for this source.
    #[error("the Event Log cannot be opened for the source {name} ({reason}).")]
    Source {
        /// The name of the source.
        name: String,
        /// What Windows says.
        reason: io::Error,
    },
    /// The system can't start another thread.
    #[error("the system starts no thread ({0}).")]
    Thread(#[from] io::Error),
}

/// Why the registry key of a source can't be changed.
#[derive(Debug, thiserror::Error)]
#[error(r"the registry key HKLM\{key} cannot be changed: {reason}. Run the command as an administrator.")]
pub struct RegistryError {
    key: String,
    reason: io::Error,
}

impl EventLog {
    /// Opens the Application log for a source, such as the service's name. An unregistered source works as well: the
    /// Event Viewer then shows its texts below a remark that the source is unknown.
    pub fn open(source: &str) -> Result<Self, OpenError> {
        let handle = HEVENTLOG::RegisterEventSource(None, source);
        let handle =
            handle.map_err(|reason| OpenError::Source { name: source.to_owned(), reason: io_error(reason) })?;
        Ok(Self::start(Handle(handle))?)
    }
}

struct Handle(DeregisterEventSourceGuard);

impl Sink for Handle {
    fn write(&mut self, event: Event, text: &str) -> io::Result<()> {
        let kind = match event.severity() {
            Severity::Information => co::EVENTLOG::INFORMATION_TYPE,
            Severity::Warning => co::EVENTLOG::WARNING_TYPE,
            Severity::Error => co::EVENTLOG::ERROR_TYPE,
        };
        let strings = [for_event_log(text)];
        self.0.ReportEvent(kind, NO_CATEGORY, event.id().into(), None, &strings, &[]).map_err(io_error)
    }
}

/// Registers a source in the registry, so that the Event Viewer shows the texts of its events without a remark.
/// Needs an administrator. Registering it again changes nothing.
pub fn register(source: &str) -> Result<(), RegistryError> {
    let key = key(source);
    let written = HKEY::LOCAL_MACHINE
        .RegCreateKeyEx(&key, None, co::REG_OPTION::NON_VOLATILE, co::KEY::SET_VALUE, None)
        .and_then(|(opened, _)| {
            opened.RegSetValueEx(Some("EventMessageFile"), RegistryValue::ExpandSz(MESSAGE_FILE.to_owned()))?;
            opened.RegSetValueEx(Some("TypesSupported"), RegistryValue::Dword(TYPES_SUPPORTED))
        });
    written.map_err(|reason| RegistryError { key, reason: io_error(reason) })
}

/// Removes a source from the registry. Needs an administrator. A source that is not registered is no error.
pub fn deregister(source: &str) -> Result<(), RegistryError> {
    let key = key(source);
    match HKEY::LOCAL_MACHINE.RegDeleteKey(&key) {
        Err(reason) if reason != co::ERROR::FILE_NOT_FOUND => Err(RegistryError { key, reason: io_error(reason) }),
        _ => Ok(()),
    }
}

fn key(source: &str) -> String {
    format!(r"SYSTEM\CurrentControlSet\Services\EventLog\Application\{source}")
}

fn io_error(error: co::ERROR) -> io::Error {
    io::Error::from_raw_os_error(error.raw().cast_signed())
}

/// A program of every Windows. The text of its messages 1 to 1000 is the first string of the event.
const MESSAGE_FILE: &str = r"%SystemRoot%\System32\EventCreate.exe";

/// Errors, warnings and information.
const TYPES_SUPPORTED: u32 = 7;

const NO_CATEGORY: u16 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    fn value(source: &str, name: &str) -> Result<RegistryValue, co::ERROR> {
        let opened =
            HKEY::LOCAL_MACHINE.RegOpenKeyEx(Some(&key(source)), co::REG_OPTION::NON_VOLATILE, co::KEY::READ)?;
        opened.RegQueryValueEx(Some(name))
    }

    #[test]
    #[ignore = "needs an administrator"]
    fn a_source_is_registered_with_its_messages_and_deregistered() {
        let source = "bcproxy-test-registration";
        for _ in 0..2 {
            register(source).unwrap();
            let Ok(RegistryValue::ExpandSz(file)) = value(source, "EventMessageFile") else { panic!() };
            assert_eq!(file, MESSAGE_FILE);
            let Ok(RegistryValue::Dword(types)) = value(source, "TypesSupported") else { panic!() };
            assert_eq!(types, TYPES_SUPPORTED);
        }
        for _ in 0..2 {
            deregister(source).unwrap();
            assert_eq!(value(source, "TypesSupported").unwrap_err(), co::ERROR::FILE_NOT_FOUND);
        }
    }

    #[test]
    fn events_of_each_severity_are_taken_up_to_the_longest_text() {
        let handle = HEVENTLOG::RegisterEventSource(None, "bcproxy-test").unwrap();
        let mut sink = Handle(handle);
        for event in [Event::Started, Event::ConnectorNotReady, Event::StartFailed] {
            sink.write(event, "a test of bcproxy: 50 %20").unwrap();
        }
        let long = crate::telemetry::event_log::text::bounded(Event::StartFailed, &"long\n".repeat(10_000), true);
        sink.write(Event::StartFailed, &long).unwrap();
    }
}
