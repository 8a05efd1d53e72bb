//! Finds the parts of a body that read like headlines of stories.
