use super::*;
use crate::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Comment, Draft};
use crate::domain::decision::Status;
use crate::domain::normalise::normalise;
use crate::domain::site::SiteId;
use crate::storage::memory::recall::Window;

struct World {
    recall: Recall,
    campaigns: Campaigns,
    second: i64,
}

impl World {
    fn new(config: Config) -> Self {
        Self { recall: Recall::new(10_000, 10_000, 10_000), campaigns: Campaigns::new(config), second: 0 }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + self.second * 1_000)
    }

    fn past(&self, trace: &Trace) -> PastOf {
        let within = Window { from: Timestamp::EPOCH, to: None };
        let recall = &self.recall;
        PastOf {
            links: Known::Known(trace.links.iter().map(|link| recall.link_past(trace, *link, within)).collect()),
            text: trace.text.map_or(Known::NotApplicable, |text| Known::Known(recall.text_past(trace, &text, within))),
            headlines: Known::Known(
                trace.headlines.iter().map(|one| recall.headline_past(trace, one, within)).collect(),
            ),
            ..PastOf::empty(trace)
        }
    }

    /// A comment comes, and its commit is done.
    fn post(&mut self, id: &str, article: &str, author: &str, body: &str) -> Option<CampaignPast> {
        let comment = comment(1, id, article, author, body);
        let told = self.sight_in(&comment.trace, &|| Stances::of(&comment, None));
        let trace = comment.trace;
        self.campaigns.membership(&self.recall, trace.comment, self.now());
        self.stand(&trace, Standing { status: Status::Approved, by_person: false });
        told
    }

    fn sight(&mut self, trace: &Trace) -> Option<CampaignPast> {
        self.sight_in(trace, &Stances::default)
    }

    fn sight_in(&mut self, trace: &Trace, stances: &LazyStances<'_>) -> Option<CampaignPast> {
        self.second += 1;
        let (now, past) = (self.now(), self.past(trace));
        let short = self.recall.short_past(trace, Window { from: Timestamp::EPOCH, to: None });
        self.campaigns.leave(&self.recall, trace.comment);
        self.recall.note(trace, now, None);
        let shown = Shown { past: &past, short: short.as_ref() };
        self.campaigns.join(&mut self.recall, trace, stances, shown, now, Recognise::Named)
    }

    fn stand(&mut self, trace: &Trace, standing: Standing) {
        let before = self.recall.settle(trace.comment, standing).and_then(|before| before.standing);
        self.campaigns.settled(&self.recall, trace.comment, before, standing);
    }

    /// The open campaigns, by their sizes.
    fn sizes(&self) -> Vec<u32> {
        self.campaigns.live.values().map(|live| live.comments).collect()
    }
}

fn trace(site: u32, id: &str, article: &str, author: &str, body: &str) -> Trace {
    comment(site, id, article, author, body).trace
}

fn comment(site: u32, id: &str, article: &str, author: &str, body: &str) -> Comment {
    let article = ArticleDraft { id: article.to_owned(), ..ArticleDraft::default() };
    let author = AuthorDraft { id: Some(author.to_owned()), ..AuthorDraft::default() };
    let draft = Draft { id: id.to_owned(), article, author: Some(author), body: body.to_owned(), ..Draft::default() };
    normalise(SiteId(site), draft.parse(&Bounds::default()).expect("valid"), false)
}

const HEADLINE: &str = "Harbour Museum Opens Its Doors After Ten Years of Building";
const TEXT: &str = "I earn four thousand a week from my sofa and my neighbour asked me how, so I wrote it all down";

