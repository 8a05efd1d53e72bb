//! Reading what clients send: bodies, in the order of their methods, and what they mean. A field's name may also be written with underscores: Google's services
//! take both, and there are clients that do.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;
use utoipa::ToSchema;

use super::super::super::body;
use super::super::google::Refusal;
use crate::app::perspective::{Attribute, Opinion};
use crate::domain::comment::Format;
use crate::domain::normalise;

/// Bytes of tokens and names that clients send along.
const MAX_TOKEN: usize = 4_000;
/// Entries of each list and map at most.
const MAX_ENTRIES: usize = 100;
/// From here on, a suggested score says that the text is that.
const HALF: f64 = 0.5;

/// A text.
#[derive(Debug, Deserialize, ToSchema)]
pub struct TextEntry {
    /// The text.
    pub text: String,
    /// `PLAIN_TEXT`, also when left out, or `HTML`.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

/// What the text stands under: entries, or an article; of what is sent, everything but JSON counts as the article's text.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContextIn {
    /// Texts.
    #[serde(default)]
    pub entries: Option<Vec<TextEntry>>,
    /// An article, and what the comment answers (which is not looked at).
    #[serde(default, alias = "article_and_parent_comment")]
    pub article_and_parent_comment: Option<ArticleIn>,
}

impl ContextIn {
    /// Bytes of all its texts as they were sent.
    pub(super) fn bytes(&self) -> usize {
        let article = self.article_and_parent_comment.iter().filter_map(|both| both.article.as_ref());
        self.entries.iter().flatten().chain(article).map(|entry| entry.text.len()).sum()
    }
}

/// An article, as the context of a text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArticleIn {
    /// The article.
    #[serde(default)]
    pub article: Option<TextEntry>,
}

/// How a score is asked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeIn {
    /// `PROBABILITY`, also when left out.
    #[serde(default, alias = "score_type")]
    pub score_type: Option<String>,
    /// A lower score is left out of the answer.
    #[serde(default, alias = "score_threshold")]
    pub score_threshold: Option<f64>,
}

/// A text, and the scores that are asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnalyzeIn {
    /// The text.
    pub comment: TextEntry,
    /// Which scores: of `SPAM`, `TOXICITY`, and, with a context, `OFF_TOPIC`.
    #[schema(value_type = BTreeMap<String, AttributeIn>)]
    #[serde(alias = "requested_attributes")]
    pub requested_attributes: BTreeMap<String, Option<AttributeIn>>,
    /// What it stands under.
    #[serde(default)]
    pub context: Option<ContextIn>,
    /// The languages that it is said to be in.
    #[serde(default)]
    pub languages: Option<Vec<String>>,
    /// Makes no difference: nothing is stored.
    #[serde(default, alias = "do_not_store")]
    pub do_not_store: Option<bool>,
    /// Sent back.
    #[serde(default, alias = "client_token")]
    pub client_token: Option<String>,
    /// Makes no difference.
    #[serde(default, alias = "session_id")]
    pub session_id: Option<String>,
    /// Makes no difference: the key says which site it is.
    #[serde(default, alias = "community_id")]
    pub community_id: Option<String>,
    /// Whether the parts that made up a score are told, where they can be pointed at.
    #[serde(default, alias = "span_annotations")]
    pub span_annotations: Option<bool>,
}

/// A score that somebody says a text should have.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ScoreIn {
    /// 0.0 to 1.0; from 0.5 on it says that the text is that.
    pub value: f64,
}

/// The score of a part of a text.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SpanScoreIn {
    /// The score; where the part stands makes no difference.
    pub score: ScoreIn,
}

/// The scores that an attribute should have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttributeScoresIn {
    /// The whole text's.
    #[serde(default, alias = "summary_score")]
    pub summary_score: Option<ScoreIn>,
    /// Parts'; without the whole text's, the highest counts.
    #[serde(default, alias = "span_scores")]
    pub span_scores: Option<Vec<SpanScoreIn>>,
}

/// A text, and the scores that it should have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuggestIn {
    /// The text.
    pub comment: TextEntry,
    /// By attribute: `SPAM`, `TOXICITY`, `OFF_TOPIC`; from earlier versions of Coral also `APPROVED`, `HIGHLIGHTED`, `DELETED`.
    #[serde(alias = "attribute_scores")]
    pub attribute_scores: BTreeMap<String, AttributeScoresIn>,
    /// What it stands under. Coral names the comment and its address here.
    #[serde(default)]
    pub context: Option<ContextIn>,
    /// The languages that it is said to be in.
    #[serde(default)]
    pub languages: Option<Vec<String>>,
    /// Makes no difference: the key says which site it is.
    #[serde(default, alias = "community_id")]
    pub community_id: Option<String>,
    /// Sent back; when it is the site's id of a comment with these words, perhaps after `comment:`, it says which one is meant.
    #[serde(default, alias = "client_token")]
    pub client_token: Option<String>,
    /// Makes no difference.
    #[serde(default, alias = "session_id")]
    pub session_id: Option<String>,
}

