//! Digest authentication: the client, and what a server needs to check it (RFC 7616, RFC 8760,
//! RFC 3261 section 22).

mod challenge;
mod digest;
mod fuzz;
mod session;
mod verify;

pub use challenge::{Challenge, challenges};
pub use digest::{Algorithm, Answer, Quality, response_for};
pub use fuzz::fuzz;
pub use session::{AuthError, AuthSession, Credentials};
pub use verify::{Verified, verify};
