use proptest::prelude::*;

use super::*;

fn read(body: &str, format: Format) -> Body {
    Body::read(body, format)
}

#[test]
fn visible_text_is_what_a_reader_sees() {
    let cases: &[(&str, Format, &str, &str)] = &[
        ("text stands as it is", Format::Text, "a < b & c", "a < b & c"),
        ("references are decoded", Format::Html, "fish &amp; chips &lt;3 &#x41;", "fish & chips <3 A"),
        ("what stripping the tags would show", Format::Html, "<style>via<b>gr</b>a <i>here", "viagra here"),
        ("a script, too", Format::Html, "a<script>alert(1)</script>b", "a\nalert(1)\nb"),
        ("comments are gone", Format::Html, "a<!-- b -->c", "ac"),
        ("paragraphs stay apart", Format::Html, "<p>one</p><p>two</p>", "one\ntwo\n"),
        ("inline tags join", Format::Html, "via<b>gr</b>a", "viagra"),
        ("text of odd tags stays", Format::Html, "<title>one</title><noscript>two</noscript>", "one\ntwo\n"),
        ("nothing is closed", Format::Html, "<b><i>open", "open"),
        ("markdown emphasis", Format::Markdown, "so *very* **good**", "so very good\n"),
        ("markdown with html", Format::Markdown, "a <b>b</b> &amp; c", "a b & c\n"),
        ("markdown code", Format::Markdown, "use `x < y`", "use x < y\n"),
    ];
    for (name, format, body, plain) in cases {
        let found = read(body, *format);
        assert_eq!(found.plain.text().trim_end(), plain.trim_end(), "{name}");
    }
}

#[test]
fn folding_removes_disguise_and_leaves_languages_alone() {
    let cases: &[(&str, &str, &str)] = &[
        ("case and blanks", "  Free \t\n STUFF ", "free stuff "),
        ("full-width letters", "ｈｔｔｐ", "http"),
        ("zero-width inside", "vi\u{200b}ag\u{feff}ra", "viagra"),
        ("soft hyphen and bidi", "ca\u{ad}si\u{202e}no", "casino"),
        ("Cyrillic imitations in a Latin word", "pаypаl", "paypal"),
        ("a Russian word stays", "Привет", "привет"),
        ("a Greek word stays", "Καλημέρα", "καλημέρα"),
        ("CJK stays", "東京タワー", "東京タワー"),
        ("half-width kana are joined", "ﾄｳｷﾖｳ", "トウキヨウ"),
        ("accents stay", "Café", "café"),
        ("decomposed accents are composed", "Cafe\u{301}", "café"),
        ("styled letters", "𝓕𝓻𝓮𝓮", "free"),
        ("typographic apostrophe", "don’t", "don't"),
        ("a phrase in one character is a word", "m\u{fdfa}casino\u{fdfb}", "m \u{fdfa} casino \u{fdfb} "),
        ("and is not taken for what it says", "\u{fdfa} \u{fdfa}", "\u{fdfa} \u{fdfa} "),
        ("digits and signs", "100% „sure“", "100% \"sure\""),
    ];
    for (name, text, folded) in cases {
        assert_eq!(fold_plain(text).text(), *folded, "{name}");
    }
}

#[test]
fn words_are_cut_by_script() {
    let cases: &[(&str, &[&str])] = &[
        ("don't stop, it's 10 o'clock!", &["don't", "stop", "it's", "10", "o'clock"]),
        ("東京 tower", &["東", "京", "tower"]),
        ("привет мир", &["привет", "мир"]),
        ("'quoted'", &["quoted"]),
        ("한국어 단어", &["한국어", "단어"]),
    ];
    for (text, expected) in cases {
        let body = read(text, Format::Text);
        assert_eq!(body.words().collect::<Vec<_>>(), *expected, "{text}");
    }
}

