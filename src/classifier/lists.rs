//! Words that mean the same on every site, by what they are used for.
//!
//! Written by hand from general knowledge of how spam, insults and discussions sound: a list that was read off one set of spam would look well on
//! that set and nowhere else. Changing a list changes [`super::features::SPEC`].

use std::sync::LazyLock;

use super::features::word_hash;

pub(super) const ACT: u64 = 1 << 0;
pub(super) const OFFER: u64 = 1 << 1;
pub(super) const PRAISE: u64 = 1 << 2;
pub(super) const PAGE: u64 = 1 << 3;
pub(super) const OURS: u64 = 1 << 4;
pub(super) const HERE: u64 = 1 << 5;
pub(super) const ME: u64 = 1 << 6;
pub(super) const YOU: u64 = 1 << 7;
pub(super) const GAIN: u64 = 1 << 8;
pub(super) const SALE: u64 = 1 << 9;
pub(super) const CHAT: u64 = 1 << 10;
pub(super) const BEGS: u64 = 1 << 11;
pub(super) const GAMBLING: u64 = 1 << 12;
pub(super) const REMEDY: u64 = 1 << 13;
pub(super) const SEX: u64 = 1 << 14;
pub(super) const LENDING: u64 = 1 << 15;
pub(super) const COINS: u64 = 1 << 16;
pub(super) const RANKING: u64 = 1 << 17;
pub(super) const MAGIC: u64 = 1 << 18;
pub(super) const ARGUES: u64 = 1 << 19;
pub(super) const INSULT: u64 = 1 << 20;
pub(super) const SWEARS: u64 = 1 << 21;
pub(super) const THREAT: u64 = 1 << 22;
pub(super) const FUNCTION: u64 = 1 << 23;
pub(super) const BEST: u64 = 1 << 24;
pub(super) const WANT: u64 = 1 << 25;
pub(super) const WE: u64 = 1 << 26;
pub(super) const OFFERS: u64 = 1 << 27;
pub(super) const TEST: u64 = 1 << 28;
pub(super) const CALLS: u64 = 1 << 29;
pub(super) const NEGATES: u64 = 1 << 30;
pub(super) const PAST: u64 = 1 << 31;
pub(super) const HEDGES: u64 = 1 << 32;
pub(super) const OTHERS: u64 = 1 << 33;
pub(super) const JOBS: u64 = 1 << 34;
pub(super) const STUDY: u64 = 1 << 35;
pub(super) const SERVICES: u64 = 1 << 36;
pub(super) const STREAMS: u64 = 1 << 37;
pub(super) const SUPPORT: u64 = 1 << 38;
pub(super) const REFERS: u64 = 1 << 39;
pub(super) const PAPERS: u64 = 1 << 40;
pub(super) const TRICKS: u64 = 1 << 41;
pub(super) const WARES: u64 = 1 << 42;
pub(super) const REASONS: u64 = 1 << 43;
/// Names of groups of people: religions, nations, orientations, genders, colours, ages, disabilities. The model does not see them. By a replica of
/// the trainer, naming a group in neutral sentences (ours, not the tests') raised the probability of abuse by .024 before, by .016 with one common
/// token for all names (.009 with more neutral sentences to learn from), by .004 with the token only in pairs, and by less than .001 now. The price
/// is AUC of abuse, where names had been half of the evidence: wiki_toxic unseen .850, .843, .831, .831; davidson_hate unseen .768 in all four;
/// held-out groups .976, .975, .974, .974. A good half of that is `gay` as an insult (.839 with it seen, but .10 for a neutral sentence with it).
pub(super) const GROUP: u64 = 1 << 44;
/// What is bought and sold by spam, wherever it appears.
pub(super) const TRADES: u64 =
    GAMBLING | REMEDY | SEX | LENDING | COINS | RANKING | MAGIC | STUDY | SERVICES | STREAMS | PAPERS | TRICKS | WARES;

