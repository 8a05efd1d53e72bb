//! Models that have not seen what they are measured on, made when they are asked for and kept for the next time.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::court::Court;
use super::rows::{self, Case};
use crate::app::house::House;
use crate::classifier::features::SPEC;
use crate::classifier::train::Without;
use crate::domain::history::History;

/// What the composition root lends to a measurement.
pub struct Tools<'a> {
    /// Trains on a folder, without something, into a folder: the model file is [`MODEL`].
    pub train: &'a dyn Fn(&Path, &Without, &Path) -> anyhow::Result<()>,
    /// A house with the default settings around a model file; the shipped one where there is none.
    pub house: &'a dyn Fn(Option<&Path>) -> anyhow::Result<House>,
    /// An empty past.
    pub history: &'a dyn Fn() -> anyhow::Result<Arc<dyn History>>,
    /// Says what is being done.
    pub progress: &'a dyn Fn(&str),
}

/// The name of the model in the folder that a training writes.
pub const MODEL: &str = "model.dwm";
/// The ids of blog comments that a training held out, in the same folder.
const HELD_OUT: &str = "holdout-blog.txt";
/// Parts that groups are cut into, each once held out.
pub const PARTS: u64 = 5;

/// The data, and the models made of it.
pub struct Workshop<'a> {
    /// What was lent.
    pub tools: Tools<'a>,
    /// The folder of the training sets.
    pub train: PathBuf,
    /// The folder of the sets that only measure.
    pub eval: PathBuf,
    /// Where models are kept.
    pub cache: PathBuf,
    /// Names what makes the models besides the data: another program may make others.
    pub maker: String,
    /// The digest of the training sets, when it was needed.
    digest: OnceCell<u64>,
}

impl<'a> Workshop<'a> {
    /// Over the training sets in `train`, with those that only measure beside it, in `../eval`.
    #[must_use]
    pub fn new(tools: Tools<'a>, train: PathBuf, cache: PathBuf, maker: String) -> Self {
        let eval = train.join("../eval");
        Self { tools, train, eval, cache, maker, digest: OnceCell::new() }
    }

    /// A court around a model that learned from everything.
    ///
    /// # Errors
    /// The model could not be made.
    pub fn court(&self) -> anyhow::Result<Court> {
        self.court_without(&Without::default())
    }

    /// A court around a model without something.
    ///
    /// # Errors
    /// The model could not be made.
    pub fn court_without(&self, without: &Without) -> anyhow::Result<Court> {
        let folder = self.model(&self.train, without, "")?;
        self.open(&folder)
    }

    /// A court around a model that has seen neither datacamp nor some of the blog's posts, and the ids of those posts' comments.
    ///
    /// # Errors
    /// The model could not be made.
    pub fn court_abroad(&self) -> anyhow::Result<(Court, HashSet<String>)> {
        let without = Without { sources: vec!["datacamp".to_owned()], blog: 2_000 };
        let folder = self.model(&self.train, &without, "")?;
        let path = folder.join(HELD_OUT);
        let ids = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        Ok((self.open(&folder)?, ids.lines().map(str::to_owned).collect()))
    }

    /// A court around a model that has not seen what `is_out` names, nor any copy of its texts in any file.
    ///
    /// # Errors
    /// The model could not be made.
    pub fn court_without_rows(
        &self,
        name: &str,
        is_out: &dyn Fn(&Case) -> bool,
        sources: &[&str],
    ) -> anyhow::Result<Court> {
        let mut out = HashSet::new();
        for source in sources {
            let cases = rows::read(&self.train.join(format!("{source}.jsonl")))?;
            out.extend(cases.iter().filter(|case| is_out(case)).map(|case| rows::fold_key(&case.body)));
        }
        let kept = self.cache.join(format!("data-{name}-{:016x}", self.digest()?));
        let model = self.model_folder(&Without::default(), name)?;
        if !model.join(MODEL).is_file() {
            self.filter(&kept, &out)?;
        }
        let folder = self.model(&kept, &Without::default(), name)?;
        let _ = std::fs::remove_dir_all(&kept); // it is made again where it is missing
        self.open(&folder)
    }

    /// A past, empty.
    ///
    /// # Errors
    /// It could not be made.
    pub fn open(&self, folder: &Path) -> anyhow::Result<Court> {
        Ok(Court::new(Arc::new((self.tools.house)(Some(&folder.join(MODEL)))?), (self.tools.history)()?))
    }

