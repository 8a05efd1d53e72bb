//! Files as other systems export them, of any size and always the same, and what they say: written without holding them.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::{self, Write};

use doorward::domain::time::Timestamp;

/// Comments under one article.
const UNDER_ONE: u64 = 40;
/// 2012-01-01T00:00:00Z.
const BEGIN_MS: i64 = 1_325_376_000_000;
/// Between two comments.
const STEP_MS: i64 = 1_501_000;

/// What a comment was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Was {
    Approved,
    Pending,
    Spam,
    Deleted,
}

impl Was {
    /// What it is here.
    pub(crate) const fn status(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Pending => "held",
            Self::Spam | Self::Deleted => "rejected",
        }
    }
}

/// A comment of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comment {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) article: u64,
    /// It answers this one.
    pub(crate) parent: Option<u64>,
    pub(crate) was: Was,
    pub(crate) name: String,
    pub(crate) email: String,
    /// Of an account, when the author has one.
    pub(crate) account: Option<String>,
    pub(crate) ip: String,
    pub(crate) body: String,
    pub(crate) at_ms: i64,
}

const GOOD: [&str; 8] = [
    "The crossing was dangerous for years, I am glad that it is mended",
    "Has anybody read the council's report? It says nothing about costs",
    "My grandmother grew these in <em>clay pots</em> & never watered them",
    "I disagree: the old timetable was better for people who work at night",
    "Thank you for the recipe, it worked with half the sugar",
    "2 < 3 and nobody doubts it, but the figures in the table do not add up",
    "Das stimmt so nicht, die Straße gehört der Gemeinde – schon immer",
    "We took the early train and saw the lake before the fog lifted",
];
const BAD: [&str; 4] = [
    "Cheap watches and pills, order now <a href=\"http://pills.example/buy\">here</a>, best price guaranteed",
    "Earn $5000 a week from home, ask me how at http://earn.example/now",
    "Best casino bonus, register today and win, http://casino.example/bonus",
    "Buy followers and likes cheap, fast delivery, http://likes.example/shop",
];

/// The comment of that number.
pub(crate) fn comment(number: u64) -> Comment {
    let dice = mixed(number);
    let article = (number - 1) / UNDER_ONE + 1;
    let first = (article - 1) * UNDER_ONE + 1;
    let was = match dice % 20 {
        0..=14 => Was::Approved,
        15 => Was::Pending,
        16..=18 => Was::Spam,
        _ => Was::Deleted,
    };
    let text = if was == Was::Spam { BAD[pick(dice, BAD.len())] } else { GOOD[pick(dice, GOOD.len())] };
    let author = mixed(dice) % 5_000;
    Comment {
        number,
        article,
        parent: (number > first && dice.is_multiple_of(3)).then(|| first + dice / 7 % (number - first)),
        was,
        name: format!("Reader {author}"),
        email: format!("reader-{author}@mail.example"),
        account: (author.is_multiple_of(4)).then(|| format!("{}", author + 1)),
        ip: format!("203.0.{}.{}", author / 250, author % 250 + 1),
        body: format!("<p>{text}.</p>\n<p>No. {number}]]></p>"),
        at_ms: BEGIN_MS + i64::try_from(number).unwrap_or(0) * STEP_MS,
    }
}

/// How many articles so many comments stand under.
pub(crate) const fn articles(comments: u64) -> u64 {
    comments.div_ceil(UNDER_ONE)
}

/// SplitMix64.
const fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn pick(dice: u64, of: usize) -> usize {
    usize::try_from(dice / 20).unwrap_or(0) % of
}

/// As WordPress quotes.
fn cdata(text: &str) -> String {
    format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>"))
}

/// `2020-01-31 23:59:59`.
fn sql(at_ms: i64) -> String {
    let at = Timestamp::from_millis(at_ms).to_string();
    at.trim_end_matches('Z').replace('T', " ")
}

