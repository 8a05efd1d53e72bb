//! Properties of a comment that mean the same on every site, each with a name that moderators read.
//!
//! Words differ from site to site; what a comment wants of its readers does not. The word lists are short, general and written by hand:
//! a list that was read off one set of spam would look well on that set and nowhere else. A property of a field that the training sets
//! lack (the author's homepage, say) has no place here: it could only tell the sets apart.

use super::lists::{
    ACT, ARGUES, BEGS, BEST, CHAT, COINS, GAIN, GAMBLING, HERE, INSULT, JOBS, LENDING, MAGIC, ME, OFFER, OURS, PAGE,
    PAPERS, PRAISE, RANKING, REASONS, REFERS, REMEDY, SALE, SERVICES, SEX, STREAMS, STUDY, SUPPORT, SWEARS, THREAT,
    TRADES, TRICKS, WARES, YOU,
};
use super::manner::{self, Manner};
use crate::domain::comment::Comment;
use crate::domain::normalise::{Body, LinkKind};
use crate::domain::relevance::Page;

macro_rules! properties {
    ($($property:ident = $name:literal,)*) => {
        /// A hand-made feature.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Hand {
            $(
                #[doc = $name]
                $property,
            )*
        }

        /// The hand-made features' names, by number.
        pub const HAND: &[&str] = &[$($name),*];

        /// The hand-made features, by number.
        pub const ALL: &[Hand] = &[$(Hand::$property),*];
    };
}

properties! {
    OneLink = "one link",
    SomeLinks = "two or three links",
    ManyLinks = "more than three links",
    LinkInMarkup = "a link in markup",
    DisguisedLink = "a disguised link",
    ShortenedLink = "a shortened link",
    ChatLink = "a link to a chat or channel",
    CheapHost = "a link to a cheap top-level domain",
    LinkAndLittleElse = "a link and little else",
    Telephone = "a telephone number",
    Email = "an e-mail address",
    Money = "a sum of money",
    AsksToAct = "asks to act",
    InvitesToOwn = "invites to something of its own",
    InvitesNow = "asks to act here and now",
    OwnOffer = "speaks of its own offer",
    Promises = "promises gain",
    Sells = "sells something",
    Chat = "names a way to chat",
    BegsForAttention = "begs for attention",
    Gambling = "speaks of gambling",
    Remedies = "speaks of drugs or remedies",
    Sex = "speaks of sex for sale",
    Lending = "speaks of loans or credit",
    Coins = "speaks of coins or trading",
    Ranking = "speaks of search ranking",
    Magic = "speaks of spells or hired hackers",
    TwoTrades = "speaks of two trades or more",
    Praise = "praise",
    PraisesPage = "praise for the page itself",
    PraiseAndOffer = "praise and an offer",
    Thanks = "thanks",
    Question = "a question",
    SpeaksOfItself = "speaks of itself",
    AddressesReader = "addresses the reader",
    Capitals = "many capitals",
    Exclamations = "many exclamation marks",
    Digits = "many digits",
    Emoji = "emoji",
    VeryShort = "at most three words",
    Short = "four to eight words",
    Medium = "nine to twenty words",
    Long = "more than sixty words",
    Argues = "argues",
    Repetitive = "repeats itself",
    InsultsReader = "insults in the second person",
    Insult = "insulting words",
    Swears = "swears",
    Threat = "threatens",
    EndsInLink = "ends in a link",
    EndsInTelephone = "ends in a telephone number",
    TitleCase = "many words with a capital letter",
    AllTitleCase = "nearly all words with a capital letter",
    ManySmallWords = "flowing speech",
    LongWords = "long words",
    WeAndYou = "we and you",
    YouAndOffer = "offers something to you",
    WeOffer = "we offer",
    Superlative = "calls itself best or genuine",
    Superlatives = "calls itself best or genuine twice",
    WantsYou = "what you look for",
    AsksYou = "asks what you want",
    IfYou = "if you",
    StartsWithCall = "begins with a call to act",
    Percent = "a percentage",
    RepeatedMarks = "repeated marks",
    Ornaments = "ornaments",
    NoSentence = "no end of a sentence",
    ShoutedWords = "shouted words",
    MixedWords = "words mixed with digits",
    Testimony = "a testimony",
    RoundTheClock = "at any hour or within days",
    Number = "a number",
    ManyNumbers = "many numbers",
    NoFirstPerson = "nobody speaks",
    Negation = "a negation",
    Past = "tells of the past",
    Hedge = "hedges",
    SpeaksOfOthers = "speaks of others",
    Reasons = "gives reasons",
    AnswersSomebody = "answers somebody",
    ListedWord = "a word that blocklists know",
    ListedWords = "words that blocklists know",
    ManyListedWords = "many words that blocklists know",
    SomeListed = "one word in twelve is on blocklists",
    MostlyListed = "one word in five is on blocklists",
    ListedPair = "two words that blocklists know together",
    ListedPairs = "several pairs that blocklists know",
    Jobs = "speaks of jobs on offer",
    Study = "speaks of essays or courses",
    Services = "speaks of trades and services",
    Streams = "speaks of streams or cracks",
    Support = "speaks of support lines",
    Refers = "speaks of codes or referrals",
    Papers = "speaks of papers or licences",
    Tricks = "speaks of lost funds or spying",
    Wares = "speaks of wares",
}

