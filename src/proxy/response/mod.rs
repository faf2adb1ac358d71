//! What happens to a response before the client gets it, and the responses bcproxy gives itself.

pub mod body;
pub mod body_plan;
pub mod diagnosis;
pub mod link_rewriter;
pub mod links;
pub mod local;
pub mod relay;
pub mod respond;
pub mod transformed_body;
