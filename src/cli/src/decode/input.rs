//! Bytes of a file or a pipe, with a look ahead. A pipe has no length and no way back.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read, Seek as _, SeekFrom};

/// The largest look ahead, in bytes.
pub(crate) const MAX_PEEK: usize = 1 << 20;
/// Bytes that are read of a file at a time.
pub(crate) const BUFFER: usize = 1 << 16;

/// A source of bytes at a known position.
pub struct Input {
    kind: Kind,
    /// Bytes that were looked at and not read yet.
    ahead: Vec<u8>,
    at: u64,
    len: Option<u64>,
}

enum Kind {
    File(BufReader<File>),
    Pipe(Box<dyn Read + Send + Sync>),
}

impl Input {
    /// A file from its start, as long as it is now.
    ///
    /// # Errors
    /// The file cannot be rewound or measured.
    pub fn file(mut file: File) -> io::Result<Self> {
        let len = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(0))?;
        let reader = BufReader::with_capacity(BUFFER, file);
        Ok(Self { kind: Kind::File(reader), ahead: Vec::new(), at: 0, len: Some(len) })
    }

    /// A pipe.
    pub fn pipe(reader: Box<dyn Read + Send + Sync>) -> Self {
        Self { kind: Kind::Pipe(reader), ahead: Vec::new(), at: 0, len: None }
    }

    /// The position of the next byte.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The length of a file; `None` for a pipe.
    pub fn len(&self) -> Option<u64> {
        self.len
    }

    /// Bytes from here to the end of a file; `None` for a pipe.
    pub fn left(&self) -> Option<u64> {
        self.len.map(|len| len.saturating_sub(self.at))
    }

    /// Reads as much of `buffer` as there is; less than all of it only at the end.
    ///
    /// # Errors
    /// Errors of the file or pipe.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_ahead = self.ahead.len().min(buffer.len());
        buffer[..n_ahead].copy_from_slice(&self.ahead[..n_ahead]);
        self.ahead.drain(..n_ahead);
        let n_read = n_ahead + self.read_on(&mut buffer[n_ahead..])?;
        self.at += n_read as u64;
        Ok(n_read)
    }

    /// Reads `n` bytes; `None` if there are fewer.
    ///
    /// # Errors
    /// Errors of the file or pipe.
    pub fn take<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        Ok((self.read(&mut bytes)? == N).then_some(bytes))
    }

    /// The next `n` bytes (at most [`MAX_PEEK`]) without passing them; fewer at the end.
    ///
    /// # Errors
    /// Errors of the file or pipe.
    pub fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        let n = n.min(MAX_PEEK);
        let n_ahead = self.ahead.len();
        if n_ahead < n {
            let mut ahead = std::mem::take(&mut self.ahead);
            ahead.resize(n, 0);
            let result = self.read_on(&mut ahead[n_ahead..]);
            ahead.truncate(n_ahead + *result.as_ref().unwrap_or(&0));
            self.ahead = ahead;
            result?;
        }
        Ok(&self.ahead[..n.min(self.ahead.len())])
    }

    /// Passes `n` bytes; the number that there were.
    ///
    /// # Errors
    /// Errors of the file or pipe.
    pub fn skip(&mut self, n: u64) -> io::Result<u64> {
        if let Some(len) = self.len {
            let to = self.at.saturating_add(n).min(len);
            let n_skipped = to.saturating_sub(self.at);
            self.seek(to)?;
            return Ok(n_skipped);
        }
        let mut buffer = vec![0; 8192];
        let mut n_skipped = 0;
        while n_skipped < n {
            let wanted = (n - n_skipped).min(buffer.len() as u64) as usize;
            let n_read = self.read(&mut buffer[..wanted])?;
            n_skipped += n_read as u64;
            if n_read < wanted {
                break;
            }
        }
        Ok(n_skipped)
    }

    /// Hands the bytes that were read last back: they are the next.
    pub fn put_back(&mut self, bytes: &[u8]) {
        self.ahead.splice(..0, bytes.iter().copied());
        self.at -= bytes.len() as u64;
    }

    /// Goes to a position in a file.
    ///
    /// # Errors
    /// Errors of the file; a pipe cannot seek.
    pub fn seek(&mut self, to: u64) -> io::Result<()> {
        if let Some(n) = to.checked_sub(self.at).filter(|&n| n <= self.ahead.len() as u64) {
            self.ahead.drain(..n as usize);
            self.at = to;
            return Ok(());
        }
        match &mut self.kind {
            Kind::File(file) => {
                let at = self.at + self.ahead.len() as u64;
                self.ahead.clear();
                // Keeps what the buffer holds where the way is short.
                file.seek_relative(to as i64 - at as i64)?;
                self.at = to;
                Ok(())
            }
            Kind::Pipe(_) => Err(io::Error::from(ErrorKind::NotSeekable)),
        }
    }

    fn read_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n_read = 0;
        while n_read < buffer.len() {
            let rest = &mut buffer[n_read..];
            let result = match &mut self.kind {
                Kind::File(file) => file.read(rest),
                Kind::Pipe(pipe) => pipe.read(rest),
            };
            match result {
                Ok(0) => break,
                Ok(n) => n_read += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(n_read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write as _};

    use super::*;

    #[test]
    fn a_file_and_a_pipe_give_the_same_bytes() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i * 7 % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        for mut input in [Input::file(file).unwrap(), Input::pipe(Box::new(Cursor::new(bytes.clone())))] {
            assert_eq!(input.peek(3).unwrap(), &bytes[..3]);
            assert_eq!(input.take::<5>().unwrap().unwrap(), bytes[..5]);
            assert_eq!(input.peek(9).unwrap(), &bytes[5..14]);
            assert_eq!(input.peek(2).unwrap(), &bytes[5..7]);
            input.put_back(&bytes[1..5]);
            assert_eq!((input.at(), input.take::<4>().unwrap()), (1, bytes[1..5].first_chunk().copied()));
            assert_eq!(input.skip(70_000).unwrap(), 70_000);
            assert_eq!(input.at(), 70_005);
            let mut rest = vec![0; 50_000];
            assert_eq!(input.read(&mut rest).unwrap(), 29_995);
            assert_eq!(rest[..29_995], bytes[70_005..]);
            assert!(input.peek(1).unwrap().is_empty());
            assert_eq!(input.take::<1>().unwrap(), None);
            assert_eq!(input.skip(1).unwrap(), 0);
        }
    }
}
