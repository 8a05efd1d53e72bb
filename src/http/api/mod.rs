//! The interface for websites and moderators, as JSON.

pub mod articles;
pub mod batch;
pub mod comments;
pub mod dto;
pub mod operations;
pub mod review;