const LISTS: &[(u64, &str)] = &[
    (
        ACT,
        "click visit subscribe join follow check checkout download contact call text dm message email mail add register \
           signup sign order buy apply try watch hurry reach whatsapp claim grab",
    ),
    (
        OFFER,
        "channel website site blog page video videos vid service services company team product products shop store app music \
             song cover covers link account profile group course ebook giveaway newsletter podcast instagram facebook fb twitter",
    ),
    (
        PRAISE,
        "nice great awesome amazing informative helpful useful excellent wonderful fantastic impressive interesting superb \
              perfect brilliant good beautiful love loved enjoyed valuable insightful",
    ),
    (PAGE, "article articles post posts blog site website webpage page content information info writing writeup read"),
    (OURS, "my our"),
    (HERE, "here now today this these below link"),
    (ME, "i i'm i've i'd i'll me im ive"),
    (YOU, "you your you're youre u ur yours yourself"),
    (
        GAIN,
        "earn earned earning earnings income profit profits money cash rich paid win won winner prize bonus reward rewards free \
            guaranteed jackpot gift voucher weekly investment invest",
    ),
    (
        SALE,
        "buy sale sell selling cheap cheapest discount discounts offer offers order price prices deal deals shop coupon promo \
            affordable shipping wholesale purchase delivery",
    ),
    (CHAT, "whatsapp telegram whatsap hangouts wechat skype discord snapchat kik dm inbox pm"),
    (BEGS, "subscribe subscriber subscribers sub subs sub4sub thumbs views followers upvote upvotes likes shoutout"),
    (GAMBLING, "casino casinos poker slots slot betting bet bets jackpot lottery roulette baccarat gambling togel"),
    (
        REMEDY,
        "viagra cialis pills pill levitra xanax tramadol weightloss keto cbd supplement supplements herbal steroids cure \
              pharmacy detox erection botox",
    ),
    (SEX, "escort escorts porn xxx sexy nude nudes onlyfans webcam hookup singles milf sex"),
    (LENDING, "loan loans credit mortgage lender lenders payday debt refinance insurance"),
    (
        COINS,
        "bitcoin btc crypto cryptocurrency ethereum eth forex trading trader usdt nft airdrop binary broker wallet token tokens",
    ),
    (RANKING, "seo backlink backlinks ranking traffic serp rank optimization outsourcing"),
    (MAGIC, "spell spells caster herbalist voodoo illuminati hacker hackers psychic"),
    (
        ARGUES,
        "because however although though agree disagree think argue argument point wrong right true actually therefore instead \
              problem example should would probably maybe",
    ),
    (
        INSULT,
        "idiot idiots idiotic stupid moron morons moronic dumb dumbass fool fools liar liars loser losers pathetic retard \
              retarded scum trash disgusting ignorant clown clowns bigot bigots coward imbecile hypocrite hypocrites jerk creep \
              vermin filth filthy subhuman pig pigs bastard bastards bitch bitches asshole assholes cunt whore slut faggot fag",
    ),
    (SWEARS, "fuck fucking fucked fucker shit shitty bullshit crap damn hell ass piss bloody wtf"),
    (THREAT, "kill die shoot hang burn rape beat murder deport"),
    (
        FUNCTION,
        "the a an and or but if of to in on at by for with from as is are was were be been being am do does did have \
            has had will would can could should may might must not no nor so than then that this these those there it its \
            he she they them his her their what which when where why how all any some such only same too very just also \
            about into over after before between out up down off again more most other i you we my your",
    ),
    (
        BEST,
        "best top leading professional quality affordable exclusive certified expert experts trusted reliable premium \
            unique ultimate luxury cheapest lowest huge instant legit genuine official guaranteed no.1 leader reputable",
    ),
    (WANT, "looking want need interested wish ready wanna searching seeking desire"),
    (WE, "we our us we're we've"),
    (
        OFFERS,
        "offer offers provide provides sell sells deliver help guarantee specialize specialise specialized ship supply \
            give teach show receive save start make join grab avail hire book",
    ),
    (
        TEST,
        "changed recommend recommended testimony testimonies helped grateful life restored recovered cured healed \
            miracle saved",
    ),
    (
        CALLS,
        "buy get check click visit download try join subscribe watch order find discover learn win earn free call \
            contact follow hello hurry looking want need make hire book play shop grab save become start",
    ),
    (
        NEGATES,
        "not don't no never can't isn't doesn't didn't won't wasn't aren't couldn't wouldn't nobody nothing neither nor \
            dont cant",
    ),
    (PAST, "was were had did been said went thought got saw told made took gave came knew felt used"),
    (
        HEDGES,
        "but though maybe perhaps seems guess really actually lol haha probably apparently might suppose however \
            although",
    ),
    (OTHERS, "he she his her they their him them people everyone someone somebody"),
    (
        JOBS,
        "job jobs hiring vacancy vacancies recruit recruiting recruitment salary remote part-time freelance freelancers \
            employment career careers staffing",
    ),
    (
        STUDY,
        "essay essays assignment assignments dissertation thesis homework coursework tutors exam dumps certification \
            courses training",
    ),
    (
        SERVICES,
        "packers movers plumber plumbing cleaning cleaners repair repairs installation contractor contractors roofing \
            removal locksmith electrician renovation maintenance limousine rental rentals agency agencies lawyer lawyers \
            attorney attorneys clinic dentist dental astrologer interior upholstery pest",
    ),
    (
        STREAMS,
        "movie movies stream streaming streams hd download downloads torrent crack cracked keygen apk mod hack hacks \
            cheats generator episodes watchonline iptv unlocker",
    ),
    (
        SUPPORT,
        "helpline tollfree toll-free toll customer care support number helpdesk hotline quickbooks printer antivirus",
    ),
    (
        REFERS,
        "referral referrals refer code codes promocode affiliate signup bonus cashback invite invitation coupon coupons \
            voucher vouchers",
    ),
    (
        PAPERS,
        "passport passports diploma diplomas licence license ielts degree certificates fake counterfeit clone cards \
            documents visa",
    ),
    (TRICKS, "recovery recover retrieve retrieved funds scam scammed scammers spy cheating spouse unlock"),
    (
        WARES,
        "shoes handbags handbag watches replica jersey jerseys sneakers jewelry wigs vape mattress furniture cosmetics \
            skincare serum collagen perfume sunglasses dresses bags",
    ),
    (
        REASONS,
        "because since therefore so why reason reasons hence thus explains explain evidence source sources data \
            according",
    ),
    (
        GROUP,
        "women woman woman's women's men man man's men's girl girls boy boys female females male males transgender \
            transgendered trans transsexual transsexuals transwoman transwomen transman transmen nonbinary non-binary \
            intersex gay gays lesbian lesbians homosexual homosexuals homosexuality bisexual bisexuals queer queers \
            heterosexual heterosexuals straight asexual lgbt lgbtq lgbtq+ lgbtqia muslim muslims muslim's islam \
            islamic islamist islamists sunni sunnis shia shias shiite shiites sufi ahmadi jew jews jewish judaism \
            hebrew hebrews israeli israelis zionist zionists christian christians christianity catholic catholics \
            catholicism protestant protestants evangelical evangelicals orthodox mormon mormons baptist baptists \
            quaker quakers amish methodist methodists hindu hindus hinduism buddhist buddhists buddhism sikh sikhs \
            jain jains atheist atheists atheism agnostic agnostics pagan pagans wiccan black blacks white whites \
            brown coloured colored caucasian caucasians biracial african africans african-american african-americans \
            afro-american asian asians european europeans american americans latino latinos latina latinas latinx \
            hispanic hispanics chicano native natives indigenous aboriginal aboriginals aborigine aborigines inuit \
            maori cherokee navajo arab arabs arabic persian persians kurd kurds kurdish berber chinese japanese \
            korean koreans vietnamese thai filipino filipinos filipina indonesian indonesians malaysian malaysians \
            malay mongolian tibetan tibetans uyghur uyghurs rohingya indian indians pakistani pakistanis bangladeshi \
            bangladeshis bengali tamil punjabi afghan afghans nepali nepalese iranian iranians iraqi iraqis syrian \
            syrians lebanese jordanian jordanians palestinian palestinians saudi saudis yemeni yemenis egyptian \
            egyptians moroccan moroccans algerian algerians tunisian tunisians libyan libyans turk turks turkish \
            armenian armenians azerbaijani georgian georgians russian russians ukrainian ukrainians belarusian \
            belarusians pole poles polish czech czechs slovak slovaks hungarian hungarians romanian romanians \
            bulgarian bulgarians serb serbs serbian serbians croat croats croatian croatians bosnian bosnians \
            albanian albanians greek greeks slavic slavs roma romani gypsy gypsies german germans austrian austrians \
            swiss french frenchman dutch dutchman belgian belgians italian italians spanish spaniard spaniards \
            portuguese british briton britons english englishman scottish scots irish irishman welsh danish danes \
            swedish swedes norwegian norwegians finnish finns estonian estonians latvian latvians lithuanian \
            lithuanians canadian canadians mexican mexicans cuban cubans haitian haitians jamaican jamaicans \
            colombian colombians venezuelan venezuelans brazilian brazilians argentinian argentinians chilean \
            chileans peruvian peruvians puerto australian australians nigerian nigerians ghanaian ghanaians kenyan \
            kenyans ethiopian ethiopians eritrean eritreans somali somalis sudanese congolese ugandan ugandans \
            zimbabwean zimbabweans immigrant immigrants refugee refugees migrant migrants foreigner foreigners expat \
            expats disabled disability disabilities handicapped blind deaf autistic autism wheelchair dyslexic \
            epileptic paraplegic elderly senior seniors pensioner pensioners retiree retirees teenager teenagers teen \
            teens feminist feminists",
    ),
];

