//! Bytes of a file as they come: where one is in it, and no more in memory than one entry may hold.

use std::io::{self, BufRead, Read};

use super::Place;

/// What some editors and spreadsheets write before UTF-8; it says nothing.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Counts what is read, and refuses to go on when more of it belongs to one thing than anything may hold.
pub(super) struct Counted<R> {
    inner: R,
    line: u64,
    byte: u64,
    /// Bytes since [`Self::begin`].
    of_this: u64,
    max: u64,
}

impl<R: BufRead> Counted<R> {
    /// Nothing may take more than `max` bytes.
    pub(super) const fn new(inner: R, max: u64) -> Self {
        Self { inner, line: 1, byte: 0, of_this: 0, max }
    }

    /// Something begins here.
    pub(super) const fn begin(&mut self) {
        self.of_this = 0;
    }

    /// What is read next.
    pub(super) const fn place(&self) -> Place {
        Place::Line { line: self.line, byte: self.byte }
    }

    /// Reads a line into `line`, without its end; `None` at the end of the file, `false` when it is longer than anything may be: then it is passed
    /// over, and `line` holds nothing of use. The first is without the byte order mark that may stand before it.
    pub(super) fn line(&mut self, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
        let is_first = self.byte == 0;
        let read = self.line_as_it_is(line)?;
        if is_first && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(read)
    }

    fn line_as_it_is(&mut self, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
        line.clear();
        let (mut any, mut fits, max) = (false, true, self.max);
        loop {
            self.begin(); // a line that is too long is passed over, not refused
            let bytes = self.fill_buf()?;
            if bytes.is_empty() {
                return Ok(any.then_some(fits));
            }
            any = true;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let used = part.len() + usize::from(end.is_some());
            if fits && (line.len() + part.len()) as u64 <= max {
                line.extend_from_slice(part);
            } else {
                fits = false;
                line.clear();
            }
            self.consume(used);
            if end.is_some() {
                return Ok(Some(fits));
            }
        }
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(into.len());
        into[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.of_this > self.max {
            return Err(io::Error::other(format!("something here is longer than {} bytes", self.max)));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        // What is consumed was filled before, so this asks nobody for more.
        if let Ok(bytes) = self.inner.fill_buf() {
            let lines = bytes.iter().take(count).filter(|byte| **byte == b'\n').count();
            self.line += lines as u64;
        }
        self.byte += count as u64;
        self.of_this += count as u64;
        self.inner.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_too_long_are_passed_over_and_places_stay_right() {
        let text = format!("one\n{}\nthree\n\nfive", "x".repeat(100));
        let mut counted = Counted::new(io::BufReader::with_capacity(7, text.as_bytes()), 10);
        let mut line = Vec::new();
        let mut found = Vec::new();
        loop {
            let place = counted.place();
            let Some(fits) = counted.line(&mut line).unwrap() else { break };
            found.push((place.to_string(), fits, String::from_utf8(line.clone()).unwrap()));
        }
        let told: Vec<_> = found.iter().map(|(place, fits, line)| (place.as_str(), *fits, line.as_str())).collect();
        assert_eq!(
            told,
            [
                ("line 1 (byte 0)", true, "one"),
                ("line 2 (byte 4)", false, ""),
                ("line 3 (byte 105)", true, "three"),
                ("line 4 (byte 111)", true, ""),
                ("line 5 (byte 112)", true, "five"),
            ]
        );
    }

    #[test]
    fn a_byte_order_mark_is_passed_over_where_the_file_begins_and_nowhere_else() {
        let mut counted = Counted::new("\u{feff}one\n\u{feff}two".as_bytes(), 10);
        let mut line = Vec::new();
        for (place, expected) in [("line 1 (byte 0)", "one"), ("line 2 (byte 7)", "\u{feff}two")] {
            assert_eq!(counted.place().to_string(), place);
            assert_eq!(counted.line(&mut line).unwrap(), Some(true));
            assert_eq!(line, expected.as_bytes());
        }
    }

    #[test]
    fn what_never_ends_is_refused_before_it_fills_the_memory() {
        let mut counted = Counted::new(io::BufReader::with_capacity(16, io::repeat(b'x')), 1_000);
        let mut all = Vec::new();
        let error = counted.read_until(b'<', &mut all).unwrap_err();
        assert!(error.to_string().contains("longer than 1000 bytes"), "{error}");
        assert!(all.len() < 1_100);
    }
}
