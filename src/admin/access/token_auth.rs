//! The token in service, and the sessions that began with it.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::error::Unspecified;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::time::Instant;

use super::sessions::{SessionId, Sessions, Tag};
use crate::config::MIN_ADMIN_TOKEN_BYTES;
use crate::secret::{Secret, SecretError, SecretSource};

/// Checks tokens and sessions. It keeps neither, only keyed hashes of them.
pub struct TokenAuth {
    /// Exists nowhere else.
    key: hmac::Key,
    state: Mutex<State>,
    /// Held while the token is read again.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// `None`: no token is configured, so none is right.
    token: Option<Known>,
    sessions: Sessions,
}

struct Known {
    source: SecretSource,
    tag: Tag,
    read_at: Instant,
}

/// A token that was read and may be put into service.
pub struct CurrentToken {
    source: SecretSource,
    value: Secret,
}

/// Why the token can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AdminTokenError {
    /// It can't be read.
    #[error("admin: {0}")]
    Unreadable(#[from] SecretError),
    /// It can be guessed.
    #[error(
        "admin: the token in the {0} has fewer than {MIN_ADMIN_TOKEN_BYTES} characters; store a longer one, such as the \
         output of `openssl rand -hex 32`"
    )]
    TooShort(SecretSource),
}

impl CurrentToken {
    /// Reads the token.
    pub async fn read(source: &SecretSource) -> Result<Self, AdminTokenError> {
        let value = source.read("admin token").await?;
        if value.expose().len() < MIN_ADMIN_TOKEN_BYTES {
            return Err(AdminTokenError::TooShort(source.clone()));
        }
        Ok(Self { source: source.clone(), value })
    }
}

impl TokenAuth {
    /// Accepts no token yet. Fails if the system has no randomness.
    pub fn new() -> Result<Self, Unspecified> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())?;
        Ok(Self { key, state: Mutex::default(), reading: tokio::sync::Mutex::default() })
    }

    /// Puts a token into service. If it is another one than before, all sessions end.
    pub fn replace(&self, token: Option<CurrentToken>) {
        let known = token.map(|CurrentToken { source, value }| Known {
            tag: self.tag(value.expose()),
            source,
            read_at: Instant::now(),
        });
        let mut state = self.lock();
        let tag = |known: &Option<Known>| known.as_ref().map(|known| known.tag);
        if tag(&state.token) != tag(&known) {
            state.sessions.clear();
        }
        state.token = known;
    }

    /// Whether a token is configured.
    pub fn is_configured(&self) -> bool {
        self.lock().token.is_some()
    }

    /// Whether this is the token.
    pub async fn is_token(&self, presented: &str) -> bool {
        self.refresh().await;
        let known = self.lock().token.as_ref().map(|known| known.tag);
        // The comparison of `ring` takes as long for a wrong tag as for the right one.
        known.is_some_and(|tag| hmac::verify(&self.key, presented.as_bytes(), &tag).is_ok())
    }

    /// Begins a session for somebody who has presented the token.
    pub fn begin_session(&self) -> Result<SessionId, Unspecified> {
        let id = SessionId::new()?;
        let tag = self.tag(id.expose());
        self.lock().sessions.add(tag);
        Ok(id)
    }

    /// Whether this is the ID of a session.
    pub async fn is_session(&self, presented: &str) -> bool {
        self.refresh().await;
        let tag = self.tag(presented);
        self.lock().sessions.has(&tag)
    }

    /// Ends a session.
    pub fn end_session(&self, presented: &str) {
        let tag = self.tag(presented);
        self.lock().sessions.remove(&tag);
    }

    /// Reads the token again if that is some time ago, once for all who wait for it. One that can't be read stays in
    /// service.
    async fn refresh(&self) {
        if self.due().is_none() {
            return;
        }
        let _reading = self.reading.lock().await;
        let Some(source) = self.due() else { return };
        match CurrentToken::read(&source).await {
            Ok(token) if self.is_from(&source) => self.replace(Some(token)),
            // A reload has put another one into service meanwhile.
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("{error}. The token that was read before stays in service");
                if let Some(known) = &mut self.lock().token {
                    known.read_at = Instant::now();
                }
            }
        }
    }

    /// The source that has to be read again.
    fn due(&self) -> Option<SecretSource> {
        let state = self.lock();
        let known = state.token.as_ref()?;
        (known.read_at.elapsed() >= REFRESH_INTERVAL).then(|| known.source.clone())
    }

    fn is_from(&self, source: &SecretSource) -> bool {
        self.lock().token.as_ref().is_some_and(|known| known.source == *source)
    }

    fn tag(&self, value: &str) -> Tag {
        hmac::sign(&self.key, value.as_bytes()).as_ref().try_into().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAuth").finish_non_exhaustive()
    }
}

/// How long a token counts before its file or command is read again.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "first-token-of-the-tests";
    const SECOND: &str = "second-token-of-the-tests";

    async fn read(folder: &tempfile::TempDir, value: &str) -> Result<CurrentToken, AdminTokenError> {
        let file = folder.path().join("token");
        std::fs::write(&file, value).unwrap();
        CurrentToken::read(&SecretSource::File(file)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_token_counts_within_30_s_and_ends_all_sessions() {
        let (auth, folder) = (TokenAuth::new().unwrap(), tempfile::tempdir().unwrap());
        assert!(!auth.is_configured() && !auth.is_token("").await);
        auth.replace(read(&folder, FIRST).await.ok());
        assert!(auth.is_token(FIRST).await && !auth.is_token(SECOND).await && !auth.is_token("").await);
        let [session, ended] = [(); 2].map(|()| auth.begin_session().unwrap());
        auth.end_session(ended.expose());
        assert!(auth.is_session(session.expose()).await && !auth.is_session(ended.expose()).await);
        assert!(!auth.is_session(FIRST).await && !auth.is_token(session.expose()).await);

        // The same token again, as with every reload.
        auth.replace(read(&folder, FIRST).await.ok());
        assert!(auth.is_session(session.expose()).await);

        std::fs::remove_file(folder.path().join("token")).unwrap();
        tokio::time::advance(REFRESH_INTERVAL).await;
        assert!(auth.is_token(FIRST).await, "a token that can't be read stays");
        std::fs::write(folder.path().join("token"), SECOND).unwrap();
        tokio::time::advance(REFRESH_INTERVAL).await;
        assert!(!auth.is_session(session.expose()).await);
        assert!(auth.is_token(SECOND).await && !auth.is_token(FIRST).await);

        let session = auth.begin_session().unwrap();
        auth.replace(None);
        assert!(!auth.is_session(session.expose()).await && !auth.is_token(SECOND).await);
    }

    #[tokio::test]
    async fn a_token_that_can_be_guessed_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(&folder, "123456789012345\n").await, Err(AdminTokenError::TooShort(_))));
        assert!(matches!(read(&folder, "").await, Err(AdminTokenError::Unreadable(_))));
        assert!(read(&folder, "1234567890123456\n").await.is_ok());
    }
}
