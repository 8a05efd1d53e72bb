//! Fingerprints of short texts, which have too few words to be known by pairs of them: "check my channel", with a letter changed, spaced
//! out, with a name or a number at its end.
//!
//! What is compared is the skeleton: the letters alone, repeated ones once, digits between letters as the letters that they imitate. Blanks,
//! punctuation, emoji and numbers are no part of it. Its hash finds what is the same, a MinHash of its triples of letters what is nearly so.
//!
//! Short texts are said alike by many people who mean nothing by it. What consists of thanks, praise, greetings and laughter has no
//! fingerprint here ([`EVERYDAY`]), nor has what is shorter than a dozen letters; and who asks for similarity gets it only where the texts are
//! of nearly the same length and share two triples of three.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::normalise::{fold_plain, how_long, is_unspaced};
use super::trace::TextTrace;

/// Letters of a skeleton, as in an alphabetic script, below which nothing can be told.
const MIN_LETTERS: usize = 12;
/// Letters above which pairs of words do better.
const MAX_LETTERS: usize = 80;
/// Letters in words that say something.
const MIN_TELLING: usize = 8;
/// Estimated share of triples that two short texts have in common from which they are alike. At 10 of 16, texts that share four fifths of them
/// pass in 19 cases of 20, those that share a third in one of a hundred.
const SAME: f64 = 10.0 / 16.0;

/// Words that people write under anything, in the languages most written.
const EVERYDAY: &str = include_str!("short/everyday.txt");

/// The same where words are not told from each other by blanks, the longest first.
#[rustfmt::skip]
const EVERYDAY_UNSPACED: &[&str] = &[
    "明けましておめでとうございます", "สุขสันต์วันเกิด", "เป็นกำลังใจให้", "ขอบคุณสำหรับ", "ありがとうございました", "ありがとうございます",
    "よろしくお願いします", "楽しみにしています", "ขอบคุณมาก", "ยินดีด้วย", "誕生日おめでとう", "頑張ってください", "勉強になりました", "参考になりました",
    "お疲れさまでした", "応援しています", "面白かったです", "お疲れ様です", "感動しました", "ขอบคุณ", "好人一生平安", "สุดยอด", "ชอบมาก", "น่ารัก",
    "สวยมาก", "ありがとう", "おめでとう", "素晴らしい", "すばらしい", "面白かった", "これからも", "楽しかった", "ดีมาก", "かわいい", "ครับ", "頑張って",
    "良かった", "よかった", "非常感谢", "非常感謝", "新年快乐", "新年快樂", "生日快乐", "生日快樂", "面白い", "大好き", "可愛い", "谢分享", "謝分享", "学习了",
    "好文章", "頑張れ", "いつも", "とても", "すごい", "楽しい", "いいね", "でした", "太好了", "很好看", "辛苦了", "受教了", "说得对", "ค่ะ", "มาก",
    "感谢", "感謝", "支持", "加油", "凄い", "最高", "素敵", "共感", "同感", "記事", "動画", "です", "ます", "很好", "好看", "不错", "不錯",
    "厉害", "厲害", "路过", "沙发", "楼主", "写得", "寫得", "真棒", "真好", "同意", "喜欢", "喜歡", "文章", "视频", "影片", "分享", "非常",
    "คะ", "谢", "謝", "哈", "顶", "赞", "讚",
];

static WORDS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let lines = EVERYDAY.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).map(folded).collect()
});

static PHRASES: LazyLock<Vec<String>> = LazyLock::new(|| EVERYDAY_UNSPACED.iter().copied().map(folded).collect());

/// The skeleton of what the lists say, folded as bodies are.
fn folded(said: &str) -> String {
    skeleton(std::iter::once(fold_plain(said).text()))
}

