//! Default weights of signals that were fitted to labelled comments: `models/weights.toml`, which `doorward train` writes.
//!
//! A check's author writes down what a hit should be worth; where labelled sets say something about it, what they make of it is the default.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::scores::LogOdds;

static FITTED: LazyLock<BTreeMap<String, BTreeMap<String, LogOdds>>> = LazyLock::new(|| {
    // A file that cannot be read would fail the tests; the authors' weights are a safe answer.
    toml::from_str(include_str!("../../models/weights.toml")).unwrap_or_default()
});

thread_local! {
    static AS_WRITTEN: Cell<bool> = const { Cell::new(false) };
}

/// What `make` makes when every default is what its author wrote: a fit starts from that, so that it does not depend on the fit before it.
pub fn as_written<T>(make: impl FnOnce() -> T) -> T {
    let before = AS_WRITTEN.replace(true);
    let made = make();
    AS_WRITTEN.set(before);
    made
}

/// The default of `signals.SECTION.KEY`, in log-odds: fitted, or what the check's author thought right.
#[must_use]
pub fn weight(section: &str, key: &str, thought: f64) -> LogOdds {
    if AS_WRITTEN.get() {
        return LogOdds::of(thought);
    }
    let fitted = FITTED.get(section).and_then(|section| section.get(key)).copied();
    fitted.unwrap_or_else(|| LogOdds::of(thought))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fitted_weight_is_a_setting_and_its_default() {
        let fitted: toml::Table = toml::from_str(include_str!("../../models/weights.toml")).expect("the file is TOML");
        let settings = toml::Table::try_from(super::super::signal::Config::default()).expect("the settings are TOML");
        for (section, keys) in &fitted {
            for (key, weight) in keys.as_table().expect("a section") {
                assert_eq!(settings[section].get(key), Some(weight), "{section}.{key}");
            }
        }
        assert_eq!(FITTED.len(), fitted.len(), "the file was read whole");
        assert_eq!(weight("no_such_check", "weight", 1.5), LogOdds::of(1.5));
        for (section, keys) in FITTED.iter() {
            for key in keys.keys() {
                assert_eq!(as_written(|| weight(section, key, 9.0)), LogOdds::of(9.0), "{section}.{key}");
            }
        }
    }
}