#[test]
fn what_is_enough_for_a_campaign() {
    let same = |parts: &[(&str, &str, &str)]| {
        let mut world = World::new(Config::default());
        for (at, (article, author, body)) in parts.iter().enumerate() {
            world.post(&format!("c{at}"), article, author, body);
        }
        world.sizes()
    };
    let link = "http://pills.example/offer";
    let [apple, pear, plum] = ["apple", "pear", "plum"].map(|word| format!("{word} {link}"));
    let video = "https://www.youtube.com/watch?v=abc";
    let [verse, chorus, bridge] = ["verse", "chorus", "bridge"].map(|word| format!("{word} {video}"));
    let cases: &[(&str, Vec<(&str, &str, &str)>, Vec<u32>)] = &[
        ("two are none", vec![("x", "a", TEXT), ("y", "b", TEXT)], vec![]),
        ("three articles", vec![("x", "a", TEXT), ("y", "a", TEXT), ("z", "a", TEXT)], vec![3]),
        ("three authors under one article", vec![("x", "a", TEXT), ("x", "b", TEXT), ("x", "c", TEXT)], vec![3]),
        ("somebody posts thrice by mistake", vec![("x", "a", TEXT), ("x", "a", TEXT), ("x", "a", TEXT)], vec![]),
        ("a headline", vec![("x", "a", HEADLINE), ("y", "b", HEADLINE), ("z", "c", HEADLINE)], vec![3]),
        ("a link", vec![("x", "a", &apple), ("y", "b", &pear), ("z", "c", &plum)], vec![3]),
        ("a link that one article talks about", vec![("x", "a", &apple), ("x", "b", &pear), ("x", "c", &plum)], vec![]),
        ("a video that is going round", vec![("x", "a", &verse), ("y", "b", &chorus), ("z", "c", &bridge)], vec![]),
    ];
    for (name, parts, expected) in cases {
        assert_eq!(same(parts), *expected, "{name}");
    }
}

#[test]
fn what_repeats_itself_is_one_and_thanks_are_none_however_often_they_are_said() {
    let said_by_three = |body: &str| {
        let mut world = World::new(Config::default());
        for at in 0..3 {
            world.post(&format!("c{at}"), &format!("x{at}"), &format!("a{at}"), body);
        }
        world.sizes()
    };
    let none: [u32; 0] = [];
    assert_eq!(said_by_three(&"cheap watches here now ".repeat(12)), [3]);
    assert_eq!(
        said_by_three(
            "Kryptowährungsinvestitionen Kapitalverdopplungsgarantie Vermögensverwaltungsspezialisten beraten unverbindlich"
        ),
        [3],
        "few words, but long ones"
    );
    assert_eq!(said_by_three(&"thank you so much ".repeat(12)), none);
    assert_eq!(said_by_three("Thank you so much for this video"), none);
    assert_eq!(said_by_three("I really love this song so much, thank you"), none);
    assert_eq!(
        said_by_three("Thank you so much. Really love this great song today"),
        none,
        "nor a part of it as a headline"
    );
    let flattery = "Very good article, I really enjoyed reading it and I hope that you keep writing more like this. \
                    I will come back to your wonderful website soon, and share it with all my friends and family";
    assert_eq!(said_by_three(flattery), [3], "nobody says so much by chance");
}

#[test]
fn later_ones_join_however_they_are_dressed() {
    let forms = [
        HEADLINE.to_owned(),
        HEADLINE.to_uppercase(),
        format!("\u{1f680}\u{1f680} {HEADLINE} \u{1f525}"),
        "Harbour museum finally opens its doors after ten years of construction".to_owned(),
        "Harbour Museum Opens Its Doors After Ten Years".to_owned(),
        format!("{HEADLINE} http://h1.example/?utm_source=a"),
        format!("> {HEADLINE}"),
    ];
    let mut world = World::new(Config::default());
    for at in 0..3 {
        world.post(&format!("c{at}"), &format!("x{at}"), &format!("a{at}"), HEADLINE);
    }
    for (at, body) in forms.iter().enumerate() {
        let told = world.post(&format!("d{at}"), &format!("y{at}"), &format!("b{at}"), body);
        assert!(told.is_some(), "{body}");
    }
    assert_eq!(world.sizes(), [10]);
    let link = ["http://pills.example/offer?utm_source=x", "https://www.pills.example/offer?fbclid=7#top"];
    for (at, url) in link.iter().cycle().take(4).enumerate() {
        world.post(&format!("e{at}"), &format!("z{at}"), &format!("c{at}"), &format!("Look {url}"));
    }
    assert_eq!(world.sizes(), [10, 4], "tracking parameters change nothing");
}

