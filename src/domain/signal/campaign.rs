//! # Part of a campaign (`campaign`)
//!
//! - **Looks at:** whether the comment shares text, a headline or a link target with a recognised campaign
//!   (`[campaigns]`, [campaigns](campaigns.md)): how large that is, how much of it was rejected, and what people decided about it.
//! - **Why:** what people have decided about a hundred comments need not be decided again about the next one, and what
//!   many authors paste under many articles is rarely their own.
//! - **Wrong when:** a genuine slogan or source makes the rounds: close the campaign, or approve it as a whole, and later
//!   members are excused. What people approved singly takes away from the weight.
//! - **Settings:** `[signals.campaign]`, `mode` (`live`, `shadow` or `off`; default `live`), `open_weight` (log-odds
//!   added to `spam` for belonging to one that nobody has decided about, default 0.6: `duplicate-text`, `repeated-link` and
//!   `unrelated-headline` have weighed what it shares already), `size_weight` (log-odds for each doubling of its members beyond
//!   four, default 0.15), `rejected_weight` (log-odds for the share of its members that stands rejected, default 1.2),
//!   `max_weight` (most that it adds while nobody has decided, default 2.0), `decided_weight` (log-odds when people
//!   rejected it, default 4.0; such comments are held in any case), `approved_weight` (log-odds when people approved it,
//!   zero or below, default -1.0).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::campaign::CampaignPast;
use crate::domain::category::Category;
use crate::domain::decision::Action;
use crate::domain::known::Known;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "campaign";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.campaign]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added for belonging to one that nobody has decided about.
    pub open_weight: LogOdds,
    /// Log-odds added for each doubling of its members beyond four.
    pub size_weight: LogOdds,
    /// Log-odds added for the share of its members that stands rejected.
    pub rejected_weight: LogOdds,
    /// Most that it adds while nobody has decided.
    pub max_weight: LogOdds,
    /// Log-odds added when people rejected it.
    pub decided_weight: LogOdds,
    /// Log-odds added when people approved it; zero or below.
    pub approved_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            open_weight: LogOdds::of(0.6),
            size_weight: LogOdds::of(0.15),
            rejected_weight: LogOdds::of(1.2),
            max_weight: LogOdds::of(2.0),
            decided_weight: LogOdds::of(4.0),
            approved_weight: LogOdds::of(-1.0),
        }
    }
}

struct Check(Config);

/// Makes the check.
///
/// # Errors
/// [`BadSetting`]: an `approved_weight` above zero.
pub fn new(config: &Config, _resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
    if config.approved_weight > LogOdds::ZERO {
        let problem = "must not be above zero".to_owned();
        return Err(BadSetting { section: "campaign", key: "approved_weight".to_owned(), problem });
    }
    Ok(Check(config.clone()))
}

impl Signal for Check {
    fn id(&self) -> &'static str {
        ID
    }

    fn category(&self) -> Category {
        CATEGORY
    }

    fn evaluate(&self, ctx: &Context<'_>) -> Outcome {
        let past = match &ctx.past.campaign {
            Known::Known(Some(past)) => past,
            Known::Known(None) => return Outcome::Clear,
            Known::NotApplicable => return Outcome::NotApplicable,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        let (weight, what) = match past.action {
            Some(Action::Approve) => (self.0.approved_weight, ", which people approved"),
            Some(Action::Reject) => (self.0.decided_weight, ", which people rejected"),
            Some(Action::Hold) | None => (self.open(past), ""),
        };
        let evidence = format!("Part of the campaign {}{what}: {}.", past.campaign, past.sentence());
        Outcome::Hit { weight, evidence, spans: Vec::new() }
    }
}

impl Check {
    fn open(&self, past: &CampaignPast) -> LogOdds {
        let config = &self.0;
        let all = f64::from(past.comments.max(1));
        let doublings = (all / 4.0).log2().max(0.0);
        let rejected = f64::from(past.rejected) / all;
        let approved = (f64::from(past.approved_by_person) / all).min(1.0);
        let weight = config.open_weight.get()
            + doublings * config.size_weight.get()
            + rejected.min(1.0) * config.rejected_weight.get();
        LogOdds::of(weight.min(config.max_weight.get()) * (1.0 - approved))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::campaign::{CampaignState, Kind};
    use crate::domain::signal::testing::{Case, weight};
    use crate::domain::time::Timestamp;

    fn past(comments: u32) -> CampaignPast {
        CampaignPast {
            campaign: Uuid::nil(),
            kinds: vec![Kind::Text],
            state: CampaignState::Open,
            action: None,
            rule_until: None,
            comments,
            authors: comments,
            articles: comments,
            sites: 1,
            rejected: 0,
            approved_by_person: 0,
            first_at: Timestamp::EPOCH,
            last_at: Timestamp::EPOCH,
        }
    }

    #[test]
    fn membership_weighs_by_size_and_by_what_became_of_the_others() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let of = |campaign: Option<CampaignPast>| {
            let case = Case::new("whatever it says").past(|past| past.campaign = Known::Known(campaign.map(Box::new)));
            weight(&check, &case)
        };
        let decided = |action| CampaignPast { state: CampaignState::Decided, action: Some(action), ..past(9) };
        let cases: &[(&str, Option<CampaignPast>, f64)] = &[
            ("no campaign", None, 0.0),
            ("a small one", Some(past(2)), 0.6),
            ("a large one", Some(past(32)), 1.05),
            ("rejected as it came", Some(CampaignPast { rejected: 4, ..past(4) }), 1.8),
            ("huge and rejected", Some(CampaignPast { rejected: 4_096, ..past(4_096) }), 2.0),
            ("people let it pass", Some(CampaignPast { approved_by_person: 4, ..past(4) }), 0.0),
            ("people rejected it", Some(decided(Action::Reject)), 4.0),
            ("people approved it", Some(decided(Action::Approve)), -1.0),
        ];
        for (name, campaign, expected) in cases {
            assert!((of(campaign.clone()) - expected).abs() < 1e-9, "{name}: {}", of(campaign.clone()));
        }
    }

    #[test]
    fn evidence_says_which_and_how_large() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let of = |campaign| Case::new("x").past(|past| past.campaign = campaign).outcome(&check);
        let told = of(Known::Known(Some(Box::new(CampaignPast { rejected: 2, sites: 3, ..past(7) }))));
        let expected = "7 other comments by 7 authors under 7 articles on 3 sites, 2 of them rejected";
        assert!(matches!(&told, Outcome::Hit { evidence, .. } if evidence.contains(expected)), "{told:?}");
        let why = "away".to_owned();
        assert_eq!(of(Known::Unavailable(why.clone())), Outcome::Unavailable { why });
    }

    #[test]
    fn approving_never_weighs_against_a_comment() {
        let config = Config { approved_weight: LogOdds::of(0.1), ..Config::default() };
        assert_eq!(
            new(&config, &Resources::default()).err().map(|error| error.key),
            Some("approved_weight".to_owned())
        );
    }
}
