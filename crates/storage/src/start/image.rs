//! The image of the index that a warm start reads.
