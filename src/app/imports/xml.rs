//! XML as exports have it, one step after the other: elements and their text, and nothing that could be used against whoever reads.
//!
//! No document type is read, so there are no entities but the five that everybody knows; depth and length have bounds; bytes that are no UTF-8, and
//! characters that no text has, become U+FFFD.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::lines::Counted;
use super::{Broken, Place};

/// One tag, text or comment at most.
const MAX_BYTES: u64 = 16 << 20;
/// Elements within each other at most: exports have six.
const MAX_DEPTH: usize = 64;

/// A step through a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An element begins, with its attributes.
    Open(String, Vec<(String, String)>),
    /// A part of the text of the innermost element.
    Text(String),
    /// The innermost element ends.
    Close,
    /// The file ends.
    End,
}

/// See the module.
pub(super) struct Xml<R> {
    reader: Reader<Counted<R>>,
    buffer: Vec<u8>,
    depth: usize,
    /// Bytes of text since an element began or ended.
    text_bytes: u64,
    /// An element without content was told to begin, and ends next.
    closes: bool,
    any: bool,
}

impl<R: BufRead> Xml<R> {
    pub(super) fn new(inner: R) -> Self {
        let mut reader = Reader::from_reader(Counted::new(inner, MAX_BYTES));
        let config = reader.config_mut();
        config.check_end_names = true;
        config.allow_dangling_amp = true; // some exports write `AT&T`
        Self { reader, buffer: Vec::new(), depth: 0, text_bytes: 0, closes: false, any: false }
    }

    /// What is read next.
    pub(super) fn place(&self) -> Place {
        self.reader.get_ref().place()
    }

    /// The next step. The text of one element is no longer than anything may be, in however many pieces it comes.
    pub(super) fn next(&mut self) -> Result<Step, Broken> {
        let step = self.step()?;
        match &step {
            Step::Text(text) => {
                self.text_bytes += text.len() as u64;
                if self.text_bytes > MAX_BYTES {
                    return Err(Broken::new(self.place(), format!("a text here is longer than {MAX_BYTES} bytes")));
                }
            }
            Step::Open(..) | Step::Close | Step::End => self.text_bytes = 0,
        }
        Ok(step)
    }

    fn step(&mut self) -> Result<Step, Broken> {
        if self.closes {
            self.closes = false;
            self.depth -= 1;
            return Ok(Step::Close);
        }
        loop {
            self.buffer.clear();
            self.reader.get_mut().begin();
            let place = self.reader.get_ref().place();
            let broken = |why: &str| Err(Broken::new(place, why));
            let event = match self.reader.read_event_into(&mut self.buffer) {
                Ok(event) => event,
                Err(error) => {
                    let why = error.to_string();
                    return Err(Broken::new(self.reader.get_ref().place(), why));
                }
            };
            match event {
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return broken("elements lie too deep within each other");
                    }
                    self.any = true;
                    return Ok(opened(&start));
                }
                Event::Empty(start) => {
                    self.depth += 1;
                    self.closes = true;
                    self.any = true;
                    return Ok(opened(&start));
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Step::Close);
                }
                Event::Text(text) => return Ok(Step::Text(readable(&text))),
                Event::CData(text) => return Ok(Step::Text(readable(&text))),
                Event::GeneralRef(name) => return Ok(Step::Text(entity(&name))),
                Event::DocType(_) => {
                    return broken("has a document type declaration, which no export has; it is not read");
                }
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().and_then(Result::ok);
                    let encoding = encoding.map(|name| String::from_utf8_lossy(&name).to_ascii_lowercase());
                    if let Some(other) = encoding.filter(|name| !["utf-8", "utf8", "us-ascii"].contains(&name.as_str()))
                    {
                        return broken(&format!(
                            "is written in {}; turn it into UTF-8 first, with iconv",
                            readable(other.as_bytes())
                        ));
                    }
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if !self.any => return broken("holds no XML"),
                Event::Eof if self.depth > 0 => return broken("ends in the middle; it was cut off"),
                Event::Eof => return Ok(Step::End),
            }
        }
    }
}

fn opened(start: &BytesStart<'_>) -> Step {
    let mut attributes = start.attributes();
    let attributes = attributes.with_checks(false).filter_map(Result::ok);
    let attributes = attributes.map(|attribute| (readable(attribute.key.as_ref()), readable(&attribute.value)));
    Step::Open(readable(start.name().as_ref()), attributes.collect())
}

/// As text: what no text holds is replaced.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.chars().any(is_no_text) {
        return text.chars().map(|c| if is_no_text(c) { char::REPLACEMENT_CHARACTER } else { c }).collect();
    }
    text.into_owned()
}

/// Control characters that XML 1.0 does not allow.
const fn is_no_text(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}')
}

/// What stands between `&` and `;`. What nobody knows stays as it is: in HTML it is known again.
fn entity(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let known = match &*name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        other => other.strip_prefix('#').and_then(|number| {
            let hexadecimal = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
            let number = hexadecimal.unwrap_or_else(|| number.parse()).ok()?;
            char::from_u32(number).map(|c| if is_no_text(c) { char::REPLACEMENT_CHARACTER } else { c })
        }),
    };
    known.map_or_else(|| format!("&{name};"), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &[u8]) -> Result<Vec<Step>, Broken> {
        let mut xml = Xml::new(text);
        let mut all = Vec::new();
        loop {
            match xml.next()? {
                Step::End => return Ok(all),
                step => all.push(step),
            }
        }
    }

    fn text(of: &[u8]) -> String {
        let steps = steps(of).unwrap();
        steps.into_iter().filter_map(|step| if let Step::Text(text) = step { Some(text) } else { None }).collect()
    }

    #[test]
    fn elements_text_and_what_is_quoted_are_read() {
        let found = steps(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><!-- c --><a x=\"1\"><b/>t</a>").unwrap();
        let open = |name: &str, attributes: &[(&str, &str)]| {
            let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            Step::Open(name.to_owned(), attributes)
        };
        assert_eq!(
            found,
            [open("a", &[("x", "1")]), open("b", &[]), Step::Close, Step::Text("t".to_owned()), Step::Close]
        );
        assert_eq!(
            text(b"<a>1 &lt; 2 &amp;&#x41;&#66; <![CDATA[<b> & ]]>&nbsp; AT&T</a>"),
            "1 < 2 &AB <b> & &nbsp; AT&T"
        );
        assert_eq!(text(b"<a>caf\xe9 \x01 &#0; &#x110000;</a>"), "caf\u{fffd} \u{fffd} \u{fffd} &#x110000;");
    }

    #[test]
    fn what_is_no_export_is_refused_with_its_place() {
        let deep = "<a>".repeat(100);
        let bomb = b"<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]>\n<lolz>&lol2;</lolz>";
        let cases: &[(&str, &[u8], &str)] = &[
            ("entities that grow", bomb, "line 2"),
            ("another encoding", b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>", "iso-8859-1"),
            ("cut off", b"<a>\n<b>text", "cut off"),
            ("ends of something else", b"<a>\n</b>", "line 2"),
            ("too deep", deep.as_bytes(), "too deep"),
            ("nothing", b"", "holds no XML"),
            ("text alone", b"hello", "holds no XML"),
        ];
        for (name, bytes, why) in cases {
            let error = steps(bytes).unwrap_err().to_string();
            assert!(error.contains(why), "{name}: {error}");
        }
    }
}
