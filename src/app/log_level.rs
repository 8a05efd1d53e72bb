//! From which level on this process logs: what the settings say, and for a while what an operator asked for who looks for a fault.
//!
//! The settings file changes the level for good, on every node that follows it. What is asked for here is of one process, and ends by itself: nobody
//! has to remember to take it back.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::clock::Clock;
use crate::domain::time::Timestamp;

/// Between two looks at whether the time is over.
const LOOK: Duration = Duration::from_secs(1);

/// Tells the log; or says why it cannot be done.
pub type Tell = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What was asked for is no level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadLevel(pub String);

/// See the module.
pub struct LogLevel {
    tell: Tell,
    levels: Mutex<Levels>,
    changed: Notify,
}

/// The levels of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// What the settings say.
    pub settings: String,
    /// What was asked for instead, and until when.
    pub instead: Option<(String, Timestamp)>,
}

impl Levels {
    /// The one that is in force.
    #[must_use]
    pub fn in_force(&self) -> &str {
        self.instead.as_ref().map_or(&self.settings, |(level, _)| level)
    }
}

impl LogLevel {
    /// With what the settings say, which is in force.
    #[must_use]
    pub fn new(settings: String, tell: Tell) -> Self {
        Self { tell, levels: Mutex::new(Levels { settings, instead: None }), changed: Notify::new() }
    }

    /// Those of now.
    #[must_use]
    pub fn levels(&self) -> Levels {
        self.lock().clone()
    }

    /// The settings say another one, or were read again: that is in force, whatever was asked for.
    ///
    /// # Errors
    /// [`BadLevel`]: nothing changed.
    pub fn settle(&self, level: &str) -> Result<(), BadLevel> {
        let mut levels = self.lock();
        if levels.settings == level {
            return Ok(());
        }
        (self.tell)(level).map_err(BadLevel)?;
        *levels = Levels { settings: level.to_owned(), instead: None };
        Ok(())
    }

    /// Logs from that level on until then.
    ///
    /// # Errors
    /// [`BadLevel`]: nothing changed.
    pub fn set_until(&self, level: &str, until: Timestamp) -> Result<(), BadLevel> {
        let mut levels = self.lock();
        (self.tell)(level).map_err(BadLevel)?;
        levels.instead = Some((level.to_owned(), until));
        self.changed.notify_one();
        Ok(())
    }

    /// Goes back to what the settings say.
    pub fn end(&self) {
        let mut levels = self.lock();
        if levels.instead.is_some() && (self.tell)(&levels.settings).is_ok() {
            levels.instead = None; // what was in force before is a level: it cannot fail
        }
    }

    /// Ends what was asked for when its time is over; for as long as it is awaited.
    pub async fn keep(&self, clock: &dyn Clock) -> Infallible {
        self.keep_looking(clock, LOOK).await
    }

    async fn keep_looking(&self, clock: &dyn Clock, look: Duration) -> Infallible {
        loop {
            let until = self.lock().instead.as_ref().map(|(_, until)| *until);
            match until {
                None => self.changed.notified().await,
                Some(until) if until <= clock.now() => {
                    self.end();
                    tracing::info!("the log is back at the level of the settings");
                }
                Some(_) => tokio::time::sleep(look).await,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn level() -> (Arc<Mutex<Vec<String>>>, LogLevel) {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let its = Arc::clone(&told);
        let tell = move |level: &str| {
            if level == "loud" {
                return Err("`loud` is none".to_owned());
            }
            its.lock().unwrap().push(level.to_owned());
            Ok(())
        };
        (told, LogLevel::new("info".to_owned(), Box::new(tell)))
    }

    #[test]
    fn what_was_asked_for_ends_and_the_settings_outrank_it() {
        let (told, log) = level();
        let until = Timestamp::from_millis(5_000);
        log.set_until("debug", until).unwrap();
        assert_eq!((log.levels().in_force(), log.levels().instead), ("debug", Some(("debug".to_owned(), until))));
        assert_eq!(log.set_until("loud", until), Err(BadLevel("`loud` is none".to_owned())));
        assert_eq!(log.levels().in_force(), "debug", "nothing changed");
        log.settle("info").unwrap();
        assert_eq!(log.levels().in_force(), "debug", "the file changed, and not this");
        log.settle("warn").unwrap();
        assert_eq!((log.levels().in_force(), log.levels().instead), ("warn", None));
        log.set_until("trace", until).unwrap();
        log.end();
        log.end();
        assert_eq!(*told.lock().unwrap(), ["debug", "warn", "trace", "warn"]);
    }

    #[tokio::test]
    async fn it_ends_by_itself_when_its_time_is_over() {
        struct Ticking(std::sync::atomic::AtomicI64);
        impl Clock for Ticking {
            fn now(&self) -> Timestamp {
                Timestamp::from_millis(self.0.fetch_add(1_000, std::sync::atomic::Ordering::Relaxed))
            }
        }
        let (_, log) = level();
        log.set_until("debug", Timestamp::from_millis(3_000)).unwrap();
        let over = async {
            while log.levels().instead.is_some() {
                tokio::time::sleep(Duration::from_millis(1)).await; // between two looks at the condition
            }
        };
        let clock = Ticking(0.into());
        tokio::select! {
            () = over => {}
            never = log.keep_looking(&clock, Duration::from_millis(1)) => match never {},
        }
        assert_eq!(log.levels().in_force(), "info");
    }
}
