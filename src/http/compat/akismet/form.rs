//! Reading what clients send: forms of any charset, with brackets, without `=`, twice, or a hundred fields long; the same in parts, as PHP's cURL sends an
//! array; and JSON, from those who send that.

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, WINDOWS_1252};
use serde_json::Value;

/// Fields of one request at most.
const FIELDS_MAX: usize = 2_000;
/// Levels of JSON that are looked into.
const LEVELS: usize = 3;

/// There are more fields than any client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadForm {
    /// More than [`FIELDS_MAX`].
    #[error("Too many fields")]
    TooMany,
    /// It says that it is JSON.
    #[error("Malformed JSON")]
    Json,
}

/// Fields in the order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body; `content_type` says what it is.
    ///
    /// # Errors
    /// [`BadForm`].
    pub(super) fn read(body: &[u8], content_type: &str) -> Result<Self, BadForm> {
        let lower = content_type.to_ascii_lowercase();
        if lower.split(';').next().unwrap_or_default().trim().ends_with("json") {
            return Self::json(body);
        }
        let labelled = lower.split_once("charset=").map_or("", |(_, label)| label);
        let labelled = labelled.split(';').next().unwrap_or_default().trim().trim_matches('"').to_owned();
        match boundary(content_type) {
            Some(boundary) => Ok(Self::decoded(parts(body, boundary)?, &labelled)),
            None => Self::urlencoded(body, &labelled),
        }
    }

    /// Whatever is not in it, from another one.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Reads the query of an address.
    ///
    /// # Errors
    /// `TooMany`.
    pub(super) fn query(query: &str) -> Result<Self, BadForm> {
        Self::urlencoded(query.as_bytes(), "")
    }

    fn urlencoded(body: &[u8], labelled: &str) -> Result<Self, BadForm> {
        let mut raw = Vec::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if raw.len() == FIELDS_MAX {
                return Err(BadForm::TooMany);
            }
            let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => (pair, &[][..]),
            };
            raw.push((text(&unescaped(name), UTF_8), unescaped(value)));
        }
        Ok(Self::decoded(raw, labelled))
    }

    fn decoded(raw: Vec<(String, Vec<u8>)>, labelled: &str) -> Self {
        let blog = raw.iter().find(|(name, _)| name == "blog_charset").map(|(_, value)| value.as_slice());
        let labels = [labelled.as_bytes(), blog.unwrap_or_default()];
        let encoding = labels.into_iter().filter_map(Encoding::for_label).find(|encoding| *encoding != UTF_8);
        let encoding = encoding.unwrap_or(UTF_8);
        Self(raw.into_iter().map(|(name, value)| (name, text(&value, encoding))).collect())
    }

    fn json(body: &[u8]) -> Result<Self, BadForm> {
        let value: Value = serde_json::from_slice(body).map_err(|_| BadForm::Json)?;
        let Value::Object(fields) = value else { return Err(BadForm::Json) };
        let mut form = Vec::new();
        for (name, value) in fields {
            flatten(name, value, LEVELS, &mut form)?;
        }
        Ok(Self(form))
    }

    /// The first field of that name that is not empty.
    #[must_use]
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
        named.find(|value| !value.is_empty())
    }

    /// The same, empty for none.
    #[must_use]
    pub(super) fn text(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    /// Whether there is such a field, whatever it holds.
    #[must_use]
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }

    /// Whether a field says yes: `1`, `true` and the like.
    #[must_use]
    pub(super) fn says_yes(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| !matches!(value.trim().to_ascii_lowercase().as_str(), "0" | "false" | "no" | "off"))
    }

    /// All values of a list, however it is written: `name`, `name[]`, `name[0]`.
    #[must_use]
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let is_of = |field: &str| {
            let rest = field.strip_prefix(name);
            rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('[') && rest.ends_with(']')))
        };
        let all = self.0.iter().filter(|(field, value)| is_of(field) && !value.trim().is_empty());
        all.map(|(_, value)| value.clone()).collect()
    }
}

