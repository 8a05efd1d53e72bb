//! Settings that change while the service runs: whoever goes by them looks each time, and sees the whole of the old or of the new ones.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// Settings in force. Clones are the same settings.
#[derive(Debug)]
pub struct Live<T>(Arc<ArcSwap<T>>);

impl<T> Live<T> {
    /// Those in force now.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Puts others in force for whatever comes next.
    pub fn set(&self, other: T) {
        self.0.store(Arc::new(other));
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> From<T> for Live<T> {
    fn from(settings: T) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(settings)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_clone_goes_by_what_was_set() {
        let of_one = Live::from(1);
        let of_another = of_one.clone();
        let before = of_another.get();
        of_one.set(2);
        assert_eq!((*before, *of_another.get()), (1, 2));
    }
}
