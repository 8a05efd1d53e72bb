//! The pages and the parts of them that open pages fetch again.

use askama::Template;

use super::Site;
use super::readers::Notify;
use super::stories::Story;
use super::views::{self, ThreadView};

/// Threads shown before the reader asks for all.
const FIRST_THREADS: usize = 4;
/// Related headlines.
const RELATED: usize = 3;
const HOUR_MS: i64 = 3_600_000;

/// What stands on every page.
pub(super) struct Frame {
    pub(super) day: String,
    /// The story of the page; empty on the front page.
    pub(super) story_id: String,
    pub(super) sections: Vec<String>,
    pub(super) notices: NoticesView,
    pub(super) panel: PanelView,
    pub(super) replays: Vec<ReplayView>,
    pub(super) note: Option<&'static str>,
}

/// A headline with what belongs to it.
pub(super) struct Headline {
    pub(super) id: String,
    pub(super) section: String,
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) by: String,
    pub(super) when: String,
    pub(super) count: usize,
}

/// A button.
pub(super) struct ReplayView {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) says: String,
    pub(super) done: usize,
    pub(super) of: usize,
    pub(super) runs: bool,
}

/// What the reader asked to hear of.
#[derive(Template)]
#[template(path = "courier/notices.html")]
pub(super) struct NoticesView {
    notices: Vec<NoticeView>,
}

struct NoticeView {
    comment: String,
    story: String,
    headline: String,
    name: String,
    is_answer: bool,
}

/// What Doorward said.
#[derive(Template)]
#[template(path = "courier/said.html")]
pub(super) struct PanelView {
    said: Vec<SaidView>,
    console: String,
}

struct SaidView {
    comment: String,
    story: String,
    name: String,
    excerpt: String,
    state: &'static str,
    by: &'static str,
    category: Option<String>,
    /// Name, value for the bar, and per cent in words.
    scores: Vec<(String, String, String)>,
    signals: Vec<(String, String)>,
    took: Option<String>,
    uid: Option<String>,
}

/// The front page.
#[derive(Template)]
#[template(path = "courier/front.html")]
pub(super) struct Front {
    frame: Frame,
    lead: Headline,
    others: Vec<Headline>,
}

/// What stands in the form.
#[derive(Default)]
pub(super) struct Form {
    /// The comment's name-to-be, so that a form sent twice is one comment.
    pub(super) id: String,
    /// When it was opened, in milliseconds since 1970.
    pub(super) opened_ms: i64,
    pub(super) name: String,
    pub(super) body: String,
    /// The comment that it answers, and whose that is.
    pub(super) parent: Option<(String, String)>,
    /// The paragraph that it is about, from 0, and how that begins.
    pub(super) paragraph: Option<(usize, String)>,
    pub(super) notify: &'static str,
    pub(super) error: Option<&'static str>,
}

/// A story with its comments.
#[derive(Template)]
#[template(path = "courier/article.html")]
pub(super) struct Article {
    frame: Frame,
    head: Headline,
    desk: String,
    paragraphs: Vec<String>,
    related: Vec<Headline>,
    list: ListView,
    form: Form,
}

/// The comments under a story.
#[derive(Template)]
#[template(path = "courier/list.html")]
pub(super) struct ListView {
    story: String,
    threads: Vec<ThreadView>,
    /// Threads that are not shown.
    more: usize,
}

impl Front {
    pub(super) fn new(site: &Site, reader: &str, note: Option<&'static str>) -> Self {
        let mut all = site.stories.iter().map(|story| headline(site, story));
        let newest = all.next_back();
        let lead = newest.unwrap_or_else(|| headline(site, &site.stories[0]));
        Self { frame: frame(site, reader, "", note), lead, others: all.rev().collect() }
    }
}

