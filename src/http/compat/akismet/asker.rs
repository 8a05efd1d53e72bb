//! Who asks, and so with which answer a comment is held there: the protocol's own way is known to few.

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;

use super::form::Form;
use crate::app::akismet::Doubtful;

/// The first Akismet plugin for WordPress that holds on `X-akismet-recheck-after`.
const RECHECKS_SINCE: (u32, u32) = (5, 5);

/// How a client is told that a person looks at a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// `false` and `X-akismet-recheck-after`, as the protocol says.
    Recheck,
    /// A word that is neither `true` nor `false`.
    Word,
    /// `true`, without `discard`.
    Spam,
}

/// What a check says of the client that sent it.
#[derive(Debug, Clone, Default)]
pub(super) struct Asker {
    agent: String,
    has_callback: bool,
    retries: bool,
}

impl Asker {
    /// By the request's head.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self { agent: agent.to_owned(), ..Self::default() }
    }

    /// And by what it sent.
    pub(super) fn read(&mut self, form: &Form) {
        self.has_callback = form.get("callback").is_some();
        self.retries = form.get("recheck_reason").is_some_and(|reason| reason.trim().eq_ignore_ascii_case("retry"));
    }

    /// How it holds what is doubtful; `others` for clients of which nothing is known.
    pub(super) fn holds_by(&self, others: Doubtful) -> Held {
        // Its cron job publishes on `false`, whatever stands beside it; so do plugins that are too old for the header, which is what the protocol says
        // all the same unless the operator wants otherwise.
        let old = |plugin| !self.has_callback && plugin < RECHECKS_SINCE && others == Doubtful::Spam;
        if self.wordpress().is_some_and(|plugin| self.retries || old(plugin)) {
            return Held::Word;
        }
        if self.has_callback || self.wordpress().is_some() {
            return Held::Recheck;
        }
        if self.holds_spam_alone() || others == Doubtful::Spam { Held::Spam } else { Held::Recheck }
    }

    /// Clients that hold a comment when the answer is `true`, and with no other: Rakismet takes everything else for "publish it", whatever its status;
    /// Flarum publishes on a word and refuses the post on a status. All others hold it, or say that the check failed.
    pub(super) fn holds_spam_alone(&self) -> bool {
        ["Rakismet/", "Flarum/"].iter().any(|client| self.agent.contains(client))
    }

    /// The version of the Akismet plugin, where WordPress asks: `WordPress/6.9.1 | Akismet/5.4.0a5`. One that cannot be read is a new one.
    fn wordpress(&self) -> Option<(u32, u32)> {
        let rest = self.agent.strip_prefix("WordPress/")?;
        let version = rest.split_once("Akismet/").map_or("", |(_, version)| version);
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
        Some((numbers.next().unwrap_or(u32::MAX), numbers.next().unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_told_in_the_way_in_which_it_holds() {
        for (agent, has_callback, retries, held) in [
            ("WordPress/6.8.7 | Akismet/5.5", true, false, Held::Recheck),
            ("WordPress/7.1.4 | Akismet/5.7.2", false, false, Held::Recheck),
            ("WordPress/7.1.4 | Akismet/5.7.2", false, true, Held::Word),
            ("WordPress/7.1.4 | Akismet/10.0", false, false, Held::Recheck),
            ("WordPress/6.9.1 | Akismet/5.4.0a5", false, false, Held::Recheck),
            ("WordPress/6.9.1 | Akismet/5.4.0a5", true, false, Held::Recheck),
            ("WordPress/6.1.9 | Akismet/5.0.2", false, true, Held::Word),
            ("WordPress/6.1.9", false, false, Held::Recheck),
            ("Akismet PHP SDK/1.0", true, false, Held::Recheck),
            ("Rails/7.1 | Rakismet/1.5.4", false, false, Held::Spam),
            ("Flarum/1.8 | Akismet/1.2", false, true, Held::Spam),
            ("akismet.py/25.10.1 | Python/3.11.7", false, true, Held::Recheck),
            ("", false, false, Held::Recheck),
        ] {
            let asker = Asker { agent: agent.to_owned(), has_callback, retries };
            assert_eq!(asker.holds_by(Doubtful::Recheck), held, "{agent} {has_callback} {retries}");
            let others = match agent {
                _ if held != Held::Recheck || has_callback => held,
                "WordPress/6.9.1 | Akismet/5.4.0a5" => Held::Word,
                agent if agent.starts_with("WordPress/") => held,
                _ => Held::Spam,
            };
            assert_eq!(asker.holds_by(Doubtful::Spam), others, "{agent} {has_callback} {retries}");
        }
    }
}
