//! The model card: what a model was made of, what it was not, and how well it does where it was not at home.

use super::features::DIMENSION;
use super::model::{Header, Output};
use super::train::{SOURCES, Trained, Without};

impl Trained {
    /// The model card.
    #[must_use]
    pub fn card(&self, without: &Without) -> String {
        card(&self.header, &self.outputs, without, self.held_out.len())
    }
}

/// The card's text. `held_out` is how many blog comments were held out.
fn card(header: &Header, outputs: &[Output; 2], without: &Without, held_out: usize) -> String {
    let mut card = String::from(
        "# Model card\n\nWritten by `doorward train`. The model says how likely a comment is spam or abuse, from its words and from properties that mean \
         the same on every site; it is one term of a verdict, bounded by `policy.*.model_max`, and never decides alone what a person should.\n\n",
    );
    card += &format!(
        "- **Features:** `{}`, {DIMENSION} in all.\n- **Training set:** SHA-256 of ids and labels `{}`.\n",
        header.features, header.training
    );
    for output in outputs {
        let (a, b) = output.platt;
        card += &format!(
            "- **{}:** {}, {} weights; calibrated on unseen sources (Platt a = {a:.4}, b = {b:.4}), base rate {:.3} taken out.\n",
            output.name,
            output.learner,
            output.weights.len(),
            1.0 / (1.0 + (-output.base).exp()),
        );
    }
    card += "\n## Learned from\n\nTexts belong to their authors; none of them is part of this repository. Duplicates across all files were removed first.\n\n\
             | set | examples | licence |\n| --- | ---: | --- |\n";
    for (name, count) in &header.sources {
        let licence = SOURCES.iter().find(|source| source.name == name).map_or("", |source| source.licence);
        card += &format!("| {name} | {count} | {licence} |\n");
    }
    card += "\n";
    if !without.sources.is_empty() {
        card += &format!("Left out, with every copy of its texts and its pages: {}.\n", without.sources.join(", "));
    }
    if held_out > 0 {
        card += &format!("Held out with their pages: {held_out} of blog_comments.\n");
    }
    card += "\nWord vectors and weights of relevance (`words.bin`, `relevance.json`): words of all-MiniLM-L6-v2 (Apache-2.0), taught by blog_articles, \
             blog_comments, cqa_relevance, fnc_bodies; weights by the first two, headlines_clickbait and fnc_bodies. A quarter of all pages is left out, to be measured on.\n";
    card += "\nPage statistics (`background.bin`): blog_articles (CC BY 2.0), fnc_bodies (unclear), headlines_clickbait (MIT), and the pages of the sets above.\n\n\
             Words of blocklists (`lexicon.bin`, hashes only): wordpress-comment-blocklist by Grant Hutchinson and contributors (MIT), without those that pages use.\n\n\
             ## Measured\n\nEach figure is of a model that had not seen the group, or the whole source, that it was measured on. AUC is the chance that a \
             positive scores above a negative; *held* is the share that the model alone, with the default policy, would have a person look at. *Whole decision* is policy's sum with signals weighed by \
             their authors and by a fit to all other sources, without a past; its *ham held* is the mean over blog_comments, cqa_relevance, sms_spam and wiki_toxic.\n\n| what | value |\n| --- | ---: |\n";
    for (name, value) in &header.measured {
        card += &format!("| {name} | {value:.4} |\n");
    }
    card += "\n## Known weaknesses\n\n\
             - What spam looks like differs from site to site: on sources that it never saw it is much weaker than at home, as the table shows. Decisions of a \
             site's own moderators will teach it more than any public set.\n\
             - Nearly everything it learned from is English. Where a comment's words are mostly ones that it hardly saw, it moves the score by at most 1.0 either \
             way, says so among its terms, and leaves the rest to the signals.\n\
             - What was written for training (`written_for_training`) comes from general knowledge of how spam, insults and talk sound, and repeats its \
             writers' blind spots. It is never measured on. Its flattery templates are the well-known ones that spambots spin, so the figure of \
             blog_spam_templates as an unseen source is kinder than a new template would be.\n\
             - Toxicity labels of wiki_toxic depend on the conversation around a comment for part of the positives; no model of one comment alone finds those.\n\
             - Published comments of one technical blog are most of the genuine comments; talk about other subjects is judged by less.\n\
             - Public sets of abuse carry their annotators' bias against dialects and against mentions of groups; their weight is bounded, and abuse is held for \
             people rather than rejected. Names of groups of people are not seen at all, so abuse that is nothing but such a name is not found.\n\
             - Sets of single comments say little about most signals: a fit leaves them close to what their authors wrote, and on sources that were left out \
             it is no better than that. What a past tells (repeats, records), names, homepages and forms are in none of the sets.\n\
             - Advertising that is written as praise for the article, without a link, is the hardest.\n\
             - What a service does with such a model, on comments that neither it nor the word lists had seen, stands in docs/measuring.md. The word lists were \
             cleared of entries that only datacamp_comments had suggested; the order of their makers' reading cannot be undone, so figures on that set may still \
             be a little too good.\n";
    card
}
