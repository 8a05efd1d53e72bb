use super::*;
use crate::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Draft};
use crate::domain::normalise::normalise;

fn trace(site: u32, id: &str, article: &str, author: &str, body: &str) -> Trace {
    let article = ArticleDraft { id: article.to_owned(), ..ArticleDraft::default() };
    let author = AuthorDraft { id: Some(author.to_owned()), ..AuthorDraft::default() };
    let draft = Draft { id: id.to_owned(), article, author: Some(author), body: body.to_owned(), ..Draft::default() };
    normalise(SiteId(site), draft.parse(&Bounds::default()).expect("valid"), false).trace
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

/// Everything noted up to a second.
fn until(second: i64) -> Window {
    Window { from: Timestamp::EPOCH, to: Some(at(second)) }
}

const LINK: &str = "look at http://pills.example/offer today";

#[test]
fn earlier_comments_are_counted_by_where_and_whom() {
    let mut recall = Recall::new(100, 100, 100);
    recall.note(&trace(1, "a", "x", "anna", LINK), at(1), None);
    recall.note(&trace(1, "b", "y", "bert", LINK), at(2), None);
    recall.note(&trace(2, "c", "z", "carl", LINK), at(3), None);
    let asked = trace(1, "d", "x", "anna", LINK);
    let past = recall.link_past(&asked, asked.links[0], until(4)).url;
    assert_eq!(
        (past.comments, past.by_same_author, past.authors, past.under_other_articles, past.sites),
        (3, 1, 3, 2, 2)
    );
    let named: Vec<&str> = past.recent.iter().map(|sighting| &*sighting.comment_id).collect();
    assert_eq!(named, ["b", "a"], "newest first, other sites' never");
    let then = recall.link_past(&asked, asked.links[0], until(1)).url;
    assert_eq!(then.comments, 1, "as of a moment");
}

#[test]
fn authors_of_what_people_decided_are_counted_by_themselves() {
    let mut recall = Recall::new(100, 100, 100);
    for (second, (id, author)) in (1..).zip([("a", "anna"), ("b", "anna"), ("c", "bert"), ("d", "carl")]) {
        let noted = trace(1, id, "x", author, LINK);
        recall.note(&noted, at(second), None);
        if author != "carl" {
            recall.settle(noted.comment, Standing { status: Status::Rejected, by_person: author == "anna" });
        }
    }
    let asked = trace(1, "e", "x", "emil", LINK);
    let past = recall.link_past(&asked, asked.links[0], until(9)).domain;
    assert_eq!((past.authors, past.rejected, past.rejected_by_person, past.authors_decided), (3, 3, 2, 1));
}

#[test]
fn a_comment_is_never_its_own_past() {
    let mut recall = Recall::new(100, 100, 100);
    let once = trace(1, "a", "x", "anna", LINK);
    for second in 1..5 {
        recall.note(&once, at(second), None);
    }
    assert_eq!(recall.link_past(&once, once.links[0], until(9)).url.comments, 0);
    let asked = trace(1, "b", "x", "anna", LINK);
    assert_eq!(recall.link_past(&asked, asked.links[0], until(9)).url.comments, 1, "sighted again is one comment");
    recall.forget(once.comment);
    assert_eq!(recall.link_past(&asked, asked.links[0], until(9)).url.comments, 0);
}

#[test]
fn what_became_of_earlier_comments_is_known() {
    let mut recall = Recall::new(100, 100, 100);
    let earlier = trace(1, "a", "x", "anna", LINK);
    recall.note(&earlier, at(1), None);
    recall.settle(earlier.comment, Standing { status: Status::Rejected, by_person: true });
    let asked = trace(1, "b", "y", "bert", LINK);
    assert_eq!(recall.link_past(&asked, asked.links[0], until(2)).url.rejected, 1);
    recall.note(&earlier, at(3), None);
    assert_eq!(recall.link_past(&asked, asked.links[0], until(4)).url.rejected, 1, "an edit forgets no decision");
}

#[test]
fn memory_stays_within_its_bounds_and_time_empties_it() {
    let mut recall = Recall::new(50, 40, 60);
    for number in 0..2_000 {
        let body = format!(
            "Story number {number} of the harbour bridge http://h{number}.example/x and {} more words to read",
            number * 7
        );
        recall.note(&trace(1, &format!("c{number}"), "x", "anna", &body), at(number), None);
    }
    let [comments, known, links, urls, texts, bands, exact] = recall.sizes();
    assert!(comments <= 50 && known <= 50 && links <= 40 && urls <= 40 && texts <= 60, "{:?}", recall.sizes());
    assert!(bands <= 60 * BANDS && exact <= 60);
    recall.expire(at(5_000));
    assert_eq!(recall.sizes(), [0; 7], "chains go with their last item");
}

#[test]
fn staff_repeat_themselves_freely() {
    let mut recall = Recall::new(100, 100, 100);
    let mut reply = trace(1, "a", "x", "editor", LINK);
    reply.staff = true;
    recall.note(&reply, at(1), None);
    let asked = trace(1, "b", "y", "bert", LINK);
    assert_eq!(recall.link_past(&asked, asked.links[0], until(2)).url.comments, 0);
}

#[test]
fn a_forgotten_comment_does_not_stop_time() {
    let mut recall = Recall::new(100, 100, 100);
    let erased = trace(1, "a", "x", "anna", LINK);
    recall.note(&erased, at(1), None);
    recall.forget(erased.comment);
    recall.note(&trace(1, "b", "y", "bert", LINK), at(2), None);
    recall.expire(at(3));
    assert_eq!(recall.sizes(), [0; 7]);
}

#[test]
fn what_left_the_window_does_not_count_before_it_is_cleared_away() {
    let mut recall = Recall::new(100, 100, 100);
    recall.note(&trace(1, "a", "x", "anna", LINK), at(1), None);
    recall.note(&trace(1, "b", "y", "bert", LINK), at(5), None);
    let asked = trace(1, "c", "z", "carl", LINK);
    let past = recall.link_past(&asked, asked.links[0], Window { from: at(3), to: None }).url;
    assert_eq!((past.comments, past.first_at), (1, Some(at(5))));
}

#[test]
fn of_two_comments_at_once_one_sees_the_other_whatever_their_clocks_said() {
    let mut recall = Recall::new(100, 100, 100);
    recall.note(&trace(1, "a", "x", "anna", LINK), at(7), None);
    let asked = trace(1, "b", "y", "bert", LINK); // read its clock first, and is noted second
    let sighting = Window { from: Timestamp::EPOCH, to: None };
    assert_eq!(recall.link_past(&asked, asked.links[0], sighting).url.comments, 1);
    assert_eq!(recall.link_past(&asked, asked.links[0], until(6)).url.comments, 0, "as of a moment");
}

/// A comment with a link and a text, and nothing that another has.
fn strange(number: u64) -> Trace {
    let hash = |of: u64| xxhash_rust::xxh3::xxh3_64_with_seed(&number.to_le_bytes(), of);
    let sketch = std::array::from_fn(|at| u32::try_from(hash(at as u64 + 100) >> 32).unwrap());
    Trace {
        site: SiteId(1),
        comment: hash(1),
        comment_id: format!("0199a8c2-7b1e-7c3d-9f00-{number:012}").into(),
        article: hash(2),
        author: hash(3),
        author_known: true,
        staff: false,
        links: vec![LinkTrace { url: hash(4), domain: hash(5) }],
        text: Some(TextTrace { exact: hash(6), sketch, size: 40 }),
        headlines: Vec::new(),
        short: None,
    }
}

#[test]
fn a_full_memory_takes_what_its_head_says() {
    const MOST: u64 = 25_000;
    let each = usize::try_from(MOST).unwrap();
    let mut recall = Recall::new(each, each, each);
    for number in 0..2 * MOST {
        recall.note(&strange(number), at(1), None);
    }
    assert_eq!(recall.sizes(), [each, each, each, each, each, each * BANDS, each]);
    let [comment, link, text] = recall.bytes().map(|bytes| bytes / each);
    assert!(comment <= 125 && link <= 55 && text <= 220, "{comment} a comment, {link} a link, {text} a text");
    let earlier = strange(MOST); // the oldest that is left
    assert_eq!(recall.text_past(&strange(0), earlier.text.as_ref().unwrap(), until(2)).comments, 1);
    let recent = recall.link_past(&strange(0), earlier.links[0], until(2)).domain.recent;
    assert_eq!(recent[0].comment_id, earlier.comment_id);
}