/// What was found in one comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found(u128);

impl Found {
    /// Notes whether it holds.
    pub(super) fn when(&mut self, hand: Hand, holds: bool) {
        self.0 |= u128::from(holds) << hand as u32;
    }

    /// Whether this was found.
    #[must_use]
    pub const fn has(self, hand: Hand) -> bool {
        self.0 >> hand as u32 & 1 == 1
    }
}

const _: () = assert!(HAND.len() <= 128, "what was found is one word of bits");

/// Looks at one comment. `heard` holds its words, each by hash and the lists that it stands in; their order is lost.
pub(super) fn look(comment: &Comment, page: Option<&Page>, heard: &mut Vec<(u64, u64)>) -> Found {
    let mut found = Found::default();
    let body = &comment.body;
    let words = Words::read(body, heard);
    links(body, page, words.count, &mut found);
    characters(body, words.count, &mut found);
    intents(&words, body, &mut found);
    words.manner.tell(words.count, words.lists, &mut found);
    manner::shape(body, words.count, words.manner.is_english(words.count), &mut found);
    shape(&words, heard, &mut found);
    found
}

/// What the lists say of a body's words.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that was read")]
struct Words {
    count: usize,
    /// All lists that any word stands in.
    lists: u64,
    manner: Manner,
    invites_to_own: bool,
    invites_now: bool,
    own_offer: bool,
    praises_page: bool,
    insults_reader: bool,
}

impl Words {
    fn read(body: &Body, heard: &[(u64, u64)]) -> Self {
        let mut words = Self { count: heard.len(), ..Self::default() };
        // How many words ago something was read; far away at first.
        let [mut act, mut ours, mut praise, mut you, mut insult] = [usize::MAX / 2; 5];
        for (word, &(hash, lists)) in body.words().zip(heard) {
            words.lists |= lists;
            words.manner.hear(word, hash, lists);
            for (list, ago) in [
                (ACT, &mut act),
                (OURS, &mut ours),
                (PRAISE, &mut praise),
                (YOU, &mut you),
                (INSULT | SWEARS, &mut insult),
            ] {
                *ago = if lists & list != 0 { 0 } else { *ago + 1 };
            }
            let mine = lists & OURS != 0 || matches!(word, "me" | "us");
            words.invites_to_own |= mine && act <= 4;
            words.invites_now |= lists & HERE != 0 && (1..=4).contains(&act);
            words.own_offer |= lists & OFFER != 0 && ours <= 3;
            words.praises_page |= lists & PAGE != 0 && praise <= 4;
            words.insults_reader |= (you <= 4 && insult == 0) || (you == 0 && insult <= 2);
        }
        words
    }

    const fn any(&self, list: u64) -> bool {
        self.lists & list != 0
    }
}

fn links(body: &Body, page: Option<&Page>, words: usize, found: &mut Found) {
    const SHORTENERS: &[&str] = &[
        "bit.ly",
        "tinyurl.com",
        "goo.gl",
        "t.co",
        "is.gd",
        "ow.ly",
        "cutt.ly",
        "rb.gy",
        "shorturl.at",
        "adf.ly",
        "v.gd",
        "t.ly",
    ];
    const CHATS: &[&str] =
        &["t.me", "wa.me", "telegram.me", "discord.gg", "chat.whatsapp.com", "instagram.com", "onlyfans.com"];
    const CHEAP: &[&str] = &[
        "xyz", "top", "click", "ltd", "online", "shop", "club", "buzz", "icu", "site", "website", "space", "win",
        "bid", "loan", "vip", "live", "fun", "work", "info", "biz", "ga", "ml", "cf", "tk", "gq", "su",
    ];
    let own = page.and_then(|page| page.host.as_deref());
    let is_own = |host: &str| own == Some(host);
    let foreign = || body.links.iter().filter(|link| !is_own(&link.host));
    match foreign().count() {
        0 => {}
        1 => found.when(Hand::OneLink, true),
        2 | 3 => found.when(Hand::SomeLinks, true),
        _ => found.when(Hand::ManyLinks, true),
    }
    // However many there are, the first hundred show what kind they are.
    for link in foreign().take(100) {
        let ending = link.host.rsplit('.').next().unwrap_or_default();
        found.when(Hand::LinkInMarkup, link.kind == LinkKind::Anchor);
        found.when(Hand::DisguisedLink, link.kind == LinkKind::Disguised);
        found.when(Hand::ShortenedLink, SHORTENERS.contains(&link.host.as_str()));
        found.when(Hand::ChatLink, CHATS.contains(&link.host.as_str()));
        found.when(Hand::CheapHost, CHEAP.contains(&ending));
        found.when(Hand::LinkAndLittleElse, words <= 14);
    }
}

