//! The standard protocols, each in the file of its kind.

mod abuse;
mod campaigns;
mod context;
mod folds;
mod ham;
mod learning;
mod spam;

use super::Protocol;

/// All protocols, in the order of the table in docs/measuring.md.
pub const LIST: &[&dyn Protocol] = &[
    &folds::Youtube,
    &spam::Datacamp,
    &spam::YoutubeUnseen,
    &spam::RedditUnseen,
    &folds::Reddit,
    &ham::Blog,
    &ham::Languages,
    &context::SwappedPairs,
    &context::ForeignHeadlines,
    &campaigns::Campaigns,
    &context::HumanVotes,
    &abuse::Abuse,
    &abuse::Calibration,
    &learning::Learning,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_have_names_of_their_own_and_say_what_they_measure() {
        let names: std::collections::BTreeSet<&str> = LIST.iter().map(|protocol| protocol.name()).collect();
        assert_eq!(names.len(), LIST.len());
        assert!(LIST.iter().all(|protocol| !protocol.title().is_empty()));
        assert!(
            names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
        );
    }
}
