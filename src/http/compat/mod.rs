//! What programs speak that were written for other services, unmodified.

pub mod akismet;