fn characters(body: &Body, words: usize, found: &mut Found) {
    let (folded, plain) = (body.folded.text(), body.plain.text());
    let bytes = folded.bytes();
    let (mut digits, mut exclamations, mut money, mut at, mut question) = (0_usize, 0_usize, false, false, false);
    for byte in bytes {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'!' => exclamations += 1,
            b'$' => money = true,
            b'@' => at = true,
            b'?' => question = true,
            _ => {}
        }
    }
    let (mut letters, mut capitals, mut emoji) = (0_usize, 0_usize, false);
    for c in plain.chars() {
        if c.is_ascii() {
            letters += usize::from(c.is_ascii_alphabetic());
            capitals += usize::from(c.is_ascii_uppercase());
        } else {
            letters += usize::from(c.is_alphabetic());
            capitals += usize::from(c.is_uppercase());
            emoji |= matches!(c, '\u{1f300}'..='\u{1faff}' | '\u{2764}');
            money |= matches!(c, '€' | '£' | '₹');
        }
    }
    found.when(Hand::Telephone, digits >= 9 && has_phone(folded));
    found.when(Hand::Email, at && has_email(folded));
    found.when(Hand::Money, money && digits > 0);
    found.when(Hand::Question, question);
    found.when(Hand::Capitals, letters >= 12 && capitals * 10 > letters * 4);
    found.when(Hand::Exclamations, exclamations >= 3);
    found.when(Hand::Digits, digits * 10 > folded.len() && digits >= 5 && words > 0);
    found.when(Hand::Emoji, emoji);
}

fn intents(words: &Words, body: &Body, found: &mut Found) {
    let offers = words.own_offer || words.invites_to_own;
    found.when(Hand::AsksToAct, words.any(ACT));
    found.when(Hand::InvitesToOwn, words.invites_to_own);
    found.when(Hand::InvitesNow, words.invites_now);
    found.when(Hand::OwnOffer, words.own_offer);
    found.when(Hand::Praise, words.any(PRAISE));
    found.when(Hand::PraisesPage, words.praises_page);
    found.when(Hand::PraiseAndOffer, words.any(PRAISE) && (offers || words.any(TRADES) || !body.links.is_empty()));
    found.when(Hand::Thanks, body.folded.text().contains("thank"));
    found.when(Hand::SpeaksOfItself, words.any(ME));
    found.when(Hand::AddressesReader, words.any(YOU));
    found.when(Hand::InsultsReader, words.insults_reader);
    found.when(Hand::TwoTrades, (words.lists & (TRADES | GAIN | SALE)).count_ones() >= 3);
    let single = [
        (GAIN, Hand::Promises),
        (SALE, Hand::Sells),
        (CHAT, Hand::Chat),
        (BEGS, Hand::BegsForAttention),
        (GAMBLING, Hand::Gambling),
        (REMEDY, Hand::Remedies),
        (SEX, Hand::Sex),
        (LENDING, Hand::Lending),
        (COINS, Hand::Coins),
        (RANKING, Hand::Ranking),
        (MAGIC, Hand::Magic),
        (ARGUES, Hand::Argues),
        (INSULT, Hand::Insult),
        (SWEARS, Hand::Swears),
        (THREAT, Hand::Threat),
        (JOBS, Hand::Jobs),
        (STUDY, Hand::Study),
        (SERVICES, Hand::Services),
        (STREAMS, Hand::Streams),
        (SUPPORT, Hand::Support),
        (REFERS, Hand::Refers),
        (PAPERS, Hand::Papers),
        (TRICKS, Hand::Tricks),
        (WARES, Hand::Wares),
        (BEST, Hand::Superlative),
        (REASONS, Hand::Reasons),
    ];
    for (list, hand) in single {
        found.when(hand, words.any(list));
    }
}

fn shape(words: &Words, seen: &mut Vec<(u64, u64)>, found: &mut Found) {
    match words.count {
        0..=3 => found.when(Hand::VeryShort, true),
        4..=8 => found.when(Hand::Short, true),
        9..=20 => found.when(Hand::Medium, true),
        61.. => found.when(Hand::Long, true),
        _ => {}
    }
    seen.sort_unstable();
    seen.dedup();
    found.when(Hand::Repetitive, words.count >= 10 && seen.len() * 2 < words.count);
}

/// Ten digits or more with nothing but blanks, points, hyphens, brackets and a plus between them.
fn has_phone(folded: &str) -> bool {
    let mut digits = 0;
    folded.chars().any(|c| {
        match c {
            '0'..='9' => digits += 1,
            ' ' | '-' | '.' | '(' | ')' | '+' | '/' => {}
            _ => digits = 0,
        }
        digits >= 10
    })
}

fn has_email(folded: &str) -> bool {
    let looks_so = |word: &str| word.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'));
    folded.split_whitespace().any(looks_so)
}
