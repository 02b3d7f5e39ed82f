//! Where the layers meet: each machine's own words become the call's, and the call's become each
//! machine's. Nothing is decided here.

pub mod browser;
pub mod flash;
pub mod flash_time;
pub mod flash_up;
pub mod trunk;