pub(super) fn token(field: &'static str, text: Option<String>) -> Result<Option<String>, Refusal> {
    Ok(body::text(field, text, MAX_TOKEN)?)
}

pub(super) fn format(field: &str, kind: Option<&str>) -> Result<Format, Refusal> {
    match kind {
        None | Some("" | "PLAIN_TEXT" | "TEXT_TYPE_UNSPECIFIED") => Ok(Format::Text),
        Some("HTML") => Ok(Format::Html),
        Some(_) => Err(Refusal::invalid(format!("{field}: must be PLAIN_TEXT or HTML")).field(field)),
    }
}

pub(super) fn checked(languages: Option<Vec<String>>) -> Result<Vec<String>, Refusal> {
    let languages = languages.unwrap_or_default();
    let is_one = |tag: &String| {
        (1..=35).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    if languages.len() > MAX_ENTRIES || !languages.iter().all(is_one) {
        let problem = "languages: must be a short list of codes, as in en or pt-BR";
        return Err(Refusal::invalid(problem).field("languages"));
    }
    Ok(languages)
}

/// The names of what has a score, for whoever asked for something else.
fn names(with: &[&str]) -> String {
    let names: Vec<&str> = Attribute::ALL.map(Attribute::name).into_iter().chain(with.iter().copied()).collect();
    names.join(", ")
}

pub(super) fn names_without(attribute: Attribute) -> String {
    let names: Vec<&str> = Attribute::ALL.into_iter().filter(|one| *one != attribute).map(Attribute::name).collect();
    names.join(", ")
}

fn unknown(field: &str, name: &str, with: &[&str]) -> Refusal {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    let message = format!("{field}.{shown}: is not modelled here; what is: {}", names(with));
    Refusal::invalid(message).field(&format!("{field}.{shown}"))
}

/// What is asked for, each with its threshold.
pub(super) fn attributes(
    asked: BTreeMap<String, Option<AttributeIn>>,
    has_article: bool,
) -> Result<BTreeMap<Attribute, Option<f64>>, Refusal> {
    const FIELD: &str = "requestedAttributes";
    if asked.is_empty() || asked.len() > MAX_ENTRIES {
        return Err(Refusal::invalid(format!("{FIELD}: must name some of: {}", names(&[]))).field(FIELD));
    }
    let mut thresholds = BTreeMap::new();
    for (name, asked) in asked {
        let attribute = Attribute::from_name(&name).ok_or_else(|| unknown(FIELD, &name, &[]))?;
        if attribute == Attribute::OffTopic && !has_article {
            let field = format!("{FIELD}.{name}");
            let problem = "needs the text of the article as context; without one, what is: SPAM, TOXICITY";
            return Err(Refusal::invalid(format!("{field}: {problem}")).field(&field));
        }
        let asked = asked.unwrap_or_default();
        if !matches!(asked.score_type.as_deref(), None | Some("" | "PROBABILITY" | "SCORE_TYPE_UNSPECIFIED")) {
            let field = format!("{FIELD}.{name}.scoreType");
            return Err(Refusal::invalid(format!("{field}: must be PROBABILITY")).field(&field));
        }
        thresholds.insert(attribute, asked.score_threshold);
    }
    Ok(thresholds)
}

/// What Coral says of the comment, as a text in JSON.
#[derive(Debug)]
pub(super) struct OfCoral {
    pub(super) id: String,
    /// The story's address, without the comment.
    pub(super) story: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CoralEntry {
    #[serde(rename = "Coral_comment_id")]
    id: String,
    #[serde(default)]
    url: Option<String>,
}

impl From<CoralEntry> for OfCoral {
    fn from(entry: CoralEntry) -> Self {
        let story = entry.url.and_then(|url| Url::parse(&url).ok()).map(|mut url| {
            let kept: Vec<(String, String)> = url
                .query_pairs()
                .filter(|(name, _)| name != "commentID")
                .map(|(n, v)| (n.into_owned(), v.into_owned()))
                .collect();
            url.set_query(None);
            if !kept.is_empty() {
                url.query_pairs_mut().extend_pairs(kept);
            }
            url.to_string()
        });
        Self { id: entry.id, story }
    }
}

/// What was sent as context.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub(super) article: Option<String>,
    pub(super) coral: Option<OfCoral>,
}

impl Context {
    pub(super) fn read(sent: Option<ContextIn>) -> Result<Self, Refusal> {
        let sent = sent.unwrap_or_default();
        let entries = sent.entries.unwrap_or_default();
        if entries.len() > MAX_ENTRIES {
            return Err(Refusal::invalid("context.entries: has too many").field("context.entries"));
        }
        let article = sent.article_and_parent_comment.and_then(|both| both.article);
        let (mut texts, mut coral) = (Vec::new(), None);
        for entry in entries.into_iter().chain(article) {
            if entry.text.trim_start().starts_with('{') {
                let read: Option<CoralEntry> = serde_json::from_str(&entry.text).ok();
                coral = coral.or(read.map(OfCoral::from));
                continue; // data about the comment, and no article
            }
            let format = format("context.entries.type", entry.kind.as_deref())?;
            texts.push(normalise::shown(&entry.text, format).trim().to_owned()); // a paragraph of HTML ends a line
        }
        texts.retain(|text| !text.is_empty());
        let article = (!texts.is_empty()).then(|| texts.join("\n\n"));
        Ok(Self { article, coral })
    }
}

/// What scores say of a text. Coral says what its moderators did, whatever the attribute.
pub(super) fn opinion(scores: BTreeMap<String, AttributeScoresIn>, is_coral: bool) -> Result<Opinion, Refusal> {
    const FIELD: &str = "attributeScores";
    const STATUSES: [&str; 3] = ["APPROVED", "HIGHLIGHTED", "DELETED"];
    if scores.is_empty() || scores.len() > MAX_ENTRIES {
        return Err(Refusal::invalid(format!("{FIELD}: must name some of: {}", names(&[]))).field(FIELD));
    }
    let mut is = Vec::new();
    let mut is_not = Vec::new();
    for (name, scores) in scores {
        let highest = || {
            let spans = scores.span_scores.iter().flatten().map(|span| span.score.value);
            spans.max_by(f64::total_cmp)
        };
        let value = scores.summary_score.as_ref().map(|score| score.value).or_else(highest);
        let value = value.filter(|value| (0.0..=1.0).contains(value)).ok_or_else(|| {
            let field = format!("{FIELD}.{}.summaryScore.value", name.chars().take(60).collect::<String>());
            Refusal::invalid(format!("{field}: must be from 0 to 1")).field(&field)
        })?;
        if STATUSES.contains(&name.as_str()) {
            if value < HALF {
                continue;
            }
            let taken_away = Opinion::Reject { for_what: Attribute::Toxicity };
            return Ok(if name == "DELETED" { taken_away } else { Opinion::Approve });
        }
        let attribute = Attribute::from_name(&name).ok_or_else(|| unknown(FIELD, &name, &STATUSES))?;
        if value < HALF { is_not.push(attribute) } else { is.push((value, attribute)) }
    }
    let strongest = is.into_iter().max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, attribute)| attribute);
    Ok(match (strongest, is_coral) {
        (Some(attribute), true) => Opinion::Reject { for_what: attribute },
        (Some(attribute), false) => Opinion::Is(attribute),
        (None, true) => Opinion::Approve,
        (None, false) => Opinion::IsNot(is_not),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(scores: Value, is_coral: bool) -> Result<Opinion, String> {
        opinion(serde_json::from_value(scores).expect("scores"), is_coral).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn what_scores_say() {
        use Attribute::{OffTopic, Spam, Toxicity};
        let score = |value: f64| json!({"summaryScore": {"value": value}});
        let cases: &[(&str, Value, bool, Opinion)] = &[
            ("Coral's moderators approved", json!({"TOXICITY": score(0.0)}), true, Opinion::Approve),
            ("and rejected", json!({"TOXICITY": score(1.0)}), true, Opinion::Reject { for_what: Toxicity }),
            ("an older Coral", json!({"DELETED": score(1.0)}), true, Opinion::Reject { for_what: Toxicity }),
            ("which features", json!({"HIGHLIGHTED": score(1.0)}), true, Opinion::Approve),
            ("somebody else", json!({"SPAM": score(0.9), "TOXICITY": score(0.6)}), false, Opinion::Is(Spam)),
            ("who denies it", json!({"SPAM": score(0.1)}), false, Opinion::IsNot(vec![Spam])),
            (
                "parts alone",
                json!({"OFF_TOPIC": {"spanScores": [{"begin": 0, "end": 2, "score": {"value": 0.2}}, {"score": {"value": 0.7}}]}}),
                false,
                Opinion::Is(OffTopic),
            ),
        ];
        for (name, scores, is_coral, expected) in cases {
            assert_eq!(said(scores.clone(), *is_coral).as_ref(), Ok(expected), "{name}");
        }
        for (scores, expected) in [
            (json!({}), "must name some of: SPAM, TOXICITY, OFF_TOPIC"),
            (json!({"INSULT": score(1.0)}), "INSULT: is not modelled here; what is: SPAM, TOXICITY, OFF_TOPIC"),
            (json!({"SPAM": {}}), "must be from 0 to 1"),
            (json!({"SPAM": score(1.5)}), "must be from 0 to 1"),
        ] {
            let refused = said(scores, false).expect_err(expected);
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn coral_names_its_comment_in_the_context() {
        let entry = r#"{"url":"https://news.example/a?commentID=c-1&x=1","reply_to_id_Coral_comment_id":"c-0","Coral_comment_id":"c-1"}"#;
        let sent = json!({"entries": [{"text": entry}, {"text": "The council met."}, {"text": "<p>It voted.</p>", "type": "HTML"}]});
        let context = Context::read(Some(serde_json::from_value(sent).expect("a context"))).expect("it is one");
        let coral = context.coral.expect("it is Coral's");
        assert_eq!((coral.id.as_str(), coral.story.as_deref()), ("c-1", Some("https://news.example/a?x=1")));
        assert_eq!(context.article.as_deref(), Some("The council met.\n\nIt voted."));
    }
}