#[test]
fn a_domain_is_one_only_where_it_is_unwanted() {
    for (rejected, expected) in [(0, 0), (2, 1)] {
        let mut world = World::new(Config::default());
        for at in 0..8 {
            let body = format!("Number {at} http://shop.example/{at}");
            let trace = trace(1, &format!("c{at}"), &format!("x{at}"), &format!("a{at}"), &body);
            world.sight(&trace);
            let status = if at < rejected { Status::Rejected } else { Status::Approved };
            world.stand(&trace, Standing { status, by_person: at < rejected });
        }
        assert_eq!(world.sizes().len(), expected, "{rejected} rejected");
    }
}

#[test]
fn what_people_approved_forms_none() {
    let mut world = World::new(Config::default());
    for at in 0..9 {
        let trace = trace(1, &format!("c{at}"), &format!("x{at}"), &format!("a{at}"), TEXT);
        world.sight(&trace);
        world.stand(&trace, Standing { status: Status::Approved, by_person: true });
    }
    assert_eq!(world.sizes(), [0_u32; 0]);
}

#[test]
fn two_that_turn_out_to_be_one_become_the_older() {
    let mut world = World::new(Config::default());
    let link = "http://pills.example/offer";
    for at in 0..3 {
        world.post(&format!("c{at}"), &format!("x{at}"), &format!("a{at}"), TEXT);
    }
    let words = ["apple", "pear", "plum"];
    for (at, word) in words.iter().enumerate() {
        world.post(&format!("d{at}"), &format!("y{at}"), &format!("b{at}"), &format!("{word} {link}"));
    }
    assert_eq!(world.sizes(), [3, 3]);
    let older = world.campaigns.live.values().next().expect("there are two").uid;
    for at in 0..3 {
        world.post(&format!("e{at}"), &format!("z{at}"), &format!("c{at}"), &format!("{TEXT} {link}"));
    }
    assert_eq!(world.sizes(), [9]);
    let told = world.post("f", "w", "d", &format!("cherry {link}")).expect("it joins");
    assert_eq!((told.campaign, told.comments), (older, 9));
}

#[test]
fn decisions_and_departures_are_counted() {
    let mut world = World::new(Config::default());
    let traces: Vec<Trace> =
        (0..3).map(|at| trace(1, &format!("c{at}"), &format!("x{at}"), &format!("a{at}"), TEXT)).collect();
    for trace in &traces {
        world.sight(trace);
        world.stand(trace, Standing { status: Status::Approved, by_person: false });
    }
    world.stand(&traces[0], Standing { status: Status::Rejected, by_person: true });
    world.stand(&traces[1], Standing { status: Status::Approved, by_person: true });
    let told = world.post("d", "y", "b", TEXT).expect("it joins");
    assert_eq!((told.comments, told.rejected, told.approved_by_person), (3, 1, 1));
    world.campaigns.leave(&world.recall, traces[0].comment);
    world.recall.forget(traces[0].comment);
    let told = world.post("e", "y", "b", TEXT).expect("it joins");
    assert_eq!((told.comments, told.rejected), (3, 0));
}

#[test]
fn what_is_closed_is_not_recognised_again() {
    let mut world = World::new(Config::default());
    for at in 0..3 {
        world.post(&format!("c{at}"), &format!("x{at}"), &format!("a{at}"), TEXT);
    }
    let uid = world.campaigns.live.values().next().expect("recognised").uid;
    world.campaigns.turned(Turn {
        uid,
        state: CampaignState::Closed,
        action: None,
        sites: None,
        rule_until: None,
        into: None,
    });
    for at in 0..5 {
        assert_eq!(world.post(&format!("d{at}"), &format!("y{at}"), &format!("b{at}"), TEXT), None);
    }
    assert_eq!(world.sizes(), [3]);
}

