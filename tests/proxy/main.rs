//! bcproxy as its users see it: real sockets on one side, the simulator over real TLS on the other. One file per behaviour.

mod rig;

mod companies;
mod entra_errors;
mod forwarding;
mod own_answers;
mod token_refresh;
mod token_refused;
mod token_single_flight;
