//! The language of a comment, when it can be told.

use whatlang::{Lang, detect};

use super::{Body, leading_language};
use crate::domain::comment::NewComment;

/// Letters below which trigrams guess.
const MIN_LETTERS: usize = 40;

/// Languages that are meant where their commonest words say so surely: none that sites are written in shares so many of them, as Danish does
/// with Swedish. Telling them by trigrams took longer than judging the comment.
const TOLD_BY_WORDS: [&str; 3] = ["en", "de", "fr"];

/// The language of a comment, as an ISO 639-1 code: told when the text is long enough, else the article's when the
/// site says it.
#[must_use]
pub fn language(sent: &NewComment, body: &Body) -> Option<String> {
    let text = body.plain.text();
    let by_words = || leading_language(body.words()).filter(|code| TOLD_BY_WORDS.contains(code));
    let told = if is_long_enough(text) { by_words().or_else(|| detected(text)) } else { None };
    told.map(str::to_owned).or_else(|| {
        let lang = sent.article.lang.as_deref()?;
        let primary = lang.split(['-', '_']).next().unwrap_or(lang);
        Some(primary.to_ascii_lowercase())
    })
}

/// The language that `text` is surely written in, as an ISO 639-1 code.
#[must_use]
pub fn detected(text: &str) -> Option<&'static str> {
    if !is_long_enough(text) {
        return None;
    }
    // Enough to tell by, and bounded: detection is linear with a large constant.
    let end = text.char_indices().nth(600).map_or(text.len(), |(at, _)| at);
    let info = detect(&text[..end])?;
    info.is_reliable().then(|| two_letters(info.lang()))
}

fn is_long_enough(text: &str) -> bool {
    text.chars().filter(|c| c.is_alphabetic()).take(MIN_LETTERS).count() == MIN_LETTERS
}

fn two_letters(lang: Lang) -> &'static str {
    match lang {
        Lang::Eng => "en",
        Lang::Deu => "de",
        Lang::Fra => "fr",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Nld => "nl",
        Lang::Rus => "ru",
        Lang::Ukr => "uk",
        Lang::Bel => "be",
        Lang::Bul => "bg",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Pol => "pl",
        Lang::Ces => "cs",
        Lang::Slk => "sk",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Hun => "hu",
        Lang::Ron => "ro",
        Lang::Ell => "el",
        Lang::Tur => "tr",
        Lang::Aze => "az",
        Lang::Uzb => "uz",
        Lang::Tuk => "tk",
        Lang::Dan => "da",
        Lang::Swe => "sv",
        Lang::Nob => "nb",
        Lang::Fin => "fi",
        Lang::Est => "et",
        Lang::Lav => "lv",
        Lang::Lit => "lt",
        Lang::Cat => "ca",
        Lang::Ara => "ar",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Pes => "fa",
        Lang::Urd => "ur",
        Lang::Hin => "hi",
        Lang::Ben => "bn",
        Lang::Mar => "mr",
        Lang::Guj => "gu",
        Lang::Pan => "pa",
        Lang::Tam => "ta",
        Lang::Tel => "te",
        Lang::Kan => "kn",
        Lang::Mal => "ml",
        Lang::Ori => "or",
        Lang::Sin => "si",
        Lang::Nep => "ne",
        Lang::Tha => "th",
        Lang::Khm => "km",
        Lang::Mya => "my",
        Lang::Vie => "vi",
        Lang::Ind => "id",
        Lang::Jav => "jv",
        Lang::Tgl => "tl",
        Lang::Cmn => "zh",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Kat => "ka",
        Lang::Hye => "hy",
        Lang::Amh => "am",
        Lang::Epo => "eo",
        Lang::Lat => "la",
        Lang::Afr => "af",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Aka => "ak",
        Lang::Cym => "cy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::comment::{ArticleDraft, Bounds, Draft};

    fn told(body: &str) -> Option<String> {
        let article = ArticleDraft { id: "a".to_owned(), lang: Some("pt-BR".to_owned()), ..ArticleDraft::default() };
        let draft = Draft { id: "c".to_owned(), article, body: body.to_owned(), ..Draft::default() };
        let sent = draft.parse(&Bounds::default()).unwrap();
        let body = Body::read(&sent.body, sent.format);
        language(&sent, &body)
    }

    #[test]
    fn languages_are_told_by_words_where_those_are_sure_and_by_trigrams_elsewhere() {
        let by_words = [
            ("en", "The bridge is fine, but the council should have asked the people who cross it every day."),
            ("de", "Die Brücke ist schön, aber man hätte die Leute fragen sollen, die jeden Tag mit dem Rad kommen."),
            ("fr", "Le pont est très beau, mais on aurait dû demander aux gens qui le prennent tous les jours."),
            ("pt", "Nice bridge!"), // too short to tell: the page's
        ];
        for (lang, body) in by_words {
            assert_eq!(told(body).as_deref(), Some(lang), "{body}");
        }
        let by_trigrams = [
            "Jeg tror ikke, at det er godt for en by som vores, og de har ikke sagt, hvad det kommer til at koste.",
            "De brug is mooi, maar ze hadden het eerst aan de mensen moeten vragen die er elke dag overheen gaan.",
            "El puente es bonito, pero tendrían que haber preguntado a la gente que lo cruza todos los días.",
        ];
        for body in by_trigrams {
            assert_eq!(told(body).as_deref(), detected(body).or(Some("pt")), "{body}");
        }
    }
}
