//! bcproxy as its users see it: real sockets on one side, the simulator over real TLS on the other. One file per behaviour.

mod process;
mod rig;
mod wire;

mod forwarding;
mod redirects;
mod shutdown;
mod wire_bodies;
mod wire_cut;
mod wire_expect;
mod wire_half_close;
mod wire_http10;
