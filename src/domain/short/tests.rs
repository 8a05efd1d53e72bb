use super::*;
use crate::domain::comment::Format;
use crate::domain::normalise::Body;

fn of(text: &str) -> Option<TextTrace> {
    let body = Body::read(text, Format::Text);
    fingerprint(&body.words().collect::<Vec<_>>())
}

fn are_alike(one: &str, other: &str) -> bool {
    of(one).zip(of(other)).is_some_and(|(one, other)| alike(&one, &other))
}

#[test]
fn disguises_of_one_short_text_are_alike() {
    let advert = "Get free followers at pixelboost today";
    let cases: &[(&str, &str, &str)] = &[
        ("case and marks", advert, "GET FREE FOLLOWERS at PixelBoost, today!!!"),
        ("spelled out", advert, "G e t f r e e f o l l o w e r s a t p i x e l b o o s t t o d a y"),
        ("points in between", advert, "Get f.r.e.e followers at pixel.boost today"),
        ("emoji in between", advert, "Get \u{1f525}free\u{1f525} follow\u{1f680}ers at pixelboost today \u{1f4b0}"),
        ("repeated letters", advert, "Get freeeee followersss at pixelboost todaaay"),
        (
            "another number at the end",
            "Get free followers at pixelboost today 4411",
            "Get free followers at pixelboost today 83",
        ),
        (
            "a number for a count",
            "Get 500 free followers at pixelboost today",
            "Get 9000 free followers at pixelboost today",
        ),
        ("digits as letters", advert, "G3t fr3e f0llowers at p1xelb0ost t0day"),
        ("look-alike letters", advert, "Get fr\u{435}e f\u{43e}llowers at pixelb\u{43e}ost t\u{43e}day"),
        ("invisible letters", advert, "Get fr\u{200b}ee follow\u{200b}ers at pixelboost today"),
        ("words together", advert, "GetFreeFollowers at PixelBoost today"),
        ("a letter changed", advert, "Get free followers at pixelbaost today"),
        ("a letter left out", advert, "Get free folowers at pixelbost today"),
        ("a letter more", advert, "Get free followers at pixelboosts today"),
        (
            "a word left out",
            "Get your free followers now at pixelboost today",
            "Get your free followers at pixelboost today",
        ),
        ("a short word more", advert, "Get free followers now at pixelboost today"),
        (
            "a name at the end",
            "Get free followers at the pixelboost site today",
            "Get free followers at the pixelboost site today Dave",
        ),
        (
            "a name in front",
            "Get free followers at the pixelboost site today",
            "Bob get free followers at the pixelboost site today",
        ),
        ("three words", "check my channel", "Check my channel!!! :)"),
        ("begging spelled out", "please subscribe to my channel", "please s u b s c r i b e to my channel <3"),
        ("other marks for blanks", "cheap watches whatsapp me", "cheap_watches_whatsapp_me"),
        ("Russian", "подпишись на мой канал с рецептами", "Подпишись   на мой канал, с рецептами!!! 77"),
        ("Spanish", "suscríbete a mi canal de recetas", "Suscríbete a mi canal de recetas!!! 5"),
        ("German", "Günstige Kredite ohne Schufa bei mir", "günstige KREDITE ohne Schufa, bei mir ✅"),
        ("Chinese", "加微信领取免费资料", "加微信，领取免费资料！"),
        ("Korean", "무료 충전 카지노 가입하세요", "무료충전 카지노 가입하세요!!! 77"),
        ("Indonesian", "daftar situs slot gacor sekarang", "DAFTAR situs slot gacor sekarang \u{1f525}"),
        ("Arabic", "اشترك في قناتي لربح المال", "اشترك   في قناتي، لربح المال!!!"),
        ("Greek", "κάνε εγγραφή στο κανάλι μου", "Κάνε εγγραφή στο κανάλι μου!!! 5"),
    ];
    for (name, one, other) in cases {
        assert!(are_alike(one, other), "{name}: {one} / {other}");
    }
}

