//! The parts of a verdict, one by one: reading, every check by its id, features, model, policy, and what the store writes.
//!
//! A check is measured alone, with all others off, after what checks share (`domain::view`) is there; what they share is measured as the difference between
//! "all signals" and "all signals, nothing shared yet". Their sum is about what "signals + model + policy" has beside the model.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion};
use doorward::app::house::House;
use doorward::classifier::features;
use doorward::config::Config;
use doorward::domain::comment::{Comment, NewComment};
use doorward::domain::decision::Verdict;
use doorward::domain::embedding::Gist;
use doorward::domain::history::PastOf;
use doorward::domain::known::Known;
use doorward::domain::normalise::{Body, content_hash};
use doorward::domain::policy::{Circumstances, Moderation};
use doorward::domain::relevance::Page;
use doorward::domain::rules::Marks;
use doorward::domain::signal::{Allowance, Context, LIST, Resources, Signals};
use doorward::domain::terms::Terms;
use doorward::domain::time::Timestamp;
use doorward::domain::view::View;

/// What every check looks at.
pub(crate) struct Setting<'a> {
    comment: &'a Comment,
    page: &'a Page,
    gist: Gist,
    terms: Terms,
    pub(crate) past: PastOf,
}

impl<'a> Setting<'a> {
    pub(crate) fn new(house: &House, comment: &'a Comment, page: &'a Page) -> Self {
        Self {
            comment,
            page,
            gist: house.embedding.gist(comment.body.words()),
            terms: Terms::of(comment.body.words(), &house.background),
            past: PastOf::empty(&comment.trace),
        }
    }

    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            comment: self.comment,
            gist: &self.gist,
            terms: &self.terms,
            siblings: Known::NotApplicable,
            answered: None,
            page: Known::Known(self.page),
            parent: Known::NotApplicable,
            past: &self.past,
            allowance: &Allowance::Within,
            now: Timestamp::from_millis(1_795_000_000_000),
            view: View::default(),
        }
    }
}

/// All checks off but those.
fn only(house: &House, wanted: impl Fn(&str) -> bool) -> Signals {
    let mut settings = toml::Table::try_from(Config::default().signals).expect("the settings are TOML");
    for meta in LIST.iter().filter(|meta| !wanted(meta.id)) {
        let section = settings.get_mut(meta.section).and_then(toml::Value::as_table_mut).expect("every check has one");
        section.insert("mode".to_owned(), toml::Value::String("off".to_owned()));
    }
    let config = settings.try_into().expect("settings with another mode are settings");
    let resources = Resources {
        background: Arc::clone(&house.background),
        embedding: Arc::clone(&house.embedding),
        weights: Arc::clone(&house.weights),
    };
    Signals::new(&config, &resources).expect("the defaults are good")
}

/// Normalising, features, model, policy, every check, and what is written.
pub(crate) fn parts(criterion: &mut Criterion, house: &House, one: &Comment, page: &Page, verdict: &Verdict) {
    let setting = Setting::new(house, one, page);
    criterion.bench_function("part: normalise the body", |bench| {
        bench.iter(|| Body::read(black_box(&one.sent.body), one.sent.format));
    });
    criterion.bench_function("part: hash of the content", |bench| bench.iter(|| content_hash(black_box(&one.sent))));
    criterion.bench_function("part: words' meaning", |bench| {
        bench.iter(|| house.embedding.gist(black_box(one).body.words()));
    });
    criterion.bench_function("part: content words", |bench| {
        bench.iter(|| Terms::of(black_box(one).body.words(), &house.background));
    });
    let classifier = house.classifier.clone().expect("there is a model");
    criterion.bench_function("part: features", |bench| bench.iter(|| features::features(black_box(one), Some(page))));
    let found = features::features(one, Some(page));
    criterion.bench_function("part: model over features", |bench| {
        bench.iter(|| classifier.log_odds(black_box(&found)));
    });
    for meta in LIST {
        let (alone, context) = (only(house, |id| id == meta.id), setting.context());
        criterion.bench_function(&format!("signal: {}", meta.id), |bench| {
            bench.iter(|| alone.evaluate(black_box(&context)));
        });
    }
    let all = only(house, |_| true);
    let context = setting.context();
    criterion.bench_function("part: all signals", |bench| bench.iter(|| all.evaluate(black_box(&context))));
    criterion.bench_function("part: all signals, nothing shared yet", |bench| {
        bench.iter(|| all.evaluate(black_box(&setting.context())));
    });
    let about = Circumstances {
        moderation: Moderation::Post,
        role: None,
        author: &setting.past.author,
        allowance: &Allowance::Within,
        has_link: true,
        rules: Marks::NONE,
        hash: "0123456789abcdef",
    };
    criterion.bench_function("part: policy", |bench| {
        let evidence = || (verdict.signals.clone(), verdict.model.clone());
        let decide = |(signals, model)| house.policy.decide(signals, model, &about);
        bench.iter_batched(evidence, decide, BatchSize::SmallInput);
    });
    written(criterion, &one.sent, verdict);
}

/// What the store writes and reads of a comment: by postcard, as `storage::codec` does.
fn written(criterion: &mut Criterion, sent: &NewComment, verdict: &Verdict) {
    let write = || postcard::to_extend(&(sent, verdict), Vec::with_capacity(1_024)).expect("both can be written");
    let bytes = write();
    criterion.bench_function("part: written for the store", |bench| bench.iter(write));
    criterion.bench_function("part: read from the store", |bench| {
        bench.iter(|| postcard::from_bytes::<(NewComment, Verdict)>(black_box(&bytes)).expect("it was written so"));
    });
    criterion.bench_function("part: written as JSON", |bench| {
        bench.iter(|| serde_json::to_vec(black_box(verdict)).expect("it can be written"));
    });
}
