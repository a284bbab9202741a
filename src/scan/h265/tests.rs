//! Access units of hand-made streams of H.265.