#[test]
fn short_texts_that_say_different_things_are_not_alike() {
    let cases: &[(&str, &str)] = &[
        ("Get free followers at pixelboost today", "The bakery at the corner closes today"),
        ("check my channel", "channel four had a report on this"),
        ("please subscribe to my channel", "please bring back the old channel logo"),
        ("The mayor promised a bridge in spring", "The mayor promised a tunnel and a tram"),
        ("The mayor promised a bridge in spring", "In spring the river floods that meadow"),
        ("cheap watches whatsapp me", "cheap flights harm the climate"),
        ("Which bus goes to the harbour museum?", "Which train stops at the castle garden?"),
        ("Which bus goes to the harbour museum?", "Which harbour is the museum in?"),
        ("My grandmother baked this with plums", "My grandfather built this with planks"),
        ("Does this run on Windows Server?", "Does this run on a Raspberry Pi?"),
        ("Does it compile with the newest toolchain?", "Does it crash with the newest driver?"),
        ("The second chart has no units", "The first table has wrong totals"),
        ("Rents in Hamburg doubled within a decade", "Rents in Munich never fell at all"),
        ("I disagree with the second paragraph", "I disagree with the minister on taxes"),
        ("Could somebody translate the refrain?", "Could somebody fix the broken stairs?"),
        ("The goalkeeper was offside by a metre", "The goalkeeper saved us again tonight"),
        ("подпишись на мой канал с рецептами", "подскажите рецепт этого супа"),
        ("Günstige Kredite ohne Schufa bei mir", "Die Kreditzinsen steigen seit Monaten"),
        ("suscríbete a mi canal de recetas", "la receta de mi abuela lleva canela"),
        ("加微信领取免费资料", "这座桥去年就应该修好"),
        ("Line 12 should say minus instead of plus", "Line 40 misses a closing bracket"),
        ("Sourdough needs at least a day of rest", "Sourdough starter smells of vinegar"),
    ];
    for (one, other) in cases {
        assert!(of(one).is_some() && of(other).is_some(), "both have fingerprints: {one} / {other}");
        assert!(!are_alike(one, other), "{one} / {other}");
    }
}

#[test]
fn what_people_write_under_anything_has_no_fingerprint() {
    let everyday = [
        "great article, thanks",
        "first!",
        "lol",
        "me too",
        "Thanks for sharing this!",
        "Thank you so much for this video",
        "I love this song so much",
        "+1",
        "So true",
        "Best video ever!!!",
        "Greeeeat post, thank you",
        "t h a n k s",
        "hahahahaha",
        "I totally agree with you",
        "Wow, amazing work, keep it up!",
        "Nice one, well written, thanks for this",
        "who is still watching this?",
        "Vielen Dank für den tollen Artikel",
        "Merci beaucoup pour cet article",
        "Muchas gracias por la información",
        "Muito obrigado, adorei o artigo",
        "Спасибо большое, очень интересно",
        "ありがとうございます",
        "谢谢分享，支持",
        "Happy new year everyone",
        "This is so cool",
        "2013",
        "\u{1f44d}\u{1f44d}",
        "Could not have said it better",
        "Greetings from Argentina, love this song!",
        "Tack så mycket för en jättebra artikel",
        "Tusen takk, veldig fint innlegg",
        "Kiitos paljon, todella hieno kirjoitus",
        "Děkuji moc za skvělý článek",
        "Köszönöm szépen, nagyon jó cikk",
        "Mulțumesc foarte mult pentru articol",
        "Ευχαριστώ πολύ, υπέροχο άρθρο",
        "Слава Україні! Героям слава!",
        "Дуже дякую, цікава стаття",
        "Terima kasih banyak, sangat bermanfaat",
        "Cảm ơn bạn rất nhiều, bài viết rất hay",
        "Maraming salamat po sa video",
        "شكرا جزيلا لك، موضوع رائع ومفيد",
        "خیلی ممنون از شما، عالی بود",
        "תודה רבה, כתבה מעניינת מאוד",
        "बहुत बहुत धन्यवाद भाई, शानदार",
        "좋은 글 정말 감사합니다 ㅋㅋㅋ",
        "새해 복 많이 받으세요",
        "いつも楽しみにしています",
        "誕生日おめでとうございます",
        "非常感谢分享，新年快乐",
        "ขอบคุณมากครับ สุดยอด",
    ];
    for text in everyday {
        assert_eq!(of(text), None, "{text}");
    }
}

#[test]
fn long_texts_are_left_to_pairs_of_words() {
    let long = "I have been reading your articles for a week and they helped me to earn money from home, so ask me how, and I will tell you and all of your neighbours, colleagues and relatives";
    assert_eq!(of(long), None);
    assert!(of(&"a b ".repeat(5_000)).is_none());
}
