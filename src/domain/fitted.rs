//! Default weights of signals that were fitted to labelled comments: `models/weights.toml`. None is yet: `classifier::weights` fits
//! them, and `doorward train` does not call it so far.
//!
//! A check's author writes down what a hit should be worth; where the labelled sets say something about it, what they say is the default.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::scores::LogOdds;

static FITTED: LazyLock<BTreeMap<String, BTreeMap<String, LogOdds>>> = LazyLock::new(|| {
    // A file that cannot be read would fail the tests; the authors' weights are a safe answer.
    toml::from_str(include_str!("../../models/weights.toml")).unwrap_or_default()
});

/// The default of `signals.SECTION.KEY`, in log-odds: fitted, or what the check's author thought right.
#[must_use]
pub fn weight(section: &str, key: &str, thought: f64) -> LogOdds {
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
    }
}
