//! Browser peers behind one UDP port and ICE-TCP
