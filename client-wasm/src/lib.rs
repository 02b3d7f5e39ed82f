//! The page's end of a link: what a call page says to the server and what it makes of the answers.
//!
//! [`link`] is a machine without a socket, a clock or a source of randomness: time and chance are
//! arguments, what must happen outside leaves as an [`link::Action`]. So it runs the same in a
//! browser and in a native test. [`surface`] is the thin layer that JavaScript calls; the
//! WebSocket, the timer and all media stay in JavaScript.

pub mod link;
pub mod surface;
