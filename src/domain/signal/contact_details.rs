//! # Contact details for sale (`contact-details`)
//!
//! - **Looks at:** telephone numbers however they are written (spaced, dotted, in full-width digits, with
//!   letters for digits, spelled out), messenger names with a number or handle beside them, links that open a
//!   chat, wallets (checked by their check sums), e-mail addresses. A number or an address counts beside words
//!   that sell, or when it is given twice; at a messenger also when somebody is asked to write there, or when it
//!   stands right behind the name; a wallet counts by itself.
//! - **Why:** what cannot be linked is given as a number; and who sells has to be reached.
//! - **Wrong when:** somebody gives the number of a help line, or of the town hall: alone, no number counts. A
//!   private address given to one person looks the same as one for sale when words of selling stand beside it.
//! - **Settings:** `[signals.contact_details]`, `mode` (`live`, `shadow` or `off`; default `live`), `weight`
//!   (log-odds added to `spam` for a number beside words that sell, default {weight}), `repeated_weight` (log-odds
//!   for the same number twice, default {repeated_weight}), `messenger_weight` (log-odds for a number or handle at a
//!   messenger, or a link that opens a chat beside words that sell, default {messenger_weight}), `wallet_weight` (log-odds for
//!   a wallet, default {wallet_weight}), `mail_weight` (log-odds for an e-mail address beside words that sell, default
//!   {mail_weight}).

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::contacts::{self, Number};
use crate::domain::fitted::weight;
use crate::domain::phrases::Kind;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "contact-details";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.contact_details]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to `spam` for a number beside words that sell.
    pub weight: LogOdds,
    /// Log-odds for the same number twice.
    pub repeated_weight: LogOdds,
    /// Log-odds for a number or handle at a messenger, or a link that opens a chat beside words that sell.
    pub messenger_weight: LogOdds,
    /// Log-odds for a wallet.
    pub wallet_weight: LogOdds,
    /// Log-odds for an e-mail address beside words that sell.
    pub mail_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            weight: weight("contact_details", "weight", 1.6),
            repeated_weight: weight("contact_details", "repeated_weight", 1.4),
            messenger_weight: weight("contact_details", "messenger_weight", 1.8),
            wallet_weight: weight("contact_details", "wallet_weight", 1.8),
            mail_weight: weight("contact_details", "mail_weight", 0.7),
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
        match self.look(ctx) {
            None => Outcome::Clear,
            Some((weight, what, at)) => {
                Outcome::Hit { weight, evidence: format!("{what}."), spans: vec![Span::body(at)] }
            }
        }
    }
}

/// Domains whose links open a chat with somebody.
const CHATS: &[&str] = &[
    "kik.me",
    "line.me",
    "signal.group",
    "signal.me",
    "t.me",
    "telegram.dog",
    "telegram.me",
    "viber.com",
    "wa.link",
    "wa.me",
    "whatsapp.com",
];

/// Letters between a messenger's name and a number or handle.
const NEAR: usize = 40;

/// Words that ask to be written to, folded.
const WRITE: &[&str] = &[
    "add her",
    "add him",
    "add me",
    "call her",
    "call him",
    "call me",
    "chat with",
    "contact",
    "contacta",
    "dm",
    "escribe",
    "get in touch",
    "hit her",
    "hit him",
    "hit me",
    "hubungi",
    "inbox",
    "kontakt",
    "message her",
    "message him",
    "message me",
    "pm",
    "reach",
    "schreib",
    "text her",
    "text him",
    "text me",
    "write her",
    "write him",
    "write me",
    "write to",
    "контакты",
    "напиши",
    "напишите",
    "пиши",
    "пишите",
];

/// Whether a number or handle stands right behind a messenger's name (or a number right before it); with `marks` only behind a colon or the
/// like, because `on telegram @anna` may as well speak to her.
fn follows(folded: &str, name: &Range<usize>, at: &Range<usize>, marks: bool) -> bool {
    let between = folded.get(name.end.min(at.end)..name.start.max(at.start)).unwrap_or_default();
    let empty = !between.contains(char::is_alphanumeric);
    empty && (!marks || between.contains([':', '=', '-', '–', '—', '>', '→']))
}

/// Whether somebody is asked to write, shortly before a messenger's name and what is given there, or between them.
fn asks_to_write(folded: &str, name: &Range<usize>, at: &Range<usize>) -> bool {
    let mut start = name.start.min(at.start).saturating_sub(NEAR);
    while !folded.is_char_boundary(start) {
        start -= 1;
    }
    let part = &folded[start..name.end.max(at.end)];
    let whole = |(at, word): (usize, &str)| {
        !part[..at].ends_with(char::is_alphanumeric) && !part[at + word.len()..].starts_with(char::is_alphanumeric)
    };
    WRITE.iter().any(|word| part.match_indices(word).any(whole))
}