/// What stands between the parts of `multipart/form-data`.
fn boundary(content_type: &str) -> Option<&str> {
    let mut pieces = content_type.split(';').map(str::trim);
    pieces.next().filter(|kind| kind.eq_ignore_ascii_case("multipart/form-data"))?;
    let named = pieces.find_map(|piece| {
        let (name, value) = piece.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    named.filter(|boundary| (1..=200).contains(&boundary.len()))
}

/// The fields of a form that came in parts; files are left out, and what is no part.
fn parts(body: &[u8], boundary: &str) -> Result<Vec<(String, Vec<u8>)>, BadForm> {
    let delimiter = format!("--{boundary}");
    let begins = |at: usize| body[at..].starts_with(delimiter.as_bytes());
    let ends = body.windows(2).enumerate().filter(|(_, two)| *two == b"\r\n").map(|(at, _)| at + 2);
    let delimiters: Vec<usize> = std::iter::once(0).chain(ends).filter(|at| begins(*at)).collect();
    let mut fields = Vec::new();
    for pair in delimiters.windows(2) {
        let part = body[pair[0] + delimiter.len()..pair[1]].strip_suffix(b"\r\n").unwrap_or_default();
        let Some(end) = part.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = text(&part[..end], UTF_8);
        let Some(name) = head.lines().find_map(field_name) else { continue };
        if fields.len() == FIELDS_MAX {
            return Err(BadForm::TooMany);
        }
        fields.push((name, part[end + 4..].to_vec()));
    }
    Ok(fields)
}

/// The name in a part's head, when it is one of a field.
fn field_name(line: &str) -> Option<String> {
    let (header, value) = line.split_once(':')?;
    let is_file = |parameter: &str| parameter.trim_start().to_ascii_lowercase().starts_with("filename");
    let is_field = header.trim().eq_ignore_ascii_case("content-disposition") && !value.split(';').any(is_file);
    let (_, name) = value.split_once(" name=").or_else(|| value.split_once(";name=")).filter(|_| is_field)?;
    let name = name.strip_prefix('"').map_or_else(|| name.split(';').next(), |name| name.split('"').next());
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn flatten(name: String, value: Value, levels: usize, form: &mut Vec<(String, String)>) -> Result<(), BadForm> {
    if form.len() >= FIELDS_MAX {
        return Err(BadForm::TooMany);
    }
    match value {
        Value::String(value) => form.push((name, value.replace('\0', ""))),
        Value::Bool(value) => form.push((name, value.to_string())),
        Value::Number(value) => form.push((name, value.to_string())),
        Value::Array(values) if levels > 0 => {
            for (at, value) in values.into_iter().enumerate() {
                flatten(format!("{name}[{at}]"), value, levels - 1, form)?;
            }
        }
        Value::Object(fields) if levels > 0 => {
            for (field, value) in fields {
                flatten(format!("{name}[{field}]"), value, levels - 1, form)?;
            }
        }
        Value::Null | Value::Array(_) | Value::Object(_) => {} // nothing, or deeper than anybody sends it
    }
    Ok(())
}

/// `+` and `%20` as what they stand for; what is no escape stays as it is.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let digit = |at: usize| {
        text.get(at).and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok())
    };
    let (mut bytes, mut at) = (Vec::with_capacity(text.len()), 0);
    while let Some(byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'+', ..) => bytes.push(b' '),
            (b'%', Some(high), Some(low)) => {
                bytes.push(high * 16 + low);
                at += 2;
            }
            _ => bytes.push(*byte),
        }
        at += 1;
    }
    bytes
}

