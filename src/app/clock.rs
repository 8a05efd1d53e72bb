//! The clock, as a port: read once at the door, handed on as an argument from there.

use crate::domain::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Now, for one who looked at it a while ago, when it said `named`. One that stands still, because everything brings its own moment, answers that.
    fn by_now(&self, named: Timestamp) -> Timestamp {
        let _ = named;
        self.now()
    }
}
