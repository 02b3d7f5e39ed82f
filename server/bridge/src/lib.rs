//! Two ports, relay or transcode, jitter buffer, statistics