impl Check {
    fn look(&self, ctx: &Context<'_>) -> Option<(LogOdds, String, Range<usize>)> {
        let body = &ctx.comment.body;
        let (plain, folded) = (body.plain.text(), body.folded.text());
        let phrases = ctx.phrases();
        let sells = phrases.has(Kind::Sell) || phrases.has(Kind::Bait);
        let parent = ctx.parent.get().copied().unwrap_or_default();
        // Who quotes the comment that is answered gives nothing away.
        let own = |range: &Range<usize>, text: &str| !(body.is_quoted(range) && parent.contains(text));
        if let Some(at) = contacts::wallet(plain) {
            let original = body.plain.original(at.clone());
            if own(&original, &plain[at].to_lowercase()) {
                return Some((self.0.wallet_weight, "A wallet to send money to".to_owned(), original));
            }
        }
        let numbers: Vec<Number> = contacts::numbers(folded, sells || phrases.has(Kind::Messenger))
            .into_iter()
            .filter(|number| own(&body.folded.original(number.at.clone()), &folded[number.at.clone()]))
            .collect();
        let messenger = phrases.of_kind(Kind::Messenger).find_map(|name| {
            let near = |at: &Range<usize>| at.start <= name.at.end + NEAR && name.at.start <= at.end + NEAR;
            let given = |at: &Range<usize>, marks| {
                sells || follows(folded, &name.at, at, marks) || asks_to_write(folded, &name.at, at)
            };
            let number = numbers.iter().map(|number| number.at.clone()).find(|at| near(at) && given(at, false));
            let handle = || contacts::handle(folded, name.at.end..name.at.end + NEAR).filter(|at| given(at, true));
            number.or_else(handle)
        });
        if let Some(at) = messenger {
            let at = body.folded.original(at);
            return Some((self.0.messenger_weight, "A number or handle at a messenger".to_owned(), at));
        }
        if sells {
            if let Some(chat) = ctx.links_out().find(|link| CHATS.binary_search(&link.domain.as_str()).is_ok()) {
                let what = format!("A link that opens a chat, beside {}", ctx.named(Kind::Sell));
                return Some((
                    self.0.messenger_weight,
                    what.trim_end_matches(", beside ").to_owned(),
                    chat.span.clone(),
                ));
            }
            if let Some(number) = numbers.first() {
                let what = "A telephone number beside words that sell".to_owned();
                return Some((self.0.weight, what, body.folded.original(number.at.clone())));
            }
            if let Some(at) = contacts::mail(folded) {
                let what = "An e-mail address beside words that sell".to_owned();
                return Some((self.0.mail_weight, what, body.folded.original(at)));
            }
        }
        let twice = numbers
            .iter()
            .enumerate()
            .find(|(at, one)| numbers[..*at].iter().any(|other| other.digits == one.digits))?;
        Some((self.0.repeated_weight, "The same number twice".to_owned(), body.folded.original(twice.1.at.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn contact_details_are_told_from_numbers_in_talk() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let cases: &[(&str, &str, f64)] = &[
            ("a number for sale", "Best price for puppies, call now +1 (202) 555-0175", 1.6),
            ("with letters for digits", "call us at 2o2 555 o175", 1.6),
            ("full-width", "contact us: ２０２ ５５５ ０１７５", 1.6),
            ("spelled out", "for more info two zero two five five five zero one seven five", 1.6),
            ("given twice", "202-555-0175 it is 202 555 0175", 1.4),
            ("at a messenger", "write to her on WhatsApp +1 202 555 0175", 1.8),
            ("a handle", "he helped me, telegram: @fx_master_anna", 1.8),
            ("a number behind the name", "WhatsApp +1 202 555 0175", 1.8),
            ("a handle to write to", "you can reach her on telegram, she is @fx_master_anna", 1.8),
            ("a handle beside words that sell", "best price on telegram, ask @fx_master_anna", 1.8),
            ("a chat link", "we sell documents https://wa.me/12025550175", 1.8),
            ("a wallet", "send coins to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", 1.8),
            ("another kind of wallet", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 1.8),
            ("a mail address for sale", "loan offers, contact us: easyloan@mail.example", 0.7),
            ("a help line", "I rang 0800 123 4567 and nobody answered", 0.0),
            ("a price", "It costs 1 200 000 euros, or 1.300.000 with the bridge", 0.0),
            ("a date", "It opened on 2012-06-30 at 13:29:22, for sale signs everywhere", 0.0),
            ("years", "for sale since 1999, 2004, 2011 and 2020", 0.0),
            ("a version", "use 4.0.30319.18444 for sale", 0.0),
            ("an address of a machine", "ping 192.168.100.254 for more information", 0.0),
            ("a long number", "for more details see case 12345678901234567890123", 0.0),
            ("an address in talk", "write to the council at info@council.example", 0.0),
            ("a messenger in talk", "WhatsApp was down all morning, everywhere", 0.0),
            ("a messenger in talk with somebody", "it was on WhatsApp too, @maria", 0.0),
            ("on a messenger, to somebody", "I saw it on telegram @maria", 0.0),
            ("a help line and a messenger in talk", "I rang 0800 123 4567 while whatsapp was down", 0.0),
            ("a hash", "commit 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3 fixed it", 0.0),
            ("a score", "we won 3-2, 4-1, 5-0 and 2-2", 0.0),
            ("a quotation", "> call now +1 (202) 555-0175, best price\nThis is spam again", 0.0),
            ("an account named", "thanks @anna, that helped", 0.0),
        ];
        for (name, body, expected) in cases {
            let case = Case::new(body).parent("call now +1 (202) 555-0175, best price");
            assert!((weight(&check, &case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
    }

    #[test]
    fn evidence_points_to_the_number() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let body = "Best price, call now +1 (202) 555-0175!";
        let Outcome::Hit { spans, .. } = Case::new(body).outcome(&check) else { panic!("no hit") };
        assert_eq!(&body[spans[0].start as usize..spans[0].end as usize], "1 (202) 555-0175");
        assert!(CHATS.is_sorted());
    }
}