#[test]
fn memory_stays_within_its_bounds() {
    let mut world = World::new(Config { max_campaigns: 20, ..Config::default() });
    for at in 0..1_000_u64 {
        let number = at / 4;
        let words: Vec<String> = (0..12).map(|part| format!("w{}", number * 7_919 + part * part * 31)).collect();
        let body = format!("{} http://h{number}.example/x", words.join(" "));
        world.post(&format!("c{at}"), &format!("x{at}"), &format!("a{at}"), &body);
    }
    let [live, exact, bands, shared, keys, pending, carried] = world.campaigns.sizes();
    assert!(live <= 20 && exact <= 20 * KEYS_MAX && bands <= 20 * KEYS_MAX * 8, "{:?}", world.campaigns.sizes());
    assert!(shared <= SHARED_BAND_MAX && keys <= KEYS_MAX && pending <= PENDING_MAX && carried == 0);
    assert!(live == 20, "and what there is room for is kept");
}

#[test]
fn what_has_been_quiet_for_long_takes_nobody_any_more() {
    let mut world = World::new(Config::default());
    for at in 0..3 {
        world.post(&format!("c{at}"), &format!("x{at}"), &format!("a{at}"), TEXT);
    }
    world.second += 31 * 86_400;
    assert_eq!(world.post("d", "y", "b", TEXT), None);
    let uid = world.campaigns.live.values().next().expect("recognised").uid;
    let rejected = Turn {
        uid,
        state: CampaignState::Decided,
        action: Some(Action::Reject),
        sites: None,
        rule_until: None,
        into: None,
    };
    world.campaigns.turned(rejected);
    let told = world.post("e", "z", "c", TEXT).expect("what people decided counts for longer");
    assert_eq!(told.action, Some(Action::Reject));
}

#[test]
fn one_comment_pulls_no_genuine_link_into_a_campaign() {
    let mut world = World::new(Config::default());
    for at in 0..3 {
        world.post(&format!("c{at}"), &format!("x{at}"), &format!("a{at}"), TEXT);
    }
    for (at, word) in ["apple", "pear"].iter().enumerate() {
        world.post(
            &format!("d{at}"),
            &format!("y{at}"),
            &format!("b{at}"),
            &format!("{word} http://paper.example/story"),
        );
    }
    world.post("e", "z", "c", &format!("{TEXT} http://paper.example/story"));
    assert_eq!(world.sizes(), [4]);
    assert_eq!(world.post("f", "w", "d", "plum http://paper.example/story").map(|told| told.comments), Some(2));
    assert_eq!(world.sizes(), [4, 3], "who cites it is a campaign of its own, if any");
}

#[test]
fn what_became_part_of_another_goes_along_when_that_one_does() {
    let mut world = World::new(Config::default());
    let bodies = ["apple http://one.example/x", "pear http://two.example/x", "plum http://three.example/x"];
    let mut members = Vec::new();
    for (of, body) in bodies.iter().enumerate() {
        for at in 0..3 {
            let trace =
                trace(1, &format!("c{of}{at}"), &format!("x{of}{at}"), &format!("a{of}{at}"), &format!("{at} {body}"));
            world.sight(&trace);
            world.stand(&trace, Standing { status: Status::Approved, by_person: false });
            members.push(trace);
        }
    }
    let uids: Vec<Uuid> = world.campaigns.live.values().map(|live| live.uid).collect();
    assert_eq!(uids.len(), 3);
    for (from, into) in [(0, 1), (1, 2)] {
        let turn = Turn {
            uid: uids[from],
            state: CampaignState::Merged,
            action: None,
            sites: None,
            rule_until: None,
            into: Some(uids[into]),
        };
        world.campaigns.turned(turn);
    }
    world.stand(&members[0], Standing { status: Status::Rejected, by_person: true });
    let live = world.campaigns.live.values().next().expect("there is one");
    assert_eq!((live.uid, live.comments, live.rejected), (uids[2], 9, 1));
}