    /// The folder of a model, made unless it is there.
    fn model(&self, data: &Path, without: &Without, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.model_folder(without, name)?;
        if folder.join(MODEL).is_file() {
            return Ok(folder);
        }
        (self.tools.progress)(&format!("training without {without:?} {name}"));
        let unfinished = folder.with_extension("unfinished");
        (self.tools.train)(data, without, &unfinished)?;
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::rename(&unfinished, &folder).with_context(|| format!("{}", folder.display()))?;
        Ok(folder)
    }

    fn model_folder(&self, without: &Without, name: &str) -> anyhow::Result<PathBuf> {
        let key = format!("{SPEC}\0{:016x}\0{without:?}\0{name}\0{}", self.digest()?, self.maker);
        std::fs::create_dir_all(&self.cache).with_context(|| format!("{}", self.cache.display()))?;
        Ok(self.cache.join(format!("model-{:016x}", xxh3_64(key.as_bytes()))))
    }

    /// Names the training sets: their names and every byte.
    fn digest(&self) -> anyhow::Result<u64> {
        if let Some(digest) = self.digest.get() {
            return Ok(*digest);
        }
        let mut hash = Xxh3::new();
        for path in labelled(&self.train)? {
            hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
            hash.update(&std::fs::read(&path).with_context(|| format!("{}", path.display()))?);
        }
        Ok(*self.digest.get_or_init(|| hash.digest()))
    }

    /// Copies the training sets without the texts in `out`.
    fn filter(&self, to: &Path, out: &HashSet<u64>) -> anyhow::Result<()> {
        std::fs::create_dir_all(to).with_context(|| format!("{}", to.display()))?;
        for path in labelled(&self.train)? {
            let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
            let copy = to.join(path.file_name().unwrap_or_default());
            let file = std::fs::File::create(&copy).with_context(|| format!("{}", copy.display()))?;
            let mut file = std::io::BufWriter::new(file);
            for line in text.lines() {
                let row: crate::classifier::data::Row =
                    serde_json::from_str(line).with_context(|| format!("{}", path.display()))?;
                if !out.contains(&rows::fold_key(&row.text)) {
                    writeln!(file, "{line}").with_context(|| format!("{}", copy.display()))?;
                }
            }
            file.flush().with_context(|| format!("{}", copy.display()))?;
        }
        Ok(())
    }
}

/// The files of JSON lines in a folder, by name.
fn labelled(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry.with_context(|| format!("{}", folder.display()))?.path();
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_model_is_made_once_for_the_same_data_and_without_the_texts_that_are_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let train = folder.path().join("train");
        std::fs::create_dir(&train).expect("made");
        let lines =
            "{\"id\":\"a\",\"text\":\"Hello\",\"group\":\"x\"}\n{\"id\":\"b\",\"text\":\"Bye\",\"group\":\"y\"}\n";
        std::fs::write(train.join("one.jsonl"), lines).expect("written");
        std::fs::write(train.join("two.jsonl"), "{\"id\":\"c\",\"text\":\"HELLO \"}\n").expect("written");
        let seen = RefCell::new(Vec::new());
        let make = |data: &Path, _: &Without, out: &Path| -> anyhow::Result<()> {
            let text = |name: &str| std::fs::read_to_string(data.join(name)).expect("a file");
            seen.borrow_mut().push(format!("{}|{}", text("one.jsonl"), text("two.jsonl")));
            std::fs::create_dir_all(out)?;
            Ok(std::fs::write(out.join(MODEL), b"model")?)
        };
        let house = |_: Option<&Path>| -> anyhow::Result<House> { anyhow::bail!("not here") };
        let history = || -> anyhow::Result<Arc<dyn History>> { anyhow::bail!("not here") };
        let tools = Tools { train: &make, house: &house, history: &history, progress: &|_| {} };
        let workshop = Workshop::new(tools, train.clone(), folder.path().join("cache"), "maker".to_owned());
        let without = Without::default();
        let first = workshop.model(&train, &without, "").expect("made");
        assert_eq!(workshop.model(&train, &without, "").expect("kept"), first);
        assert_eq!(seen.borrow().len(), 1, "the same data, once");
        let _ = workshop.court_without_rows("part", &|case| case.id == "a", &["one"]);
        let last = seen.borrow().last().cloned().expect("trained");
        assert_eq!(last, "{\"id\":\"b\",\"text\":\"Bye\",\"group\":\"y\"}\n|", "with every copy in other files");
        std::fs::write(train.join("one.jsonl"), "{\"id\":\"b\",\"text\":\"Bye\"}\n").expect("written");
        let again = Workshop::new(workshop.tools, train.clone(), folder.path().join("cache"), "maker".to_owned());
        assert_ne!(again.model(&train, &without, "").expect("made"), first, "other data, another model");
    }
}
