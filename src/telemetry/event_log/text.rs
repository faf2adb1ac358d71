//! The text of an event, within the bounds of the Event Log.

use std::borrow::Cow;

use crate::guide::Event;

/// The text with what to do, cut to what the Event Log takes. `is_last`: it says that no more follow in this hour.
pub fn bounded(event: Event, text: &str, is_last: bool) -> String {
    let mut end = match event.to_do() {
        "nothing" => String::new(),
        to_do => format!("\n\nTo do: {to_do}."),
    };
    if is_last {
        end += "\n\nThere were many events with this id. For the rest of this hour, see the log of bcproxy.";
    }
    let mut bounded = String::with_capacity(text.len() + end.len());
    let mut left = MAX_UNITS.saturating_sub(end.encode_utf16().count() + 1);
    for character in text.trim_end().chars().map(printable) {
        let Some(rest) = left.checked_sub(units(character)) else {
            bounded.push('…');
            break;
        };
        left = rest;
        bounded.push(character);
    }
    bounded + &end
}

/// The UTF-16 units of a character in the Event Log, where a line ends with two, and a space may follow a percent sign.
fn units(character: char) -> usize {
    character.len_utf16() + usize::from(matches!(character, '\n' | '%'))
}

/// The text as the Event Log takes it.
pub fn for_event_log(text: &str) -> String {
    without_insertions(text).replace('\n', "\r\n")
}

/// The text without what the Event Viewer replaces: a percent sign before a digit, an exclamation mark or another one.
///
/// Its own notation for such signs is not read in the strings of an event, so a space divides them.
fn without_insertions(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        escaped.push(character);
        let is_insertion = |next: &char| next.is_ascii_digit() || matches!(next, '%' | '!');
        if character == '%' && characters.peek().is_some_and(is_insertion) {
            escaped.push(' ');
        }
    }
    Cow::Owned(escaped)
}

fn printable(character: char) -> char {
    if character.is_control() && !matches!(character, '\n' | '\t') { ' ' } else { character }
}

/// The Event Log takes 31,839 UTF-16 units (`ReportEventW`).
const MAX_UNITS: usize = 30_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_and_what_to_do_stays() {
        // Each of these takes two units.
        let text = bounded(Event::StartFailed, &"𝄞".repeat(40_000), true);
        let units = text.encode_utf16().count();
        assert!((MAX_UNITS - 2..=MAX_UNITS).contains(&units), "{units}");
        assert!(text.contains("𝄞…\n\nTo do: fix") && text.ends_with("see the log of bcproxy."), "{text}");
    }

    #[test]
    fn line_ends_and_percent_signs_count_as_the_event_log_has_them() {
        for character in ['\n', '%', 'ü', '𝄞'] {
            let text = for_event_log(&bounded(
                Event::StartFailed,
                &format!("{}.", String::from(character).repeat(40_000)),
                true,
            ));
            let units = text.encode_utf16().count();
            assert!((29_000..31_839).contains(&units), "{character:?}: {units}");
        }
        assert_eq!(for_event_log("one\ntwo"), "one\r\ntwo");
    }

    #[test]
    fn control_characters_other_than_line_breaks_are_removed() {
        assert_eq!(bounded(Event::Stopped, "a\tb\n\u{1b}[31mc\0d\r\n", false), "a\tb\n [31mc d");
    }

    #[test]
    fn nothing_is_left_that_the_event_viewer_replaces() {
        assert_eq!(without_insertions("50 % of %20 and %%1, %!"), "50 % of % 20 and % % 1, % !");
        assert_eq!(without_insertions("nothing"), "nothing");
    }
}
