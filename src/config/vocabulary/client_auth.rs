//! The keys that say who may come in, and as whom.

use ipnet::IpNet;

use super::headers::ChangeableHeader;
use super::scalars::Text;
use crate::config::model::AuthScheme;
use crate::config::shape::{At, OneOrMore, mapping};
use crate::entra::ClientId;

mapping! {
    /// How clients prove who they are.
    ClientAuthKeys: "client_auth section", short for schemes: OneOrMore<AuthScheme> {
        /// `none`, or one or more of the others. A client needs to succeed with one of them.
        /// `basic`: user name and password, on every request.
        /// `ntlm`: the handshake of Windows programs (NTLMv2), for users added with `bcproxy user add --ntlm`.
        /// `api_key`: a key in a header. `mtls`: a certificate of an authority in `client_ca` of the listener.
        schemes: OneOrMore<AuthScheme> = Required,
        /// The users, holders of API keys and certificate names that may come in. Default: all of them.
        names: Vec<At<Text>> = Optional,
        /// The header that holds the API key.
        api_key_header: ChangeableHeader = Default("X-API-Key"),
    }
}

mapping! {
    /// A client that bcproxy knows by name: how it is recognized, and what applies to it.
    ClientKeys: "client", one of [user, certificate, address] {
        /// A user of the file `users`, or the holder of an API key there.
        user: Text = Optional,
        /// A name in the client's certificate: one of its DNS names, or its common name.
        certificate: Text = Optional,
        /// The networks that the client connects from. Anybody there counts as this client.
        address: Vec<At<IpNet>> = Optional,
        /// What the client's `User-Agent` begins with, in addition to `address`.
        user_agent: Text = Optional,
        /// The application that sends this client's requests: one of the connector's `applications`.
        /// Business Central's change log and telemetry then show it, and it has limits of its own.
        /// The requests of other clients never use this application.
        client_id: ClientId = Optional,
        /// `true` lets the client only read, as `read_only` of a route does.
        read_only: bool = Default("false"),
    }
}