impl Article {
    pub(super) fn new(
        site: &Site,
        story: &Story,
        reader: &str,
        is_all: bool,
        form: Form,
        note: Option<&'static str>,
    ) -> Self {
        let mut related: Vec<_> = site.stories.iter().filter(|other| other.id != story.id).collect();
        related.sort_by_key(|other| (other.section != story.section, other.hours_ago));
        related.truncate(RELATED);
        Self {
            frame: frame(site, reader, &story.id, note),
            head: headline(site, story),
            desk: story.desk.clone(),
            paragraphs: story.paragraphs.clone(),
            related: related.into_iter().map(|other| headline(site, other)).collect(),
            list: list(site, story, reader, is_all),
            form,
        }
    }
}

impl Form {
    pub(super) fn with_wishes(self, wishes: Notify) -> Self {
        Self { notify: wishes.name(), ..self }
    }
}

pub(super) fn list(site: &Site, story: &Story, reader: &str, is_all: bool) -> ListView {
    let mut threads = views::threads(&site.room(), story, reader);
    let more = if is_all { 0 } else { threads.len().saturating_sub(FIRST_THREADS) };
    threads.truncate(threads.len() - more);
    ListView { story: story.id.clone(), threads, more }
}

pub(super) fn notices(site: &Site, reader: &str) -> NoticesView {
    let room = site.room();
    let known = room.readers.find(reader).into_iter().flat_map(|reader| &reader.notices);
    let notices = known.map(|notice| NoticeView {
        comment: notice.comment.clone(),
        story: notice.story.clone(),
        headline: site.story(&notice.story).map(|story| story.headline.clone()).unwrap_or_default(),
        name: notice.name.clone(),
        is_answer: notice.is_answer,
    });
    NoticesView { notices: notices.collect() }
}

pub(super) fn panel(site: &Site) -> PanelView {
    let room = site.room();
    let score = |(name, score): &(String, f64)| {
        let percent = score * 100.0;
        let words = if percent < 1.0 { "under 1 %".to_owned() } else { format!("{percent:.0} %") };
        (name.clone(), format!("{score:.4}"), words)
    };
    let said = room.panel.iter().map(|said| SaidView {
        comment: said.comment.clone(),
        story: said.story.clone(),
        name: said.name.clone(),
        excerpt: said.excerpt.clone(),
        state: said.state.name(),
        by: match said.decided_by.as_str() {
            "person" => "by a moderator",
            "rule" => "by a rule",
            _ => "",
        },
        category: said.category.clone(),
        scores: said.scores.iter().map(score).collect(),
        signals: said.signals.clone(),
        took: said.took.map(|took| format!("{:.1} ms", took.as_secs_f64() * 1_000.0)),
        uid: said.uid.clone(),
    });
    PanelView { said: said.collect(), console: site.console.clone() }
}

fn frame(site: &Site, reader: &str, story: &str, note: Option<&'static str>) -> Frame {
    let mut sections: Vec<String> = Vec::new();
    for story in &site.stories {
        if !sections.contains(&story.section) {
            sections.push(story.section.clone());
        }
    }
    Frame {
        day: views::day((site.now)()),
        story_id: story.to_owned(),
        sections,
        notices: notices(site, reader),
        panel: panel(site),
        replays: replays(site),
        note,
    }
}

fn replays(site: &Site) -> Vec<ReplayView> {
    let room = site.room();
    let button = |(morning, progress): (&super::Morning, &super::replay::Progress)| ReplayView {
        id: morning.id.clone(),
        title: morning.title.clone(),
        says: morning.says.clone(),
        done: progress.done,
        of: morning.comments.len(),
        runs: progress.runs,
    };
    site.mornings.iter().zip(&room.replays).map(button).collect()
}

fn headline(site: &Site, story: &Story) -> Headline {
    Headline {
        id: story.id.clone(),
        section: story.section.clone(),
        title: story.headline.clone(),
        summary: story.summary.clone(),
        by: story.by.clone(),
        when: views::when(site.opened_ms - story.hours_ago * HOUR_MS),
        count: site.room().board.count(&story.id),
    }
}
