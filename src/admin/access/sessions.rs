//! The sessions of people who have signed in with a browser. They end with the process.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The sessions, by a keyed hash of their IDs, with their ends.
#[derive(Debug, Default)]
pub struct Sessions(HashMap<Tag, Instant>);

/// A keyed hash.
pub type Tag = [u8; 32];

/// The ID of a session, which proves that its holder has signed in.
#[derive(Debug)]
pub struct SessionId(Secret);

impl SessionId {
    /// A random one. Fails if the system has no randomness.
    pub fn new() -> Result<Self, Unspecified> {
        let mut bytes = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut *bytes)?;
        Ok(Self(Secret::new(BASE64_URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// Its value. Use it only for the cookie.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl Sessions {
    /// Adds a session. The one that would end first makes room, where there are as many as possible.
    pub fn add(&mut self, tag: Tag) {
        let now = Instant::now();
        self.0.retain(|_, ends| *ends > now);
        if self.0.len() >= MAX_SESSIONS
            && let Some(first) = self.0.iter().min_by_key(|(_, ends)| **ends).map(|(tag, _)| *tag)
        {
            self.0.remove(&first);
        }
        self.0.insert(tag, now + MAX_SESSION_AGE);
    }

    /// Whether there is such a session. The tag is as secret as its key: how long a look-up takes says nothing.
    pub fn has(&self, tag: &Tag) -> bool {
        self.0.get(tag).is_some_and(|ends| *ends > Instant::now())
    }

    /// Ends a session.
    pub fn remove(&mut self, tag: &Tag) {
        self.0.remove(tag);
    }

    /// Ends all sessions.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// A working day and its overtime.
pub const MAX_SESSION_AGE: Duration = Duration::from_secs(12 * 60 * 60);

const MAX_SESSIONS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(number: u8) -> Tag {
        [number; 32]
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_ends_after_twelve_hours_or_when_many_newer_ones_need_its_place() {
        let mut sessions = Sessions::default();
        sessions.add(tag(1));
        tokio::time::advance(Duration::from_secs(60)).await;
        sessions.add(tag(2));
        assert!(sessions.has(&tag(1)) && sessions.has(&tag(2)) && !sessions.has(&tag(3)));
        tokio::time::advance(MAX_SESSION_AGE - Duration::from_secs(60)).await;
        assert!(!sessions.has(&tag(1)) && sessions.has(&tag(2)));
        for number in 100..100 + u8::try_from(MAX_SESSIONS).unwrap() {
            tokio::time::advance(Duration::from_millis(1)).await;
            sessions.add(tag(number));
        }
        assert!(!sessions.has(&tag(2)) && sessions.has(&tag(100)));
        assert_eq!(sessions.0.len(), MAX_SESSIONS);
    }

    #[test]
    fn no_two_session_ids_are_the_same_and_none_is_printed() {
        let [one, other] = [(); 2].map(|()| SessionId::new().unwrap());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), 43);
        assert_eq!(format!("{one:?}"), "SessionId(Secret(…))");
    }
}