/// Bytes as text. Clients name one charset and send another: what is UTF-8 is read as that, whatever they say, unless what they say cannot look like it.
/// No text that is kept has a NUL in it.
fn text(bytes: &[u8], encoding: &'static Encoding) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if encoding != ISO_2022_JP => text.to_owned(),
        Ok(_) | Err(_) => {
            let encoding = if encoding == UTF_8 { WINDOWS_1252 } else { encoding };
            encoding.decode_without_bom_handling(bytes).0.into_owned()
        }
    };
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Form {
        Form::read(body.as_bytes(), "application/x-www-form-urlencoded").expect("it can be read")
    }

    #[test]
    fn fields_are_read_however_they_are_written() {
        let form = read("a=1+2%203&b&c=&d=x=y&a=again&&e%5B0%5D=one&e[1]=two&f=100%&g=%zz&%68=%C3%BC&=nothing");
        assert_eq!((form.text("a"), form.has("b"), form.text("b")), ("1 2 3".to_owned(), true, String::new()));
        assert_eq!((form.text("d"), form.text("f"), form.text("g")), ("x=y".into(), "100%".into(), "%zz".into()));
        assert_eq!((form.list("e"), form.text("h")), (vec!["one".to_owned(), "two".to_owned()], "ü".to_owned()));
        assert_eq!(form.list("a"), ["1 2 3", "again"]);
        assert!(!form.has("nothing"));
    }

    #[test]
    fn the_first_field_that_says_something_counts() {
        let form = read("k=&k=first&k=second&yes=1&no=0&maybe=True&never=False");
        assert_eq!(form.get("k"), Some("first"));
        assert!(form.says_yes("yes") && form.says_yes("maybe") && !form.says_yes("no") && !form.says_yes("never"));
        assert!(!form.says_yes("unsaid"));
    }

    #[test]
    fn texts_are_read_in_their_charset() {
        let cases: &[(&[u8], &str, &str)] = &[
            (b"t=gr%FCn", "application/x-www-form-urlencoded; charset=ISO-8859-1", "grün"),
            (b"t=gr%FCn&blog_charset=iso-8859-1", "application/x-www-form-urlencoded", "grün"),
            (b"t=%93%FA%96%7B&blog_charset=Shift_JIS", "", "日本"),
            (b"t=gr%C3%BCn&blog_charset=ISO-8859-1", "", "grün"), // says one thing, sends another
            (b"t=gr%FCn", "", "grün"),
            (b"t=%1B%24B%46%7C%4B%5C%1B%28B&blog_charset=ISO-2022-JP", "", "日本"),
            (b"t=a%00b", "", "ab"),
            (b"t=x&blog_charset=no-such", "", "x"),
        ];
        for (body, kind, expected) in cases {
            let form = Form::read(body, kind).expect("it can be read");
            assert_eq!(form.text("t"), *expected, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn json_is_read_as_a_form() {
        let body = br#"{"comment_content": "a\u0000b", "is_test": true, "n": 5, "comment_context": ["x", "y"], "none": null, "deep": {"a": {"b": {"c": {"d": 1}}}}}"#;
        let form = Form::read(body, "application/json; charset=utf-8").expect("it can be read");
        assert_eq!(
            (form.text("comment_content"), form.says_yes("is_test"), form.text("n")),
            ("ab".into(), true, "5".into())
        );
        assert_eq!(form.list("comment_context"), ["x", "y"]);
        for bad in ["[]", "5", "{", "\"x\""] {
            assert_eq!(Form::read(bad.as_bytes(), "application/json"), Err(BadForm::Json), "{bad}");
        }
    }

    #[test]
    fn a_form_in_parts_is_the_same_form() {
        let kind = "multipart/form-data; boundary=----x1";
        let body = b"------x1\r\nContent-Disposition: form-data; name=\"comment_content\"\r\n\r\ntwo\r\n------x\r\nlines\r\n\
            ------x1\r\ncontent-disposition: form-data; name=comment_context[0]\r\nContent-Type: text/plain\r\n\r\nnews\r\n\
            ------x1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nnothing\r\n\
            ------x1\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n\
            ------x1\r\nContent-Disposition: form-data; name=\"comment_author\"\r\n\r\ngr\xfcn\r\n------x1--\r\n";
        let form = Form::read(body, kind).expect("it can be read");
        assert_eq!(
            (form.text("comment_content"), form.text("comment_author")),
            ("two\r\n------x\r\nlines".into(), "grün".into())
        );
        assert_eq!(
            (form.list("comment_context"), form.has("file"), form.has("empty")),
            (vec!["news".to_owned()], false, true)
        );
        for cut in 0..body.len() {
            let _ = Form::read(&body[..cut], kind); // whatever is cut off, nothing panics
        }
        for odd in ["multipart/form-data", "multipart/form-data; boundary=", "multipart/mixed; boundary=----x1"] {
            assert!(!Form::read(body, odd).expect("it can be read").has("comment_content"), "{odd}");
        }
        let many = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n".repeat(FIELDS_MAX + 1) + "--b--";
        assert_eq!(Form::read(many.as_bytes(), "multipart/form-data; boundary=b"), Err(BadForm::TooMany));
    }

    #[test]
    fn there_is_a_bound_to_fields() {
        let many = |count: usize| vec!["a=1"; count].join("&");
        assert!(Form::query(&many(FIELDS_MAX)).is_ok());
        assert_eq!(Form::query(&many(FIELDS_MAX + 1)), Err(BadForm::TooMany));
        let list = format!("{{\"a\": [{}]}}", vec!["1"; FIELDS_MAX + 1].join(","));
        assert_eq!(Form::read(list.as_bytes(), "application/json"), Err(BadForm::TooMany));
    }
}