#[test]
fn links_are_found_however_they_are_written() {
    use LinkKind::{Anchor, Bare, Disguised};
    let cases: &[(&str, Format, &str, &[(&str, &str, LinkKind)])] = &[
        (
            "with a scheme",
            Format::Text,
            "see https://www.Example.com/A?x=1#top now",
            &[("example.com/A?x=1", "example.com", Bare)],
        ),
        (
            "without",
            Format::Text,
            "see example.com/page and youtu.be/abc",
            &[("example.com/page", "example.com", Bare), ("youtu.be/abc", "youtu.be", Bare)],
        ),
        ("www", Format::Text, "www.shop.example", &[("shop.example", "shop.example", Bare)]),
        ("a bare name", Format::Text, "visit cheapshoes.com today", &[("cheapshoes.com", "cheapshoes.com", Bare)]),
        ("after an arrow", Format::Text, "my channel → youtu.be/abc", &[("youtu.be/abc", "youtu.be", Bare)]),
        ("talk about programming", Format::Text, "ASP.NET, System.Net, Node.js, e.g. file.txt and System.IO.File", &[]),
        ("end of a sentence without a blank", Format::Text, "I like it.But not much.Really", &[]),
        (
            "tracking parameters",
            Format::Text,
            "https://x.com/a?utm_source=b&id=7&fbclid=z",
            &[("x.com/a?id=7", "x.com", Bare)],
        ),
        (
            "subdomains share a domain",
            Format::Text,
            "http://a.b.co.uk/ http://c.blogspot.com/",
            &[("a.b.co.uk", "b.co.uk", Bare), ("c.blogspot.com", "c.blogspot.com", Bare)],
        ),
        ("an IPv4 literal", Format::Text, "http://1.2.3.4/x", &[("1.2.3.4/x", "1.2.3.4", Bare)]),
        ("an IPv6 literal", Format::Markdown, "[x](http://[::1]/y)", &[("::1/y", "::1", Anchor)]),
        (
            "user and password are not the host",
            Format::Text,
            "http://bank.com@evil.example/",
            &[("evil.example", "evil.example", Bare)],
        ),
        ("punycode", Format::Text, "http://münchen.de/", &[("xn--mnchen-3ya.de", "xn--mnchen-3ya.de", Bare)]),
        (
            "an anchor",
            Format::Html,
            "<a href='http://x.example/p'>Big story</a>",
            &[("x.example/p", "x.example", Anchor)],
        ),
        (
            "an anchor that shows its address",
            Format::Html,
            "<a href='http://x.example/p'>http://x.example/p</a>",
            &[("x.example/p", "x.example", Anchor)],
        ),
        ("a markdown link", Format::Markdown, "[click](http://x.example/y)", &[("x.example/y", "x.example", Anchor)]),
        ("BBCode", Format::Text, "[url=http://x.example/a]text[/url]", &[("x.example/a", "x.example", Bare)]),
        (
            "inside an element that some sites drop",
            Format::Html,
            "<style><a href='http://x.example/p'>Big story</a> and http://y.example/q",
            &[("x.example/p", "x.example", Anchor), ("y.example/q", "y.example", Bare)],
        ),
        (
            "scripts are no links",
            Format::Html,
            "<a href='javascript:alert(1)'>x</a><a href='data:text/html,x'>y</a><a href='mailto:a@b.example'>z</a>",
            &[],
        ),
        ("mail addresses are no links", Format::Text, "write to anna@example.com", &[]),
        ("full-width", Format::Text, "ｈｔｔｐ://ｗｗｗ.ｅｂａｙ.com/x", &[("ebay.com/x", "ebay.com", Disguised)]),
        (
            "zero-width inside",
            Format::Text,
            "http://exa\u{200b}mple.com/x",
            &[("example.com/x", "example.com", Disguised)],
        ),
        (
            "spelled out",
            Format::Text,
            "go to cheapshoes dot com now",
            &[("cheapshoes.com", "cheapshoes.com", Disguised)],
        ),
        (
            "in brackets",
            Format::Text,
            "cheapshoes[.]com and other(dot)net",
            &[("cheapshoes.com", "cheapshoes.com", Disguised), ("other.net", "other.net", Disguised)],
        ),
        ("hxxp", Format::Text, "hxxp://bad.example/x", &[("bad.example/x", "bad.example", Disguised)]),
        ("a sentence about dots", Format::Text, "connect the dot on the map . Then go", &[]),
    ];
    for (name, format, body, expected) in cases {
        let found = read(body, *format);
        let links: Vec<(&str, &str, LinkKind)> =
            found.links.iter().map(|l| (l.url.as_str(), l.domain.as_str(), l.kind)).collect();
        assert_eq!(links, *expected, "{name}");
        for link in &found.links {
            assert!(body.get(link.span.clone()).is_some_and(|part| !part.is_empty()), "{name}: span {:?}", link.span);
        }
    }
    let anchor = read("<a href=\"http://x.example\">Big &amp; bold</a>", Format::Html);
    assert_eq!(anchor.links[0].text.as_deref(), Some("Big & bold"));
}