#[test]
fn what_people_let_pass_is_no_shelter_for_what_rides_on_it() {
    let rejected = "http://pills.example/offer";
    for (state, action) in [(CampaignState::Decided, Some(Action::Approve)), (CampaignState::Closed, None)] {
        let mut world = World::new(Config::default());
        for at in 0..3 {
            world.post(&format!("c{at}"), &format!("x{at}"), &format!("a{at}"), HEADLINE);
        }
        for at in 0..3 {
            let trace = trace(1, &format!("c{at}"), &format!("x{at}"), &format!("a{at}"), HEADLINE);
            world.stand(&trace, Standing { status: Status::Approved, by_person: true });
        }
        let let_pass = world.campaigns.live.values().next().expect("recognised").uid;
        world.campaigns.turned(Turn { uid: let_pass, state, action, sites: None, rule_until: None, into: None });
        let mut told = None;
        for at in 0..4 {
            let (id, article, author) = (format!("d{at}"), format!("y{at}"), format!("b{at}"));
            told = world.post(&id, &article, &author, &format!("{HEADLINE}\n{rejected}"));
        }
        let told = told.expect("it belongs to one");
        assert_ne!(told.campaign, let_pass);
        assert_eq!((told.state, told.action, told.comments), (CampaignState::Open, None, 3));
        let plain = world.post("e", "z", "c", HEADLINE);
        assert_eq!(plain.and_then(|told| told.action), action, "the rest of it stays excused");
    }
}

#[test]
fn few_words_are_one_by_many_authors_under_many_articles() {
    let advert = "check my channel for cheats";
    let post = |config: Config, bodies: &[&str], authors: usize, articles: usize| {
        let mut world = World::new(config);
        for (at, body) in bodies.iter().enumerate() {
            world.post(&format!("c{at}"), &format!("x{}", at % articles), &format!("a{}", at % authors), body);
        }
        world.sizes()
    };
    let disguised = [
        advert,
        "CHECK my channel for cheats!!!",
        "c h e c k my channel for cheats \u{1f525}",
        "check my chanel for cheats",
        "check my channel for cheats 4711",
    ];
    assert_eq!(post(Config::default(), &disguised, 5, 5), [5]);
    assert_eq!(post(Config::default(), &disguised, 5, 3), [5]);
    let none: [u32; 0] = [];
    assert_eq!(post(Config::default(), &disguised[..4], 4, 4), none, "too few say it");
    assert_eq!(post(Config { short_authors: 0, ..Config::default() }, &disguised, 5, 5), none, "switched off");
    assert_eq!(post(Config::default(), &["check my channel"; 9], 9, 1), none, "one article talks about it");
    assert_eq!(post(Config::default(), &["check my channel"; 9], 2, 9), none, "two people repeat themselves");
    assert_eq!(post(Config::default(), &["great article, thanks"; 40], 40, 40), none);
}

#[test]
fn a_comment_of_many_links_is_known_by_each() {
    let mut world = World::new(Config::default());
    let links = |word: &str| {
        let all: Vec<String> = (0..32).map(|at| format!("http://h{at}.example/x")).collect();
        format!("{word} {}", all.join(" "))
    };
    for at in 0..40 {
        let body = links(&format!("w{at}"));
        world.post(&format!("c{at}"), &format!("x{at}"), &format!("a{at}"), &body);
    }
    assert_eq!(world.sizes(), [40]);
    let told = world.post("d", "y", "b", "see http://h31.example/x").map(|told| told.comments);
    assert_eq!(told, Some(40), "and the last of them leads to the others");
}
