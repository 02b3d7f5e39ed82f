//! Session descriptions: tolerant parsing, offer and answer
