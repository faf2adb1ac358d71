//! One connection to the shared store: TCP or TLS, sign-in, and the messages that wake limiters.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, PushInfo, PushKind, RedisConnectionInfo, RedisError};
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;

use crate::config::SharedLimits;
use crate::outbound::{ConnectError as TcpError, Dialer, set_options};
use crate::secret::SecretError;

/// Why there is no connection to the shared store.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Its address can't be reached.
    #[error("no connection: {0}")]
    Tcp(TcpError),
    /// TLS fails.
    #[error("TLS fails: {0}")]
    Tls(std::io::Error),
    /// The host is no name that a certificate can be for.
    #[error("TLS fails: {0}")]
    Name(#[from] InvalidDnsNameError),
    /// The password can't be read.
    #[error(transparent)]
    Password(#[from] SecretError),
    /// The server rejects the sign-in, or is no Redis or Valkey of version 6 or later.
    #[error("{0}")]
    SignIn(#[from] RedisError),
}

/// Opens a connection and signs in. The password is read anew. `tls`: for `rediss://` addresses.
///
/// `on_message` gets the payload of each message to `channel`; it must not block.
pub async fn connect(
    settings: &SharedLimits,
    tls: &Arc<rustls::ClientConfig>,
    channel: Option<&str>,
    on_message: impl Fn(&str) + Send + Sync + 'static,
) -> Result<MultiplexedConnection, ConnectError> {
    let url = &settings.url;
    let tcp = Dialer::default().connect(url.host(), url.port()).await.map_err(ConnectError::Tcp)?;
    set_options(&tcp).map_err(|error| ConnectError::Tcp(error.into()))?;
    let stream = if url.is_tls() {
        let name = ServerName::try_from(url.host().to_owned())?;
        Either::Left(TlsConnector::from(tls.clone()).connect(name, tcp).await.map_err(ConnectError::Tls)?)
    } else {
        Either::Right(tcp)
    };

    let mut sign_in = RedisConnectionInfo::default()
        .set_db(url.database().into())
        .set_protocol(redis::ProtocolVersion::RESP3)
        .set_skip_set_lib_name();
    if let Some(user) = &settings.user {
        sign_in = sign_in.set_username(user);
    }
    if let Some(password) = &settings.password {
        sign_in = sign_in.set_password(password.read("password").await?.expose());
    }
    let config = AsyncConnectionConfig::new().set_response_timeout(None).set_push_sender(move |push: PushInfo| {
        if push.kind == PushKind::Message
            && let Some(redis::Value::BulkString(payload)) = push.data.get(1)
            && let Ok(payload) = str::from_utf8(payload)
        {
            on_message(payload);
        }
        Ok::<(), redis::aio::SendError>(())
    });
    let (mut connection, driver) = MultiplexedConnection::new_with_config(&sign_in, stream, config).await?;
    tokio::spawn(driver);
    if let Some(channel) = channel {
        connection.subscribe(channel).await?;
    }
    Ok(connection)
}
