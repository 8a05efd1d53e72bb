//! # Asking for followers (`begging`)
//!
//! - **Looks at:** requests to follow the author somewhere (`my channel`, `subscribe to me`, `check out my`),
//!   and requests for votes on the comment (`thumbs up if`), in a dozen languages. Quotations of the comment
//!   that is answered do not count, and nothing does when all links lead to the page's own domain.
//! - **Why:** it is the commonest spam under videos and music, and is written by people: no other check sees
//!   it.
//! - **Wrong when:** somebody talks about a channel, is asked for one, or invites to an event of the
//!   neighbourhood. On sites whose comments are for that, set `mode` to `off`.
//! - **Settings:** `[signals.begging]`, `mode` (`live`, `shadow` or `off`; default `live`), `weight` (log-odds
//!   added to `spam` for one such request, default {weight}), `several_weight` (log-odds for two and more different
//!   ones, default {several_weight}), `votes_weight` (log-odds for a request for votes alone, default {votes_weight}).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::category::Category;
use crate::domain::fitted::weight;
use crate::domain::phrases::Kind;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "begging";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.begging]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to `spam` for one such request.
    pub weight: LogOdds,
    /// Log-odds for two and more different ones.
    pub several_weight: LogOdds,
    /// Log-odds for a request for votes alone.
    pub votes_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            weight: weight("begging", "weight", 1.4),
            several_weight: weight("begging", "several_weight", 2.5),
            votes_weight: weight("begging", "votes_weight", 1.0),
        }
    }
}

struct Check(Config);

/// Makes the check.
///
/// # Errors
/// Never: any settings that serde reads will do.
pub fn new(config: &Config, _resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
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
        let requests = ctx.different(Kind::Begging);
        let (weight, what, kind) = match requests {
            0 if ctx.phrases().has(Kind::Votes) => (self.0.votes_weight, "Asks for votes", Kind::Votes),
            0 => return Outcome::Clear,
            1 => (self.0.weight, "Asks for followers", Kind::Begging),
            _ => (self.0.several_weight, "Asks for followers", Kind::Begging),
        };
        let links = &ctx.comment.body.links;
        if !links.is_empty() && links.iter().all(|link| ctx.is_own(&link.domain)) {
            return Outcome::Clear; // `subscribe here`, with the site's own page
        }
        Outcome::Hit { weight, evidence: format!("{what}: {}.", ctx.named(kind)), spans: ctx.spans(kind) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn requests_are_told_from_talk() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let cases: &[(&str, &str, f64)] = &[
            ("one request", "Hey guys, come to my channel", 1.4),
            ("a single phrase", "the cover is on my channel", 1.4),
            ("several", "Please subscribe and check out my new song, I will sub back", 2.5),
            ("votes", "Thumbs up if you are here in 2014", 1.0),
            ("German", "Schaut mal auf meinem Kanal vorbei", 1.4),
            ("Spanish", "suscríbanse a mi canal", 2.5),
            ("Portuguese", "se inscreve no meu canal", 2.5),
            ("Russian", "Подписывайтесь на мой канал!", 2.5),
            ("Japanese", "チャンネル登録よろしく", 1.4),
            ("Turkish", "kanalıma abone olun", 2.5),
            ("about a channel", "This channel has the best news about the harbour", 0.0),
            ("about subscribing", "I had to subscribe to read the whole article, which is a pity", 0.0),
            ("an opinion", "I like this song, and the video is better than the last one", 0.0),
            ("agreement", "Yes! Follow the money.", 0.0),
            ("an invitation to think", "Check the numbers in the second table again", 0.0),
            ("thumbs", "My thumbs hurt from typing", 0.0),
            ("views", "Two billion views, and I still do not get it", 0.0),
            ("a quotation", "> see my channel\nNobody will, stop posting this.", 0.0),
            ("the site's own page", "Please subscribe here: http://news.example/letter", 0.0),
            ("a share price", "The share fell by ten percent", 0.0),
        ];
        for (name, body, expected) in cases {
            let case = Case::new(body).page("Title of the page here", "text").parent("see my channel");
            assert!((weight(&check, &case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
    }
}
