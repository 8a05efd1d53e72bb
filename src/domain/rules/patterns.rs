//! Regular expressions of rules: compiled once each, within bounds of memory and of time.
//!
//! Matching takes time in proportion to the text and to the expression, whatever they are. Classes such as `\w` stand for the letters of all scripts and
//! are large for that; but a letter is a letter, and finding one takes no longer. So memory is bounded by what an expression has compiled, and
//! time by what it would have with small classes in their place.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::print::Printer;
use regex_syntax::hir::{Capture, Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Repetition};

/// Bytes that a compiled expression may have: some four to six classes of all scripts.
const BYTES_MAX: usize = 256 << 10;
/// Bytes that all of them may have together, each expression once.
pub(super) const ALL_BYTES_MAX: usize = 32 << 20;
/// The same of one with small classes: what is larger has long gaps, or repeats much.
const SIMPLE_BYTES_MAX: usize = 64 << 10;
/// Bytes of such an expression that are looked through at once: a larger one costs as many times as much as it is larger.
const SMALL_BYTES: usize = 8 << 10;
/// Bytes in which matching keeps what it has worked out, for each expression, direction and thread.
const CACHE_BYTES: usize = 256 << 10;
/// How deep expressions may be nested.
const NEST_MAX: u32 = 50;
/// As what an expression with borders of words counts at most, however large its classes are.
const BORDERS_BYTES_MAX: usize = 80 << 10;
/// Ranges of characters from which a class is one of all scripts.
const RANGES_MANY: usize = 16;
/// What helps, for whoever reads of a refusal.
pub(super) const SMALLER: &str = r"`\w`, `\d`, `\s` and `\b` mean all scripts, and are large for that: `(?-u:\w)` and the like mean ASCII alone, `[a-zäöüß]` what it names";

/// A compiled expression, with how many times a small one it costs.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub regex: Regex,
    pub times: u64,
}

/// The expressions of all rules so far, each once.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    all: HashMap<Box<str>, Pattern>,
    bytes: usize,
}

impl Patterns {
    /// Bytes that they have compiled, at most.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Compiles an expression, or takes the one that is there.
    pub(super) fn read(&mut self, written: &str) -> Result<Pattern, String> {
        if let Some(known) = self.all.get(written) {
            return Ok(known.clone());
        }
        let (regex, bytes) = built(written, BYTES_MAX).map_err(told)?;
        let times = (times_of(written, bytes)? / SMALL_BYTES).max(1) as u64;
        let pattern = Pattern { regex, times };
        self.bytes += bytes;
        self.all.insert(written.into(), pattern.clone());
        Ok(pattern)
    }
}

/// The bytes by which an expression costs time, of one that compiled has so many.
fn times_of(written: &str, bytes: usize) -> Result<usize, String> {
    if bytes <= SMALL_BYTES {
        return Ok(bytes);
    }
    let too_dear = || format!("costs too much: it has long gaps, or repeats much; {SMALLER}");
    let Ok(parsed) = ParserBuilder::new().nest_limit(NEST_MAX).build().parse(written) else { return Err(too_dear()) };
    // Borders of words of all scripts are looked for step by step wherever a text is not ASCII.
    let has_borders = parsed.properties().look_set().contains_word_unicode();
    let mut simple = String::new();
    if Printer::new().print(&shrunk(parsed), &mut simple).is_err() {
        return Err(too_dear());
    }
    let (_, small) = built(&simple, SIMPLE_BYTES_MAX).map_err(|_| too_dear())?;
    Ok(if has_borders { bytes.min(BORDERS_BYTES_MAX).max(small) } else { small.min(bytes) })
}

/// Compiles it, with the least of some bounds that it keeps.
fn built(written: &str, most: usize) -> Result<(Regex, usize), regex::Error> {
    let mut limit = SMALL_BYTES;
    loop {
        let mut builder = RegexBuilder::new(written);
        match builder.size_limit(limit).dfa_size_limit(CACHE_BYTES).nest_limit(NEST_MAX).build() {
            Err(regex::Error::CompiledTooBig(_)) if limit < most => limit *= 2,
            built => return built.map(|regex| (regex, limit)),
        }
    }
}

fn told(error: regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => {
            format!("costs too much: compiled, the regular expression has more than {} KiB; {SMALLER}", BYTES_MAX >> 10)
        }
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("is no regular expression: {last}")
        }
    }
}

