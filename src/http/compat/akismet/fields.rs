//! From a form's fields to what they mean here (docs/clients/akismet.md has the table).

use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::macros::format_description;
use uuid::Uuid;

use super::form::Form;
use crate::app::akismet::submission::Submission;
use crate::domain::time::Timestamp;

/// Hidden fields of forms that we know; a client may also name one in `honeypot_field_name`.
const HONEYPOTS: [&str; 3] = ["POST_ak_hp_textarea", "ak_hp_textarea", "hidden_honeypot_field"];
/// A form that was open for longer says nothing, in milliseconds: a day.
const TYPING_MAX_MS: i64 = 86_400_000;

/// Reads a check or a report.
pub(super) fn submission(form: &Form) -> Submission {
    let either = |names: &[&str]| names.iter().find_map(|name| form.get(name)).unwrap_or_default().to_owned();
    Submission {
        blog: form.text("blog"),
        body: form.text("comment_content"),
        name: form.text("comment_author"),
        email: form.text("comment_author_email"),
        url: form.text("comment_author_url"),
        ip: either(&["user_ip", "comment_author_IP"]),
        user_agent: either(&["user_agent", "comment_agent"]),
        user_id: either(&["user_ID", "user_id"]),
        role: form.text("user_role"),
        post_id: either(&["comment_post_ID", "comment_post_id"]),
        permalink: form.text("permalink"),
        title: form.text("comment_post_title"),
        context: form.list("comment_context"),
        lang: language(form.get("blog_lang").unwrap_or_default()),
        parent: form.text("comment_parent"),
        comment_id: either(&["comment_ID", "comment_id"]),
        referrer: either(&["referrer", "referer"]),
        created_at: either_moment(form, &["comment_date_gmt", "comment_date"]),
        honeypot: honeypot(form),
        typing_ms: typing_ms(form),
        guids: guids(form),
        callback: form.text("callback"),
        is_again: form.get("recheck_reason").is_some(),
        is_test: form.says_yes("is_test"),
        test_discard: form.says_yes("test_discard"),
        is_pre_check: form.says_yes("akismet_pre_check"),
        reporter: form.text("reporter"),
        reported_on: form.text("site_domain"),
        answered: match form.get("comment_check_response").map(str::trim) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        },
    }
}

/// A language, when there is one: `en_US` as `en-US`; of `en, fr_ca` nobody knows which it is.
fn language(text: &str) -> String {
    let mut named = text.split(',').map(str::trim).filter(|one| !one.is_empty());
    match (named.next(), named.next()) {
        (Some(one), None) => one.replace('_', "-"),
        _ => String::new(),
    }
}

/// What a hidden field held: of several, one that was filled in.
fn honeypot(form: &Form) -> Option<String> {
    let is_ours = |name: &str| name.starts_with("comment_") || matches!(name, "blog" | "api_key" | "key");
    let named = form.get("honeypot_field_name").filter(|name| !is_ours(name));
    let names: Vec<&str> = named.into_iter().chain(HONEYPOTS).collect();
    let filled = names.iter().find_map(|name| form.get(name));
    match filled {
        Some(text) => Some(text.to_owned()),
        None => names.iter().any(|name| form.has(name)).then(String::new),
    }
}

/// How long the form was open: from when its page was there, or somebody began to write, until it was sent, all by the clock of the browser. What a
/// server's clock would say of that depends on how far the two are apart.
fn typing_ms(form: &Form) -> Option<u64> {
    let moment = |name: &str| form.get(name)?.trim().parse::<i64>().ok();
    let sent = moment("POST_ak_bfs")?;
    let opened = moment("POST_ak_js").or_else(|| moment("POST_ak_bib"))?;
    let took = sent.checked_sub(opened)?;
    (0..=TYPING_MAX_MS).contains(&took).then(|| took.unsigned_abs())
}

/// Names that we gave the comment: alone, with dashes, or somewhere in what the client kept of our answer.
fn guids(form: &Form) -> Vec<Uuid> {
    let fields = ["akismet_guid", "comment_check_guid", "guid", "comment_check_response"];
    let mut guids = Vec::new();
    for text in fields.iter().filter_map(|name| form.get(name)) {
        let words =
            text.split(|c: char| !c.is_ascii_hexdigit() && c != '-').filter(|word| matches!(word.len(), 32 | 36));
        guids.extend(words.take(4).filter_map(|word| Uuid::try_parse(word).ok()));
    }
    guids
}

