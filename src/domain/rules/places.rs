//! Where in a rule something stands. The parser keeps places for its own errors only; names are found again in the order in which they were read.

/// The names and texts of an expression, with where each begins, in bytes.
pub(super) struct Places<'s> {
    tokens: Vec<(&'s str, usize)>,
    next: usize,
}

impl<'s> Places<'s> {
    pub(super) fn of(source: &'s str) -> Self {
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(c) = source[at..].chars().next() {
            let rest = &source[at..];
            let length = match c {
                '"' | '\'' => quoted(rest),
                '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                c if c.is_alphanumeric() || c == '_' => {
                    rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
                }
                c => c.len_utf8(),
            };
            let is_note = c == '/' && length > 1;
            if !c.is_whitespace() && !is_note {
                tokens.push((&rest[..length], at));
            }
            at += length;
        }
        Self { tokens, next: 0 }
    }

    /// All of them.
    pub(super) fn tokens(&self) -> impl Iterator<Item = (&'s str, usize)> + '_ {
        self.tokens.iter().copied()
    }

    /// Where the next thing of that name stands; where it cannot be found, where reading has come to.
    pub(super) fn take(&mut self, name: &str) -> usize {
        self.find(|token| token == name)
    }

    /// Where the next text stands.
    pub(super) fn take_text(&mut self) -> usize {
        self.find(|token| token.starts_with(['"', '\'']))
    }

    fn find(&mut self, is_it: impl Fn(&str) -> bool) -> usize {
        if let Some(ahead) = self.tokens[self.next..].iter().position(|(token, _)| is_it(token)) {
            self.next += ahead + 1;
            return self.tokens[self.next - 1].1;
        }
        let first = self.tokens.iter().find(|(token, _)| is_it(token));
        first.map_or_else(|| self.here(), |(_, at)| *at)
    }

    /// Where reading has come to.
    pub(super) fn here(&self) -> usize {
        self.tokens.get(self.next).or_else(|| self.tokens.last()).map_or(0, |(_, at)| *at)
    }
}

/// How long a quoted text is, its quotes included.
fn quoted(text: &str) -> usize {
    let quote = &text[..1];
    let long = quote.repeat(3);
    let (open, close) = if text.starts_with(&long) { (3, long.as_str()) } else { (1, quote) };
    let mut at = open;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(close) {
            return at + close.len();
        }
        let step = if rest.starts_with('\\') { 2 } else { 1 };
        at += rest.chars().take(step).map(char::len_utf8).sum::<usize>();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_the_order_in_which_they_are_read() {
        let source = "a.b == 'b \\' b' // b\n && b.c(\"x\")";
        let mut places = Places::of(source);
        let found = [places.take("a"), places.take("b"), places.take_text(), places.take("b"), places.take("c")];
        assert_eq!(found, [0, 2, 7, 25, 27]);
        assert_eq!((places.take_text(), places.take("a"), places.take("nowhere")), (29, 0, 32));
    }
}