/// WordPress eXtended RSS 1.2, as `wp-admin/includes/export.php` writes it (with spam, as plugins bring it).
pub(crate) fn wordpress(comments: u64, out: &mut impl Write) -> io::Result<()> {
    out.write_all(WORDPRESS_HEAD.as_bytes())?;
    for article in 1..=articles(comments) {
        let first = (article - 1) * UNDER_ONE + 1;
        write!(
            out,
            "\t\t<item>\n\t\t<title>{}</title>\n\t\t<link>https://blog.example/?p={article}</link>\n\t\t<pubDate>Sun, 01 Jan 2012 00:00:00 +0000</pubDate>\n\
             \t\t<dc:creator>{}</dc:creator>\n\t\t<guid isPermaLink=\"false\">https://blog.example/?p={article}</guid>\n\t\t<description></description>\n\
             \t\t<content:encoded>{}</content:encoded>\n\t\t<excerpt:encoded>{}</excerpt:encoded>\n\t\t<wp:post_id>{article}</wp:post_id>\n\
             \t\t<wp:post_date>{}</wp:post_date>\n\t\t<wp:post_date_gmt>{}</wp:post_date_gmt>\n\t\t<wp:comment_status>{}</wp:comment_status>\n\
             \t\t<wp:post_name>{}</wp:post_name>\n\t\t<wp:status>{}</wp:status>\n\t\t<wp:post_parent>0</wp:post_parent>\n\t\t<wp:menu_order>0</wp:menu_order>\n\
             \t\t<wp:post_type>{}</wp:post_type>\n\t\t<wp:post_password>{}</wp:post_password>\n\t\t<wp:is_sticky>0</wp:is_sticky>\n\
             \t\t<category domain=\"category\" nicename=\"town\">{}</category>\n\t\t<category domain=\"post_tag\" nicename=\"lanes\">{}</category>\n\
             \t\t<wp:postmeta>\n\t\t<wp:meta_key>{}</wp:meta_key>\n\t\t<wp:meta_value>{}</wp:meta_value>\n\t\t</wp:postmeta>\n",
            cdata(&format!("Lanes & gardens, part {article}")),
            cdata("editor"),
            cdata(&format!(
                "<!-- wp:paragraph -->\n<p>What the town did about number {article}, and what it cost.</p>\n<!-- /wp:paragraph -->"
            )),
            cdata(""),
            cdata(&sql(BEGIN_MS)),
            cdata(&sql(BEGIN_MS)),
            cdata("open"),
            cdata(&format!("part-{article}")),
            cdata("publish"),
            cdata("post"),
            cdata(""),
            cdata("Town"),
            cdata("lanes"),
            cdata("_edit_last"),
            cdata("1"),
        )?;
        for number in first..=(first + UNDER_ONE - 1).min(comments) {
            wordpress_comment(&comment(number), out)?;
        }
        out.write_all(b"\t\t</item>\n")?;
    }
    out.write_all(b"\t</channel>\n</rss>\n")
}

fn wordpress_comment(comment: &Comment, out: &mut impl Write) -> io::Result<()> {
    let Comment { number, parent, was, name, email, account, ip, body, at_ms, .. } = comment;
    let approved = match was {
        Was::Approved => "1",
        Was::Pending => "0",
        Was::Spam => "spam",
        Was::Deleted => "trash",
    };
    write!(
        out,
        "\t\t<wp:comment>\n\t\t\t<wp:comment_id>{number}</wp:comment_id>\n\t\t\t<wp:comment_author>{}</wp:comment_author>\n\
         \t\t\t<wp:comment_author_email>{}</wp:comment_author_email>\n\t\t\t<wp:comment_author_url></wp:comment_author_url>\n\
         \t\t\t<wp:comment_author_IP>{}</wp:comment_author_IP>\n\t\t\t<wp:comment_date>{}</wp:comment_date>\n\
         \t\t\t<wp:comment_date_gmt>{}</wp:comment_date_gmt>\n\t\t\t<wp:comment_content>{}</wp:comment_content>\n\
         \t\t\t<wp:comment_approved>{}</wp:comment_approved>\n\t\t\t<wp:comment_type>{}</wp:comment_type>\n\
         \t\t\t<wp:comment_parent>{}</wp:comment_parent>\n\t\t\t<wp:comment_user_id>{}</wp:comment_user_id>\n\
         \t\t\t<wp:commentmeta>\n\t\t\t<wp:meta_key>{}</wp:meta_key>\n\t\t\t<wp:meta_value>{}</wp:meta_value>\n\t\t\t</wp:commentmeta>\n\t\t</wp:comment>\n",
        cdata(name),
        cdata(email),
        cdata(ip),
        cdata(&sql(at_ms + 3_600_000)),
        cdata(&sql(*at_ms)),
        cdata(body),
        cdata(approved),
        cdata("comment"),
        parent.unwrap_or(0),
        account.as_deref().unwrap_or("0"),
        cdata("akismet_result"),
        cdata("false"),
    )
}

