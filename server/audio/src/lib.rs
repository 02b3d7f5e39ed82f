//! Codecs, resampling, concealment, tones, levels
