//! What is damaged in the database keeps nothing else from being used: it is left out, counted, and said once.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use crate::domain::store::{Result, StoreError};

/// Damaged things that are remembered as said; beyond that, none is said any more.
const SAID_MAX: usize = 1_000;

static SAID: Mutex<BTreeSet<(&'static str, String)>> = Mutex::new(BTreeSet::new());

/// What was read; `None` when it is damaged. `place` is what goes on without it, and `name` names it there, without its words.
///
/// # Errors
/// Anything but damage.
pub(super) fn left_out<T>(place: &'static str, name: &dyn Display, read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error @ StoreError::Corrupt(_)) => {
            metrics::counter!("doorward_unreadable_total", "from" => place).increment(1);
            let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() < SAID_MAX && said.insert((place, name.to_string())) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    from = place,
                    name = %name,
                    "what is stored is damaged: it is left out, and the rest goes on"
                );
            }
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Of a comment that waits for the version that wrote a decision about it and others.
pub(super) fn later_ruling() -> StoreError {
    StoreError::Corrupt("a later version wrote a decision about it and others, and will delete it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_left_out_and_nothing_else_is() {
        let corrupt = || StoreError::Corrupt("it ends too early".to_owned());
        assert!(matches!(left_out("here", &1, Ok(7)), Ok(Some(7))));
        assert!(matches!(left_out::<u32>("here", &1, Err(corrupt())), Ok(None)));
        assert!(matches!(
            left_out::<u32>("here", &1, Err(StoreError::Unavailable("away".into()))),
            Err(StoreError::Unavailable(_))
        ));
    }
}
