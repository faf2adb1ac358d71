//! What happens to a response before the client gets it, and the responses bcproxy gives itself.

pub mod body_plan;
pub mod diagnosis;
pub mod links;
pub mod respond;
pub mod transformed_body;
