//! The page end of a link.
