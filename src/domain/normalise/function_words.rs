//! Which language a text is in, told by its commonest words: coarse, and cheap enough for every comment.
//!
//! Trigrams ([`super::detected`]) know many more languages and cost more than everything else together. Here it is enough to tell that a
//! comment is surely in another of the languages that most spam and most sites are written in; what cannot be told is not told.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use unicode_script::{Script, UnicodeScript as _};

use crate::domain::comment::Article;

/// Languages with words that stand in nearly every sentence, folded.
const LANGUAGES: &[(&str, &str)] = &[
    (
        "en",
        "the and is are was were this that these those with for you your have has not but what when which would there they their from about it's i'm don't of to in be it my we he she his her who how can will just so if or as at by an do does did been because than then",
    ),
    (
        "de",
        "der die das und ist nicht ich du wir ihr sie es ein eine einen einem mit auf für von zu den dem des im auch aber wenn wie was noch nur schon sind war haben hat wird sich so oder bei nach mir mich dass doch kann",
    ),
    (
        "fr",
        "le la les des et est pas je tu il elle nous vous ils une un du dans pour sur avec que qui ce cette c'est sont mais ou où plus très au aux par ne se sa son ses comme tout bien j'ai",
    ),
    (
        "es",
        "el la los las y es no yo que en un una por con para del se lo su al más pero como muy este esta esto son está hay si me mi te tu le ya todo también cuando",
    ),
    (
        "pt",
        "o os as e é não eu que em um uma por com para do da dos das no na se mais mas como muito este esta isso são está tem meu minha seu sua você também quando já ao foi",
    ),
    (
        "it",
        "il lo la gli le e è non io che di in un una per con del della dei si più ma come molto questo questa sono ho hai ha mi ti ci anche quando nel alla tutto bene",
    ),
    (
        "nl",
        "de het een en is niet ik je jij wij zij van in op met voor dat die er aan ook maar als wat nog wel zijn was heb heeft bij naar zo dan om te mijn deze dit",
    ),
    (
        "pl",
        "i w na nie się z że to jest do co jak ale za tak od po czy jego był być są tylko już może dla przez ja ty my bardzo który która",
    ),
    (
        "sv",
        "och i att det är som en på av för med den till har inte jag du vi de ett om men så kan var från eller han hon när mycket",
    ),
    (
        "tr",
        "ve bir bu da de için ile çok ne var ben sen o biz gibi daha kadar ama mi mı değil olan her şey olarak en sonra ki",
    ),
    (
        "id",
        "yang dan di ini itu dari untuk dengan tidak ada saya kamu kita akan juga bisa pada ke atau karena sudah anda lebih banyak",
    ),
    (
        "ru",
        "и в не на я что он с как это по но они мы ты вы так же за от из у о для если уже или бы был была есть все только очень",
    ),
    (
        "uk",
        "і в не на я що він з як це по але вони ми ти ви так за від із у для якщо вже або був була є все тільки дуже та",
    ),
];

/// FNV-1a: quick on short words. What is looked up comes from strangers, and the words that they might collide with are fixed.
#[derive(Default)]
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

static WORDS: LazyLock<HashMap<&str, u16, BuildHasherDefault<Fnv>>> = LazyLock::new(|| {
    let mut all: HashMap<&str, u16, BuildHasherDefault<Fnv>> = HashMap::default();
    for (at, (_, words)) in LANGUAGES.iter().enumerate() {
        for word in words.split(' ') {
            *all.entry(word).or_default() |= 1 << at;
        }
    }
    all
});

/// Votes below which nothing is told.
const MIN_VOTES: usize = 4;
/// Words looked at.
const MAX_WORDS: usize = 200;

/// The language of folded words, as an ISO 639-1 code; `None` when it is none of those known here, or not surely one of them.
#[must_use]
pub fn likely_language<'a>(words: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let votes = Votes::of(words);
    votes.best.filter(|_| votes.are_sure())
}

/// The same, and where few of the words are among the commonest, the language that nearly all of those few belong to: what a text that is long
/// enough to be told at all is filed under. Whose queue it comes into may hang on it; no check does.
#[must_use]
pub fn leading_language<'a>(words: impl Iterator<Item = &'a str>) -> Option<&'static str> {
    let votes = Votes::of(words);
    votes.best.filter(|_| votes.are_sure() || votes.are_one_sided())
}

/// How many words are common in which language.
struct Votes {
    best: Option<&'static str>,
    most: usize,
    second: usize,
    words: usize,
}

impl Votes {
    fn of<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let mut votes = [0_usize; 16];
        let mut count = 0;
        for word in words.take(MAX_WORDS) {
            count += 1;
            let mut mask = WORDS.get(word).copied().unwrap_or(0);
            while mask != 0 {
                votes[mask.trailing_zeros() as usize] += 1;
                mask &= mask - 1;
            }
        }
        let ranked = votes.iter().copied().enumerate();
        let (at, most) = ranked.clone().max_by_key(|(at, votes)| (*votes, std::cmp::Reverse(*at))).unwrap_or_default();
        let second = ranked.filter(|(other, _)| *other != at).map(|(_, votes)| votes).max().unwrap_or_default();
        Self { best: LANGUAGES.get(at).map(|(code, _)| *code), most, second, words: count }
    }

    fn are_sure(&self) -> bool {
        let Self { most, second, words, .. } = *self;
        most >= MIN_VOTES && most * 5 >= words && most >= second + 3 && most * 2 >= second * 3
    }

    /// One word in eight, and next to none of any other language.
    fn are_one_sided(&self) -> bool {
        let Self { most, second, words, .. } = *self;
        most >= MIN_VOTES && most * 8 >= words && most >= second * 3
    }
}

