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

use super::normalise::{how_long, is_unspaced};
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

/// Words that people write under anything, in the languages most written: thanks, praise, greetings, laughter, agreement, and what stands
/// between. What sells or begs has others.
const EVERYDAY: &str = "\
    a about absolutely actually admin again agree agreed ago ah all already also always am amazing amen an and another any anyone apart appreciate \
    appreciated are article articles as at author awesome back bad bday be beautiful because been before best better big birthday bless blog boring bravo bro brilliant brother but \
    by bye can cannot cant christmas clear clip come comment comments concise congrats congratulations cool could couldnt crazy crying cute dear \
    definitely did didnt do does doesnt doing done dont dude each easter easy else enjoy enjoyed entire epic episode even ever every everybody everyone \
    everything exactly excellent explained explanation fab fabulous fantastic far fan favorite favourite few fine first five for forever found four friend friends from \
    fun funny genius get gets getting give glad go god going gonna good goodbye gorgeous got great greetings guy guys ha had haha hahaha hah happy has \
    hate have having he hello help helped helpful helps her here hey hi hilarious him his hope how i ideas idk if im impressive in incredible \
    indeed info information informative inspiring insightful interesting into is isnt it its ive job just keep kind know kudos last laugh learn learned least \
    legend like liked likes listen listened listening little lmao lol lolz long look looking looks lot lots love loved lovely loving luck made magnificent make makes man many \
    marvelous masterpiece mate maybe me mean merry mind mine miss more morning most much music must my need never new next nice nicely night no nobody not nothing now of off \
    ok okay old omg on once one only opinion or our out outstanding over part people perfect perfectly person piece please point post posting posts presentation pretty \
    probably proud put question read reading real really regards remember respect right rip rofl sad said same say saying says second see seen serious seriously \
    share shared sharing she should simply sir sister so some someone something song soon sorry still story stuff such sucks super superb sure sweet \
    take talent talented tell than thank thanks thankyou thanx that thats the their them then there these they thing things think third this those though thought three thumbs thx time times to \
    today tomorrow tonight too top totally touching true truly truth tune tutorial twice two ty u understand understandable until up ur us use used useful very video videos vid view views voice \
    want wanted wants was wasnt watch watched watching way we weekend welcome well were what whats when where which while who whole whos why will wish wishes with without \
    wonderful wont word words work worked works world worst would wow write writing written wrong ya yay yea yeah year years yep yes yet yo you your youre yours youtube yup \
    aber alle allen alles als am artikel auch auf beitrag bin bitte bist da danke dank dann das dass dein deine dem den der des dich die dir doch du ein eine einfach er erste erster \
    es euch freue frohe fur für genau genial gerne gruss grüsse gruß grüße gut gute guten guter hab habe haben hallo hat herzlich herzlichen ich ihr immer interessant ist ja klasse \
    leider liebe lieben lieber macht mal mein meine mich mir mit moin morgen nein nicht noch nur oder prima richtig schade schön schöne schöner sehr sein seit sich sie sind \
    so super tag tipp toll tolle toller tut über und viel viele vielen von war was weiter weihnachten wenn werden wie wieder wir wirklich wunderbar zu zum zur zustimmen \
    alors article au aussi avec beau beaucoup belle bien bon bonjour bonne bravo ce cest cet cette ci comme dans de des du elle en encore est et excellent génial grand grande il \
    intéressant je jaime la le les ma magnifique mais me merci mes moi mon ne nous on ou oui par partage pas pour que qui salut si son super ta tes toi ton tout tous tres très trop tu un \
    une va vous votre vraiment \
    abrazo abrazos algo amigo amigos amo aquí artículo así bien bravo bueno buena buenas buenos como con cuando da de del día días dios donde el ella en encanta eres es esa ese esta está este esto \
    excelente feliz felicidades felicitaciones fue genial gracias gran gusta gustó hay hermosa hermoso hola información interesante jaja jajaja la las le lo los mas más me mejor mi mis mucha muchas \
    mucho muy no nos nunca para pero perfecto por porque que qué saludos se ser si sí siempre sin soy su tan te tema tengo tienes todo todos tu tus un una uno usted verdad vídeo video ya yo \
    abraço adorei amei artigo bela belo boa boas bom bem com conteúdo demais deus dia dica dicas do dos e é ele ela em essa esse está eu foi gostei isso linda lindo mais melhor meu minha muita muito \
    muitos na não nem no nos o obrigada obrigado os ótima ótimo para parabéns perfeita perfeito por post pra que saudades sem sempre sensacional ser seu show só sou sua tem texto toda todos um uma \
    valeu você vocês \
    anche articolo bella bello bellissima bellissimo bene bravissimo brava bravi buona buongiorno che ciao come complimenti con cosa di e è fantastico gli grande grandi grazie ho i il in interessante io la \
    lo ma mi mille molto non per più questa questo sei si sono ti tutti tutto un una \
    aan bedankt ben dank dankjewel de dit een geweldig goed goede heel het hoi ik is je jij jullie leuk leuke maar mooi mooie met niet nog ook prachtig super te van voor wat wel \
    ale bardzo brawo cześć dobra dobre dobry dziękuję dzięki fajne fajny i jest nie pozdrawiam się super świetne świetny tak to w wszystkim za \
    bir bu canım çok devam et eline güzel harika için iyi kardeşim sağlık sağlığına ne teşekkür teşekkürler ederim ve yok \
    а автор автору без большое благодарю большой был было в вам вас все всё всем вы да для добрый день еще ещё за и из интересно класс классно круто как когда красиво мне много молодец молодцы мы на надо не \
    нет ни но ну о он она они отлично от очень по пожалуйста полезно понравилось привет про просто рад с спасибо статья статью супер так там то только тоже ты у уже хорошо хорошая хороший что это этот я";

