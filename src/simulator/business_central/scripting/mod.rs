//! Scripted responses: the bytes, the framing and the timing that a test wants from Business Central.

mod body;
mod matcher;
mod response;
mod script;

pub(super) use self::body::{ScriptedBody, play};
pub use self::matcher::Matcher;
pub use self::response::Framing;
pub(super) use self::response::ScriptedResponse;
pub use self::script::Script;
pub(super) use self::script::Scripts;