const WORDPRESS_HEAD: &str = r#"<?xml version="1.0" encoding="UTF-8" ?>
<!-- This is a WordPress eXtended RSS file generated by WordPress as an export of your site. -->
<rss version="2.0"
	xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
	xmlns:content="http://purl.org/rss/1.0/modules/content/"
	xmlns:wfw="http://wellformedweb.org/CommentAPI/"
	xmlns:dc="http://purl.org/dc/elements/1.1/"
	xmlns:wp="http://wordpress.org/export/1.2/"
>

<channel>
	<title>The Town Blog</title>
	<link>https://blog.example</link>
	<description></description>
	<language>en-GB</language>
	<wp:wxr_version>1.2</wp:wxr_version>
	<wp:base_site_url>https://blog.example</wp:base_site_url>
	<wp:author><wp:author_id>1</wp:author_id><wp:author_login><![CDATA[editor]]></wp:author_login></wp:author>
	<generator>https://wordpress.org/?v=6.6</generator>
"#;

/// As text of an element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What Disqus exports.
pub(crate) fn disqus(comments: u64, out: &mut impl Write) -> io::Result<()> {
    out.write_all(DISQUS_HEAD.as_bytes())?;
    for article in 1..=articles(comments) {
        write!(
            out,
            "<thread dsq:id=\"{}\">\n<id>page-{article}</id>\n<forum>town</forum>\n<category dsq:id=\"77\" />\n<link>https://blog.example/p/{article}</link>\n\
             <title>{}</title>\n<message></message>\n<createdAt>2012-01-01T00:00:00Z</createdAt>\n<author>\n<name>Editor</name>\n\
             <isAnonymous>false</isAnonymous>\n<username>editor</username>\n</author>\n<isClosed>false</isClosed>\n<isDeleted>false</isDeleted>\n</thread>\n",
            thread(article),
            escaped(&format!("Lanes & gardens, part {article}")),
        )?;
    }
    for number in 1..=comments {
        disqus_post(&comment(number), out)?;
    }
    out.write_all(b"</disqus>\n")
}

/// Disqus' number of an article.
const fn thread(article: u64) -> u64 {
    5_000_000 + article
}

fn disqus_post(comment: &Comment, out: &mut impl Write) -> io::Result<()> {
    let Comment { number, article, parent, was, name, email, account, ip, body, at_ms } = comment;
    let (anonymous, username) = match account {
        Some(account) => ("false", format!("<username>{account}</username>\n")),
        None => ("true", String::new()),
    };
    let parent = parent.map_or_else(String::new, |parent| format!("<parent dsq:id=\"{parent}\" />\n"));
    let is = |state: Was| *was == state;
    write!(
        out,
        "<post dsq:id=\"{number}\">\n<id>wp_id={number}</id>\n<message>{}</message>\n<createdAt>{}</createdAt>\n<isDeleted>{}</isDeleted>\n\
         <isSpam>{}</isSpam>\n<isApproved>{}</isApproved>\n<author>\n<email>{}</email>\n<name>{}</name>\n<isAnonymous>{anonymous}</isAnonymous>\n{username}</author>\n\
         <ipAddress>{ip}</ipAddress>\n<thread dsq:id=\"{}\" />\n{parent}</post>\n",
        cdata(body),
        Timestamp::from_millis(*at_ms),
        is(Was::Deleted),
        is(Was::Spam),
        is(Was::Approved),
        escaped(email),
        escaped(name),
        thread(*article),
    )
}

const DISQUS_HEAD: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<disqus xmlns="http://disqus.com" xmlns:dsq="http://disqus.com/disqus-internals" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://disqus.com/api/schemas/1.0/disqus.xsd http://disqus.com/api/schemas/1.0/disqus.xsd http://disqus.com/api/schemas/1.0/internals.xsd http://disqus.com/api/schemas/1.0/internals.xsd">
<category dsq:id="77">
<forum>town</forum>
<title>General</title>
<isDefault>true</isDefault>
</category>
"#;
