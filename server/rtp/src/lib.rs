//! RTP and RTCP: packets, one stream end each way, telephone events
