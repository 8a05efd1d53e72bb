//! The table of word vectors, packed from a folder that holds one as others publish them: `NAME.vocab.tsv` (word, information in nats,
//! scale) and `NAME.i8.bin` (a row of bytes for each).
//!
//! Vectors are not learned here: `models/words.bin` is distilled from a sentence transformer (all-MiniLM-L6-v2, Apache-2.0), word by word.
//! The same folder gives the same bytes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::domain::embedding::{Embedding, WIDTH};
use crate::domain::headline::is_common;
use crate::domain::normalise::fold_plain;

/// The files' name without ending.
const NAME: &str = "minilm_words_30k_128";

/// The folder with word vectors that belongs to a folder of labelled files: `embeddings` in it, or beside it.
#[must_use]
pub fn folder_of(data: &Path) -> Option<PathBuf> {
    let holds = |folder: &PathBuf| folder.join(format!("{NAME}.vocab.tsv")).is_file();
    [data.join("embeddings"), data.join("../embeddings")].into_iter().find(holds)
}

/// Packs the table in `folder`. Words that say nothing of a subject are left out.
///
/// # Errors
/// A file cannot be read, or the two do not fit each other.
pub fn pack(folder: &Path) -> anyhow::Result<Embedding> {
    let path = folder.join(format!("{NAME}.vocab.tsv"));
    let vocabulary = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let path = folder.join(format!("{NAME}.i8.bin"));
    let rows = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
    let lines: Vec<&str> = vocabulary.lines().collect();
    ensure!(rows.len() == lines.len() * WIDTH, "{}: {} words, {} bytes", path.display(), lines.len(), rows.len());
    let mut words = Vec::new();
    for (at, (line, row)) in lines.iter().zip(rows.chunks_exact(WIDTH)).enumerate() {
        let mut fields = line.split('\t');
        let mut next =
            || fields.next().with_context(|| format!("line {} of the vocabulary has no three fields", at + 1));
        let (word, idf, scale) = (next()?, next()?.parse::<f32>()?, next()?.parse::<f32>()?);
        let word = fold_plain(word).into_text();
        let mut vector = [0.0; WIDTH];
        for (value, byte) in vector.iter_mut().zip(row) {
            *value = f32::from(i8::from_le_bytes([*byte])) * scale;
        }
        if !is_common(&word) {
            words.push((word, idf, vector));
        }
    }
    Ok(Embedding::build(words.iter().map(|(word, idf, vector)| (word.as_str(), *idf, *vector))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_in_the_data_or_beside_it_and_packed() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("train");
        std::fs::create_dir(&data).expect("made");
        assert_eq!(folder_of(&data), None);
        let beside = folder.path().join("embeddings");
        std::fs::create_dir(&beside).expect("made");
        std::fs::write(beside.join("minilm_words_30k_128.vocab.tsv"), "the\t0.7\t0.01\nboat\t4.5\t0.01\n")
            .expect("written");
        std::fs::write(beside.join("minilm_words_30k_128.i8.bin"), [3_u8; 2 * WIDTH]).expect("written");
        let table = pack(&folder_of(&data).expect("beside it")).expect("packed");
        assert_eq!(table.rows(), 1, "common words are left out");
        let gist = table.gist(["the", "boat"].into_iter());
        assert!((gist.evidence - 4.5).abs() < 1e-6 && (gist.sum[5] - 4.5 * 0.03).abs() < 1e-3, "{gist:?}");
        std::fs::write(beside.join("minilm_words_30k_128.i8.bin"), [3_u8; WIDTH]).expect("written");
        assert!(pack(&beside).is_err(), "a row for each word");
    }
}