/// Places of the table; a power of two, at most half of them taken.
const PLACES: usize = 4_096;

/// Hash of a word to the lists that it stands in: one probe finds most words to be in none.
static LISTED: LazyLock<Box<[(u64, u64)]>> = LazyLock::new(|| {
    let mut table = vec![(0, 0); PLACES].into_boxed_slice();
    for (list, words) in LISTS {
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            let hash = word_hash(word);
            let mut at = place(hash);
            while table[at].1 != 0 && table[at].0 != hash {
                at = (at + 1) % PLACES;
            }
            table[at].0 = hash;
            table[at].1 |= list;
        }
    }
    table
});

const fn place(hash: u64) -> usize {
    (hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize
}

/// The lists that a word stands in, by its hash.
pub(super) fn lists_of(hash: u64) -> u64 {
    let table = &*LISTED;
    let mut at = place(hash);
    while table[at].1 != 0 {
        if table[at].0 == hash {
            return table[at].1;
        }
        at = (at + 1) % PLACES;
    }
    0
}

/// Whether a word that stands in these lists names a group of people.
pub(super) const fn names_group(lists: u64) -> bool {
    lists & GROUP != 0
}

/// Whether a word is one of those that English sentences are held together by.
pub(super) fn is_small_word(word: &str) -> bool {
    lists_of(word_hash(word)) & FUNCTION != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_all_their_lists_and_the_table_stays_sparse() {
        for (word, expected) in [("casino", GAMBLING), ("deals", SALE), ("zebra", 0), ("", 0)] {
            assert_eq!(lists_of(word_hash(word)) & (GAMBLING | SALE), expected & (GAMBLING | SALE), "{word}");
        }
        assert_eq!(lists_of(word_hash("zebra")), 0);
        assert!(LISTED.iter().filter(|(_, lists)| *lists != 0).count() * 2 < PLACES);
    }
}