/// The same expression with a small class wherever it has one of all scripts.
///
/// Recursion ends: expressions are not nested deeper than was allowed when they were read.
fn shrunk(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) if class.ranges().len() > RANGES_MANY => {
            Hir::class(Class::Unicode(ClassUnicode::new([ClassUnicodeRange::new('a', 'z')])))
        }
        HirKind::Class(class) => Hir::class(class),
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Look(look) => Hir::look(look),
        HirKind::Repetition(of) => Hir::repetition(Repetition { sub: Box::new(shrunk(*of.sub)), ..of }),
        HirKind::Capture(of) => Hir::capture(Capture { sub: Box::new(shrunk(*of.sub)), ..of }),
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(shrunk).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.into_iter().map(shrunk).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_operators_write_about_words_is_taken_at_the_price_of_a_small_one() {
        let mut patterns = Patterns::default();
        for (written, times) in [
            (r"\w+\s\w+", 1..=1),
            (r"\w+\s+\w+\s+\w+", 1..=1),
            (r"[\p{L}\p{N}]+@[\w.]+\.\w+", 1..=1),
            (r"(?i)b[i1]tco[i1]n", 1..=1),
            (r"a.*b", 1..=1),
            (r"\bboats?\b", 1..=1),
            (r"\b\w+ing\b", 8..=8), // borders of words of all scripts are dear
            (r"(?i)\bbuy\s+\w+\s+now\b", 8..=10),
        ] {
            let pattern = patterns.read(written).unwrap_or_else(|problem| panic!("{written}: {problem}"));
            assert!(times.contains(&pattern.times), "{written}: {}", pattern.times);
        }
        let before = patterns.bytes();
        assert!(patterns.read(r"\w+\s\w+").unwrap().regex.is_match("grüne Bäume"), "of all scripts");
        assert_eq!(patterns.bytes(), before, "each is there once");
    }

    #[test]
    fn what_repeats_much_costs_as_much_or_is_refused_with_what_would_help() {
        let mut patterns = Patterns::default();
        for (written, times) in [(r"buy.{0,20}now", 2..=4), (r"buy.{0,50}now", 4..=8)] {
            let pattern = patterns.read(written).unwrap_or_else(|problem| panic!("{written}: {problem}"));
            assert!(times.contains(&pattern.times), "{written}: {}", pattern.times);
        }
        for written in [r"buy.{0,500}now", r"(\w{200}){200}", r"\w{40}", r"(\w+\s){20}"] {
            let problem = patterns.read(written).expect_err(written);
            assert!(problem.contains("costs too much") && problem.contains(r"(?-u:\w)"), "{written}: {problem}");
        }
        assert!(patterns.read(r"(?-u:\w){40}").is_ok(), "as the refusal says");
        assert!(patterns.read("(").expect_err("no expression").contains("is no regular expression"));
    }

    /// A measurement, to be run by hand: memory of many large expressions, and time of matching them against long texts of many scripts.
    #[test]
    #[ignore = "measures; asserts nothing"]
    #[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
    fn memory_and_time_of_large_expressions() {
        let resident = || {
            let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
            statm.split(' ').nth(1).unwrap().parse::<i64>().unwrap() * 4
        };
        let scripts = (0..30_000_u32).filter_map(|n| char::from_u32(0x41 + n * 7 % 0xd000)).take(21_000).collect();
        let texts: [String; 4] = ["word ".repeat(13_000), scripts, "a".repeat(65_000), "ä ".repeat(21_000)];
        let mut kept = Vec::new(); // or what is free again would be used for the next
        for written in
            [r"\w+\s\w+", r"\w+\s+\w+\s+\w+\s+\w+", r"\b\w+ing\b", r"buy.{0,50}now", "a.*b", r"(?-u:\w)+\s(?-u:\w)+"]
        {
            let mut patterns = Patterns::default();
            let before = resident();
            let all: Vec<Pattern> = (0..100).map(|n| patterns.read(&format!("{written}x{n}y")).unwrap()).collect();
            let compiled = resident();
            let mut worst = std::time::Duration::ZERO;
            for (text, pattern) in texts.iter().flat_map(|text| all.iter().map(move |pattern| (text, pattern))) {
                let rounds = (0..5).map(|_| {
                    let begun = std::time::Instant::now();
                    let _ = std::hint::black_box(pattern.regex.is_match(text));
                    begun.elapsed()
                });
                worst = worst.max(rounds.min().unwrap());
            }
            eprintln!(
                "{written}: times {}, bound {} KiB, compiled {} KiB each, with caches {} KiB, worst {worst:?}",
                all[0].times,
                patterns.bytes() / 100 / 1024,
                (compiled - before) / 100,
                (resident() - before) / 100
            );
            kept.push((patterns, all));
        }
    }
}