fn either_moment(form: &Form, names: &[&str]) -> Option<Timestamp> {
    names.iter().filter_map(|name| form.get(name)).find_map(moment)
}

/// A date as somebody writes it: RFC 3339, `2026-11-20 10:00:00`, or seconds or milliseconds since 1970. Anything else is none: a comment is not
/// refused for its date.
fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(moment) = Timestamp::parse(text) {
        return Some(moment);
    }
    if let Ok(number) = text.parse::<i64>() {
        let ms = if number.unsigned_abs() < 100_000_000_000 { number.checked_mul(1_000)? } else { number };
        return (ms > 0).then_some(Timestamp::from_millis(ms)).filter(|at| is_plausible(*at));
    }
    let with_t = text.replacen('T', " ", 1);
    let spaced = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let moment = PrimitiveDateTime::parse(with_t.get(..19)?, spaced).ok()?.assume_utc();
    Some(Timestamp::from_millis(i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()?))
}

fn is_plausible(at: Timestamp) -> bool {
    OffsetDateTime::from_unix_timestamp(at.as_millis() / 1_000).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::query(text).expect("a form")
    }

    #[test]
    fn odd_dates_are_read_or_left_out() {
        for (text, expected) in [
            ("2026-11-20T10:00:00Z", Some("2026-11-20T10:00:00Z")),
            ("2026-11-20T11:00:00+01:00", Some("2026-11-20T10:00:00Z")),
            ("2026-11-22T13:05:40.872Z", Some("2026-11-22T13:05:40.872Z")),
            ("2026-11-20 10:00:00", Some("2026-11-20T10:00:00Z")),
            ("2026-11-20T10:00:00", Some("2026-11-20T10:00:00Z")),
            ("1763632800", Some("2025-11-20T10:00:00Z")),
            ("1763632800000", Some("2025-11-20T10:00:00Z")),
            ("0000-00-00 00:00:00", None),
            ("2026-02-30 10:00:00", None),
            ("yesterday", None),
            ("9223372036854775807", None),
            ("-9223372036854775808", None),
            ("2026-11-20 10:00:0é", None),
            ("", None),
        ] {
            assert_eq!(moment(text).map(|at| at.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_hidden_field_is_found_by_whatever_name() {
        for (text, expected) in [
            ("POST_ak_hp_textarea&a=b", Some("")),
            ("POST_ak_hp_textarea=filled", Some("filled")),
            ("honeypot_field_name=website&website=http://x", Some("http://x")),
            ("honeypot_field_name=website&website=", Some("")),
            ("honeypot_field_name=website", None),
            ("hidden_honeypot_field=", Some("")),
            ("POST_ak_hp_textarea&honeypot_field_name=w&w=filled", Some("filled")),
            ("honeypot_field_name=comment_content&comment_content=hello", None),
            ("honeypot_field_name=api_key&api_key=0123456789ab", None),
            ("a=b", None),
        ] {
            assert_eq!(honeypot(&form(text)).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn how_long_a_form_was_open_is_told_by_one_clock() {
        for (text, expected) in [
            ("POST_ak_js=1700000000000&POST_ak_bfs=1700000008400", Some(8_400)),
            ("POST_ak_bib=1700000001000&POST_ak_bfs=1700000008400", Some(7_400)),
            ("POST_ak_js=1700000000000", None),
            ("POST_ak_js=1700000008400&POST_ak_bfs=1700000000000", None),
            ("POST_ak_js=0&POST_ak_bfs=1700000000000", None),
            ("POST_ak_js=-9223372036854775808&POST_ak_bfs=9223372036854775807", None),
            ("POST_ak_js=x&POST_ak_bfs=y", None),
        ] {
            assert_eq!(typing_ms(&form(text)), expected, "{text}");
        }
    }

    #[test]
    fn our_names_are_found_in_what_clients_kept() {
        let uid = Uuid::from_u128(0x0123_4567_89ab_7def_8123_4567_89ab_cdef);
        for text in [
            format!("akismet_guid={}", uid.simple()),
            format!("guid={uid}"),
            format!("comment_check_response=%7B%22guid%22%3A%22{}%22%7D", uid.simple()),
        ] {
            assert_eq!(guids(&form(&text)), [uid], "{text}");
        }
        assert!(guids(&form("guid=https%3A%2F%2Fblog.example%2F%3Fp%3D1&comment_check_response=true")).is_empty());
    }

    #[test]
    fn one_language_is_known_and_two_are_none() {
        assert_eq!(["en_US", "fr", "en, fr_ca", ""].map(language), ["en-US", "fr", "", ""]);
    }
}
