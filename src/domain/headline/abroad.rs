//! Words that say nothing about a story in German, Portuguese, Spanish, French, Italian, Dutch and Russian, written from grammars, not counted in
//! any set. They are left out of what a sentence of those languages is known by; English ones never get here.

/// Whether a folded word is among the common ones.
pub(super) fn is_common(word: &str) -> bool {
    COMMON.binary_search(&word).is_ok()
}

/// Whether a folded word is among them, and no word of English, nor a part of names that English uses.
pub(super) fn tells(word: &str) -> bool {
    is_common(word) && ENGLISH_TOO.binary_search(&word).is_err()
}

#[rustfmt::skip]
const COMMON: &[&str] = &[
        "aan", "aber", "al", "algo", "alla", "alle", "alles", "als", "anche", "ao", "aos", "ate", "até", "au",
        "auch", "auf", "aus", "aussi", "aux", "avec", "bei", "bien", "bij", "bin", "bis", "bist", "c'est", "ce",
        "ces", "cette", "che", "chi", "ci", "com", "comme", "como", "con", "cosa", "cuando", "da", "dai", "dal",
        "dalla", "dan", "dann", "dans", "das", "dass", "dat", "daß", "de", "degli", "dei", "dein", "del", "dela",
        "dele", "della", "delle", "dem", "den", "denn", "der", "des", "desde", "deze", "di", "dich", "die", "dir",
        "dit", "doch", "donc", "donde", "door", "dos", "du", "durch", "e", "een", "ein", "eine", "einem", "einen",
        "einer", "eines", "el", "ela", "ele", "eles", "ella", "elle", "elles", "ellos", "em", "en", "entre", "er",
        "era", "es", "esa", "ese", "eso", "essa", "esse", "est", "esta", "estao", "este", "esto", "está", "estão",
        "et", "etre", "eu", "euch", "fait", "foi", "foram", "fue", "fur", "für", "geen", "gegen", "gibt", "gli",
        "ha", "haar", "habe", "haben", "hai", "hanno", "hat", "hatte", "hay", "heb", "hebben", "heeft", "het",
        "hier", "hij", "ho", "hoe", "ich", "ihm", "ihn", "ihr", "ihre", "ihren", "ik", "il", "ils", "im", "immer",
        "io", "isso", "ist", "isto", "ja", "je", "jetzt", "jij", "já", "kan", "kann", "kein", "keine", "keinen",
        "konnen", "können", "la", "las", "le", "lei", "les", "leur", "leurs", "lo", "loro", "los", "lui", "lá", "ma",
        "maar", "machen", "macht", "mais", "man", "mas", "meer", "mehr", "mein", "meme", "mes", "mesmo", "met",
        "meu", "mi", "mich", "mijn", "minha", "mio", "mir", "mis", "mit", "moi", "mon", "muito", "muss", "mussen",
        "muy", "más", "même", "müssen", "na", "naar", "nach", "nada", "nao", "nas", "ne", "nei", "nel", "nella",
        "nem", "ni", "nicht", "nichts", "niet", "noch", "nog", "noi", "non", "nos", "notre", "nous", "nu", "num",
        "numa", "nur", "não", "nós", "o", "ob", "oder", "ohne", "om", "onder", "ons", "ont", "ook", "op", "ou", "où",
        "par", "para", "pas", "pela", "pelo", "per", "perche", "perché", "pero", "piu", "più", "plus", "poi", "por",
        "porque", "pour", "pra", "quand", "quando", "que", "quello", "quem", "questa", "questo", "qui", "quien",
        "qué", "sa", "sans", "sao", "schon", "se", "sei", "sein", "seine", "sem", "ser", "ses", "seu", "si", "sia",
        "sich", "sie", "sin", "sind", "sobre", "soll", "sollte", "son", "sono", "sont", "su", "sua", "suis", "suo",
        "sur", "sus", "são", "sí", "só", "ta", "tambien", "también", "te", "tem", "tes", "ti", "tiene", "todo",
        "todos", "toi", "ton", "tot", "tous", "tout", "tu", "tudo", "tutti", "tutto", "tú", "uber", "uit", "um",
        "uma", "un", "una", "und", "une", "uno", "uns", "unser", "unter", "vai", "van", "vc", "veel", "vi", "viel",
        "voce", "voces", "você", "vocês", "voi", "vom", "von", "voor", "vor", "vos", "votre", "vous", "waar", "war",
        "waren", "warum", "wat", "weil", "wenn", "wer", "werd", "werden", "wie", "wieder", "wij", "wir", "wird",
        "wo", "worden", "wordt", "wurde", "wurden", "y", "ya", "yo", "zal", "ze", "zich", "zij", "zijn", "zo",
        "zonder", "zu", "zum", "zur", "ça", "è", "é", "être", "über", "а", "без", "бы", "был", "была", "было",
        "быть", "в", "вам", "вас", "во", "вот", "все", "всё", "вы", "где", "да", "даже", "для", "до", "его", "ее",
        "если", "есть", "еще", "ещё", "её", "же", "за", "и", "из", "или", "им", "их", "к", "как", "когда", "кто",
        "ли", "мне", "мы", "на", "не", "него", "нет", "ни", "но", "ну", "о", "об", "он", "она", "они", "от", "по",
        "под", "при", "с", "со", "так", "там", "то", "тоже", "только", "ты", "у", "уже", "что", "чтобы", "эта",
        "это", "этот", "я",
];

#[rustfmt::skip]
const ENGLISH_TOO: &[&str] = &[
        "au", "aux", "bin", "c'est", "chi", "con", "da", "dai", "dal", "dan", "das", "dat", "de", "dei", "del",
        "dem", "den", "der", "des", "di", "die", "dir", "du", "e", "el", "en", "er", "era", "es", "est", "et",
        "fait", "gli", "ha", "hat", "hay", "het", "hier", "ho", "hoe", "il", "ils", "io", "je", "kan", "la", "las",
        "le", "les", "lo", "los", "ma", "maar", "man", "mas", "met", "mi", "mon", "nu", "o", "ob", "om", "op", "par",
        "pas", "per", "plus", "pour", "sa", "sans", "se", "sei", "ser", "si", "sia", "sin", "son", "sur", "ta", "te",
        "ti", "ton", "tot", "tout", "tu", "um", "un", "van", "vi", "von", "vor", "vos", "war", "wat", "wie", "wo",
        "y", "ya", "ze", "zo",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_order_and_the_second_is_part_of_the_first() {
        assert!(COMMON.is_sorted() && ENGLISH_TOO.is_sorted());
        assert!(ENGLISH_TOO.iter().all(|word| is_common(word)));
        assert!(tells("nicht") && tells("isso") && !tells("die") && !tells("the"));
    }
}