/// The same where words are not told from each other by blanks.
const EVERYDAY_UNSPACED: [&str; 26] = [
    "ありがとうございました",
    "ありがとうございます",
    "ありがとう",
    "お疲れ様です",
    "おめでとう",
    "素晴らしい",
    "すばらしい",
    "面白かった",
    "面白い",
    "大好き",
    "可愛い",
    "かわいい",
    "感動しました",
    "谢分享",
    "謝分享",
    "感谢",
    "感謝",
    "谢",
    "謝",
    "学习了",
    "支持",
    "加油",
    "好文章",
    "哈",
    "ขอบคุณ",
    "ครับ",
];

static WORDS: LazyLock<HashSet<String>> =
    LazyLock::new(|| EVERYDAY.split_ascii_whitespace().map(|word| skeleton(std::iter::once(word))).collect());

/// The fingerprints of a text's folded words; `None` where they are too many, or too few to mean anything when they come again.
#[must_use]
pub fn fingerprint(words: &[&str]) -> Option<TextTrace> {
    if words.len() > MAX_LETTERS {
        return None;
    }
    let skeleton = skeleton(words.iter().copied());
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

/// Whether two short texts are the same, or nearly.
#[must_use]
pub fn alike(one: &TextTrace, other: &TextTrace) -> bool {
    let (less, more) = (one.size.min(other.size), one.size.max(other.size));
    one.exact == other.exact || u32::from(less) * 3 >= u32::from(more) * 2 && one.similarity(other) >= SAME
}

/// The letters of words, one after the other, repeated ones once.
fn skeleton<'a>(words: impl Iterator<Item = &'a str>) -> String {
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
            }
        }
    }
    letters
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
        for phrase in EVERYDAY_UNSPACED.iter().filter(|phrase| whole.contains(**phrase)) {
            rest = rest.replace(phrase, "");
        }
        return how_long(std::iter::once(rest.as_str())).letters;
    }
    let is_single = |word: &&str| word.chars().nth(1).is_none();
    let runs = words.chunk_by(|one, next| is_single(one) && is_single(next));
    let said = runs.map(|run| skeleton(run.iter().copied())).filter(|word| !WORDS.contains(word.as_str()));
    said.map(|word| how_long(std::iter::once(word.as_str())).letters).sum()
}

#[cfg(test)]
mod tests;