/// The fingerprints of a text's folded words; `None` where they are too many, or too few to mean anything when they come again.
#[must_use]
pub fn fingerprint(words: &[&str]) -> Option<TextTrace> {
    if words.len() > MAX_LETTERS {
        return None;
    }
    let skeleton = skeleton_up_to(words.iter().copied(), MAX_LETTERS)?;
    let letters = how_long(std::iter::once(skeleton.as_str())).letters;
    if !(MIN_LETTERS..=MAX_LETTERS).contains(&letters) || telling(words, &skeleton) < MIN_TELLING {
        return None;
    }
    let letters: Vec<char> = skeleton.chars().collect();
    let mut triple = String::with_capacity(12);
    let triples = letters.windows(3).map(|three| {
        triple.clear();
        triple.extend(three);
        xxhash_rust::xxh3::xxh3_64(triple.as_bytes())
    });
    TextTrace::of_hashes(xxhash_rust::xxh3::xxh3_64(skeleton.as_bytes()), triples.collect())
}

/// Whether a text of these folded words says little, however often it says it, and nothing but what people write under anything.
#[must_use]
pub fn is_everyday(words: &[&str]) -> bool {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut said: Vec<&str> = Vec::new();
    let anew = words.iter().copied().filter(|word| is_single(word) || seen.insert(word));
    let Some(skeleton) = skeleton_up_to(anew.inspect(|word| said.push(word)), MAX_LETTERS) else { return false };
    let letters = how_long(std::iter::once(skeleton.as_str())).letters;
    letters < MIN_LETTERS || letters <= MAX_LETTERS && telling(&said, &skeleton) < MIN_TELLING
}

/// Whether a word is a single letter.
fn is_single(word: &str) -> bool {
    word.chars().nth(1).is_none()
}

/// Whether two short texts are the same, or nearly.
#[must_use]
pub fn alike(one: &TextTrace, other: &TextTrace) -> bool {
    let (less, more) = (one.size.min(other.size), one.size.max(other.size));
    one.exact == other.exact || u32::from(less) * 3 >= u32::from(more) * 2 && one.similarity(other) >= SAME
}

/// The letters of words, one after the other, repeated ones once.
fn skeleton<'a>(words: impl Iterator<Item = &'a str>) -> String {
    skeleton_up_to(words, usize::MAX).unwrap_or_default()
}

/// The same; `None` as soon as it holds more than `most` letters of the alphabet, so that a long text costs no more than a short one.
fn skeleton_up_to<'a>(words: impl Iterator<Item = &'a str>, most: usize) -> Option<String> {
    let mut ascii = 0;
    let mut letters = String::with_capacity(64);
    let mut last = None;
    for word in words {
        let mut before = false;
        for (at, c) in word.char_indices() {
            let after = || word[at + c.len_utf8()..].chars().next().is_some_and(char::is_alphabetic);
            let c = match c {
                // A digit imitates a letter between letters; what stands at the end of a name counts copies.
                '0' | '1' | '3' | '4' | '5' | '7' if before && after() => imitated(c),
                c => c,
            };
            before = c.is_alphabetic();
            if before && last != Some(c) {
                letters.push(c);
                last = Some(c);
                ascii += usize::from(c.is_ascii());
            }
        }
        if ascii > most {
            return None;
        }
    }
    Some(letters)
}

const fn imitated(digit: char) -> char {
    match digit {
        '0' => 'o',
        '1' => 'i',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        _ => 't',
    }
}

/// Letters in words that are not everyday ones. Single letters in a row are one word: spelled out, praise is praise.
fn telling(words: &[&str], whole: &str) -> usize {
    if whole.chars().next().is_some_and(is_unspaced) {
        let mut rest = whole.to_owned();
        for phrase in PHRASES.iter().filter(|phrase| whole.contains(phrase.as_str())) {
            rest = rest.replace(phrase.as_str(), "");
        }
        return how_long(std::iter::once(rest.as_str())).letters;
    }
    let runs = words.chunk_by(|one, next| is_single(one) && is_single(next));
    let said = runs.map(|run| skeleton(run.iter().copied())).filter(|word| !WORDS.contains(word.as_str()));
    said.map(|word| how_long(std::iter::once(word.as_str())).letters).sum()
}

#[cfg(test)]
mod tests;
