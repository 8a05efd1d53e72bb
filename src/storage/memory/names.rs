//! The ids of remembered comments, one after the other in one ring of bytes: a text of its own for each would take twice as much.

use std::collections::VecDeque;

/// The ids, oldest first.
#[derive(Debug, Default)]
pub(super) struct Names {
    bytes: VecDeque<u8>,
    /// Where each ends, counted from the first that ever was.
    ends: VecDeque<u64>,
    /// Where the oldest begins.
    start: u64,
}

impl Names {
    pub(super) fn push(&mut self, name: &str) {
        if self.bytes.capacity() - self.bytes.len() < name.len() {
            self.bytes.reserve_exact(name.len().max(self.bytes.len() / 4)); // not twice as much: it is full for good
        }
        self.bytes.extend(name.as_bytes());
        if self.ends.len() == self.ends.capacity() {
            self.ends.reserve_exact((self.ends.len() / 4).max(16));
        }
        self.ends.push_back(self.start + self.bytes.len() as u64);
    }

    /// Forgets the oldest.
    pub(super) fn pop(&mut self) {
        if let Some(end) = self.ends.pop_front() {
            self.bytes.drain(..place(end - self.start));
            self.start = end;
        }
    }

    /// The one that so many are older than; empty when there is none.
    pub(super) fn get(&self, index: u64) -> Box<str> {
        let index = place(index);
        let Some(end) = self.ends.get(index) else { return Box::default() };
        let begin = index.checked_sub(1).and_then(|before| self.ends.get(before)).unwrap_or(&self.start);
        let bytes = self.bytes.range(place(begin - self.start)..place(end - self.start)).copied().collect();
        String::from_utf8(bytes).unwrap_or_default().into_boxed_str() // what was pushed was text
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * size_of::<u64>()
    }
}

fn place(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_were_pushed_however_many_have_gone() {
        let mut names = Names::default();
        let name = |number: u64| "é".repeat(usize::try_from(number % 40).unwrap()) + &number.to_string();
        for number in 0..2_000_u64 {
            names.push(&name(number));
            if number >= 50 {
                names.pop();
            }
            let base = (number + 1).saturating_sub(50);
            assert_eq!(*names.get(0), name(base));
            assert_eq!(*names.get(number - base), name(number));
            assert_eq!(*names.get(number - base + 1), *"", "not there yet");
        }
        assert!(names.bytes.capacity() < 16_384, "what is gone leaves room");
    }
}
