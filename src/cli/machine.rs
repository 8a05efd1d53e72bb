//! What the machine has to say about itself.

pub(super) use crate::startup::scratch::free_bytes;