#[test]
fn evidence_points_into_the_body_as_sent() {
    let body = "<p>Tom &amp; Jerry say ｖｉａｇｒａ</p>";
    let found = read(body, Format::Html);
    let at = found.folded.text().find("viagra").expect("folded");
    assert_eq!(&body[found.folded.original(at..at + 6)], "ｖｉａｇｒａ");
    let at = found.folded.text().find("jerry").expect("folded");
    assert_eq!(&body[found.folded.original(at..at + 5)], "Jerry");
    let at = found.folded.text().find('&').expect("folded");
    assert_eq!(&body[found.folded.original(at..at + 1)], "&amp;");
}

#[test]
fn huge_and_nested_bodies_are_read_in_bounds() {
    let links = "<a href='http://x.example/'>x</a>".repeat(100_000);
    let found = read(&links, Format::Html);
    assert_eq!((found.links.len(), found.links_total), (MAX_LINKS, 100_000));
    let nested = format!("{}deep{}", "<div><blockquote>".repeat(50_000), "</blockquote></div>".repeat(50_000));
    assert!(read(&nested, Format::Html).plain.text().contains("deep"));
    let nested = format!("{}deep", "> ".repeat(20_000));
    let _ = read(&nested, Format::Markdown);
    let brackets = "[".repeat(50_000);
    let _ = read(&brackets, Format::Markdown);
    let bare = "http://x.example/ ".repeat(5_000);
    assert_eq!(read(&bare, Format::Text).links_total, 5_000);
    let dots = "a[.]com ".repeat(8_000);
    let _ = read(&dots, Format::Text);
    let marks = format!("e{}", "\u{301}".repeat(30_000));
    let _ = read(&marks, Format::Text);
    let quotes = read(&format!("{}{}", ">\n".repeat(16_384), "a ".repeat(16_384)), Format::Text);
    assert_eq!(quotes.quotes.len(), 1, "parts that touch are one, so that asking for each word costs little");
    let alternating = read(&">\na\n".repeat(16_384), Format::Text);
    assert_eq!((alternating.quotes.len(), alternating.is_quoted(&(65_534..65_535))), (16_384, false));
    let _ = read(&"hxxp".repeat(16_384), Format::Text);
}

#[test]
fn each_part_of_a_disguised_address_is_read_once() {
    let addresses = links::spelled_out(&"hxxp".repeat(1_000));
    assert!(addresses.len() == MAX_LINKS && addresses.iter().all(|(range, _)| range.len() == 4));
}

#[test]
fn hosts_of_few_labels_need_no_list_of_suffixes() {
    for host in ["example.com", "github.io", "blogspot.com", "co.uk", "com", "", "a.", ".com", "xn--p1ai", "203.0"] {
        assert_eq!(registrable(host), psl::domain_str(host).unwrap_or(host), "{host}");
    }
}

#[test]
fn quotes_are_known() {
    let body = "> they wrote this\nI answer";
    let found = read(body, Format::Text);
    assert!(found.is_quoted(&(2..10)));
    assert!(!found.is_quoted(&(20..24)));
    let found = read("<blockquote>theirs</blockquote>mine", Format::Html);
    assert!(found.is_quoted(&(12..18)));
    assert!(!found.is_quoted(&(31..35)));
}

