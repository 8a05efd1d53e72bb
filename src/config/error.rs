//! What is wrong with a configuration, and where: line and column of the file, or the variable, and the nearest name that there is.

/// Why a configuration was refused. Nothing was opened.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {problem}")]
    Read {
        /// Which file.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A line of the file is wrong.
    #[error("{path}:{line}:{column}: {problem}")]
    Line {
        /// Which file.
        path: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// A variable of the environment is wrong.
    #[error("{variable} in the environment: {problem}")]
    Variable {
        /// Which one.
        variable: String,
        /// What is wrong, and what is allowed.
        problem: String,
    },
    /// A value that can be read and cannot work.
    #[error("{0}")]
    Value(String),
}

/// Line and column, from 1, of a byte of a text.
pub(super) fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at.min(text.len())).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// What is wrong at a byte of a file's text.
pub(super) fn at_line(text: &str, path: &str, at: usize, problem: String) -> ConfigError {
    let (line, column) = place(text, at);
    ConfigError::Line { path: path.to_owned(), line, column, problem }
}

pub(super) fn at_its_line(text: &str, name: &str, error: &toml::de::Error) -> ConfigError {
    at_line(text, name, error.span().map_or(0, |span| span.start), with_nearest(error.message()))
}

/// Adds the nearest allowed name to serde's "unknown field `x`, expected one of `a`, `b`".
pub(super) fn with_nearest(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((wrong, allowed)) if message.starts_with("unknown") => {
            let near =
                allowed.iter().max_by(|a, b| strsim::jaro_winkler(wrong, a).total_cmp(&strsim::jaro_winkler(wrong, b)));
            match near.filter(|near| strsim::jaro_winkler(wrong, near) > 0.7) {
                Some(near) => format!("{message}; did you mean `{near}`?"),
                None => message.to_owned(),
            }
        }
        _ => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn mistakes_are_named_with_their_place_and_the_nearest_name() {
        let cases: &[(&str, &str)] = &[
            ("[server]\nlistn = \"x\"\n", "c.toml:2:1: unknown field `listn`"),
            ("[server]\nlistn = \"x\"\n", "did you mean `listen`?"),
            ("[signals.link_count]\nmax_host = 3\n", "did you mean `max_hosts`?"),
            ("[signals.link_count]\nmax_hosts = \"three\"\n", "c.toml:2:13: invalid type"),
            ("[policy.spam]\nhold = 1.5\n", "a score must lie within 0.0 and 1.0"),
            ("[policy.spam]\nprior = nan\n", "a weight must be a finite number"),
            ("[signals.shouting]\nmode = \"loud\"\n", "unknown variant `loud`"),
            ("[server\n", "c.toml:1:"),
            ("[serverr]\n", "did you mean `server`?"),
        ];
        for (text, expected) in cases {
            let error = Config::parse(text, "c.toml").expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