/// Whether [`likely_language`] can answer with that language, an ISO 639-1 code. Text in any other may come out as a neighbour that it knows: Norwegian
/// as Swedish, Bulgarian as Russian.
#[must_use]
pub fn knows_language(code: &str) -> bool {
    LANGUAGES.iter().any(|(known, _)| *known == code)
}

/// The language of a page: what the site says, else what its title and the beginning of its text are surely written in.
#[must_use]
pub fn language_of(article: &Article) -> Option<String> {
    if let Some(lang) = &article.lang {
        return Some(lang.split(['-', '_']).next().unwrap_or(lang).to_ascii_lowercase());
    }
    let text = article.title.iter().chain(&article.text).map(String::as_str);
    let beginning: String = text.flat_map(|text| text.chars().take(2_000).chain([' '])).collect();
    let folded = super::fold_plain(&beginning).into_text();
    let words = super::words(&folded);
    likely_language(words.iter().map(|word| &folded[word.start as usize..word.end as usize])).map(str::to_owned)
}

/// A way of writing, coarser than a script where languages mix several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Writing {
    /// Latin letters.
    Latin,
    /// Cyrillic letters.
    Cyrillic,
    /// Greek letters.
    Greek,
    /// Arabic letters.
    Arabic,
    /// Hebrew letters.
    Hebrew,
    /// Chinese characters and kana.
    EastAsian,
    /// Korean syllables.
    Korean,
    /// Thai letters.
    Thai,
    /// Letters of India.
    Indic,
}

impl Writing {
    fn of(c: char) -> Option<Self> {
        if c.is_ascii_alphabetic() {
            return Some(Self::Latin);
        }
        match c.script() {
            Script::Latin => Some(Self::Latin),
            Script::Cyrillic => Some(Self::Cyrillic),
            Script::Greek => Some(Self::Greek),
            Script::Arabic => Some(Self::Arabic),
            Script::Hebrew => Some(Self::Hebrew),
            Script::Han | Script::Hiragana | Script::Katakana => Some(Self::EastAsian),
            Script::Hangul => Some(Self::Korean),
            Script::Thai => Some(Self::Thai),
            Script::Devanagari | Script::Bengali | Script::Tamil | Script::Telugu | Script::Gujarati => {
                Some(Self::Indic)
            }
            _ => None,
        }
    }

    /// Its name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latin => "Latin",
            Self::Cyrillic => "Cyrillic",
            Self::Greek => "Greek",
            Self::Arabic => "Arabic",
            Self::Hebrew => "Hebrew",
            Self::EastAsian => "Chinese or Japanese",
            Self::Korean => "Korean",
            Self::Thai => "Thai",
            Self::Indic => "Indic",
        }
    }
}

/// How most of a text is written: four letters in five, of at least ten, among the first few hundred; a Chinese or Korean character counts for three.
#[must_use]
pub fn writing(text: &str) -> Option<Writing> {
    if text.is_ascii() {
        let enough = text.bytes().filter(u8::is_ascii_alphabetic).take(10).count() == 10;
        return enough.then_some(Writing::Latin);
    }
    let mut counts: Vec<(Writing, usize)> = Vec::new();
    let mut all = 0;
    for writing in text.chars().take(400).filter(|c| c.is_alphabetic()).filter_map(Writing::of) {
        let weight = if matches!(writing, Writing::EastAsian | Writing::Korean) { 3 } else { 1 };
        all += weight;
        match counts.iter_mut().find(|(counted, _)| *counted == writing) {
            Some((_, count)) => *count += weight,
            None => counts.push((writing, weight)),
        }
    }
    let (most, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (all >= 10 && count * 5 >= all * 4).then_some(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<&'static str> {
        let folded = crate::domain::normalise::fold_plain(text).into_text();
        let words = crate::domain::normalise::words(&folded);
        likely_language(words.iter().map(|word| &folded[word.start as usize..word.end as usize]))
    }

    #[test]
    fn languages_are_told_by_their_commonest_words() {
        let cases = [
            ("I think that this is what they said about the bridge", Some("en")),
            ("Ich glaube nicht, dass die Brücke noch in diesem Jahr fertig wird, aber wir werden es sehen", Some("de")),
            ("Je ne pense pas que le pont soit fini cette année, mais nous verrons bien", Some("fr")),
            ("No creo que el puente esté listo este año, pero ya veremos qué pasa con los plazos", Some("es")),
            ("Eu não acho que a ponte fique pronta este ano, mas vamos ver o que acontece com os prazos", Some("pt")),
            ("Я думаю, что мост в этом году не откроют, но мы все равно будем ждать", Some("ru")),
            ("Great!", None),
            ("Rammstein Sonne Mutter Engel live Berlin", None),
            ("42 23 17 4 8", None),
        ];
        for (text, lang) in cases {
            assert_eq!(told(text), lang, "{text}");
        }
    }

    #[test]
    fn writing_is_told_when_most_of_it_is_one() {
        let cases = [
            ("an ordinary sentence", Some(Writing::Latin)),
            ("Это предложение", Some(Writing::Cyrillic)),
            ("我喜欢这篇文章", Some(Writing::EastAsian)),
            ("この記事が好きです", Some(Writing::EastAsian)),
            ("좋은 글입니다", Some(Writing::Korean)),
            ("ok", None),
            ("half английский half русский слова", None),
        ];
        for (text, expected) in cases {
            assert_eq!(writing(text), expected, "{text}");
        }
    }
}