#[test]
fn bodies_that_show_nothing_are_known() {
    let cases: &[(&str, Format, &str, bool)] = &[
        ("blanks", Format::Text, " \n\t", true),
        ("invisible characters", Format::Text, "\u{200b}\u{feff} \u{3164}", true),
        ("markup as text", Format::Text, "<p></p>", false),
        ("an empty paragraph", Format::Html, "<p>&nbsp;</p>", true),
        ("a comment", Format::Html, "<!-- hello -->", true),
        ("a link without a text", Format::Html, "<a href='http://x.example/'></a>", true),
        ("a reference", Format::Html, "&lt;3", false),
        ("an element that some sites drop", Format::Html, "<style>hello</style>", false),
        ("a letter first", Format::Html, "a<p>", false),
        ("a definition", Format::Markdown, "[x]: http://x.example/", true),
        ("a rule", Format::Markdown, "---", true),
        ("emphasis", Format::Markdown, "*hello*", false),
    ];
    for (name, format, body, expected) in cases {
        assert_eq!(is_blank(body, *format), *expected, "{name}");
    }
}

fn any_body() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,200}",
        "[a-z<>/&;=\"' .:\\[\\]()#*>\n-]{0,200}",
        prop::collection::vec(
            prop::sample::select(vec![
                "<a href='http://x.example/",
                "'>",
                "</a>",
                "&amp;",
                "&#x110000;",
                "&lt",
                "<script>",
                "</script>",
                "é",
                "e\u{301}",
                "\u{200b}",
                "ｗｗｗ.",
                "http://",
                "[x](",
                "](y)",
                "<blockquote>",
                " dot com",
                "\r\n",
                "\u{0}",
                "İ",
                "ß",
                "ﬁ",
                "а",
                "\u{fdfa}",
                "\u{fdfb}\u{301}",
                "hxxp://",
                "😀",
                "\u{1f468}\u{200d}",
                "<!--",
                "-->",
                "`",
                "> ",
            ]),
            0..40
        )
        .prop_map(|parts| parts.concat()),
    ]
}

proptest! {
    #[test]
    fn no_input_panics_and_every_span_lies_in_the_body(body in any_body(), format in 0..3) {
        let format = [Format::Text, Format::Html, Format::Markdown][usize::try_from(format).unwrap_or(0)];
        let found = read(&body, format);
        for link in &found.links {
            prop_assert!(body.get(link.span.clone()).is_some(), "link {:?} of {body:?}", link.span);
        }
        for mapped in [&found.plain, &found.folded] {
            for (at, c) in mapped.text().char_indices() {
                let span = mapped.original(at..at + c.len_utf8());
                prop_assert!(body.get(span.clone()).is_some(), "{span:?} for {c:?} of {body:?}");
            }
        }
        prop_assert!(found.words.iter().all(|word| found.folded.text().get(word.start as usize..word.end as usize).is_some()));
    }

    #[test]
    fn reading_what_was_read_changes_nothing(body in any_body(), format in 0..3) {
        let format = [Format::Text, Format::Html, Format::Markdown][usize::try_from(format).unwrap_or(0)];
        let once = read(&body, format);
        let shown = read(once.plain.text(), Format::Text);
        prop_assert_eq!(once.folded.text(), shown.folded.text());
        prop_assert_eq!(once.words().collect::<Vec<_>>(), shown.words().collect::<Vec<_>>());
        // What is shown, written as HTML, shows the same: nothing is decoded twice.
        let written = once.plain.text().replace('&', "&amp;").replace('<', "&lt;");
        let again = read(&written, Format::Html);
        prop_assert_eq!(again.folded.text(), once.folded.text());
        let folded = fold_plain(&body);
        let refolded = fold_plain(folded.text());
        prop_assert_eq!(refolded.text(), folded.text());
    }

    #[test]
    fn any_range_maps_without_panic(body in any_body(), start in 0_usize..300, end in 0_usize..300) {
        let found = read(&body, Format::Html);
        let span = found.folded.original(start..end);
        prop_assert!(span.start <= span.end && span.end <= body.len());
    }
}
