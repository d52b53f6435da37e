//! Files that lie end to end in one.

use std::fs::File;
use std::sync::Arc;

use anyhow::Result;
use symphonia::core::formats::FormatReader;

use crate::decode::flac;
use crate::decode::probe::probe;
use crate::decode::windows::Window;
use crate::io_errors::explained;

/// One of several files that are joined end to end, or the only FLAC.
pub(super) enum Joined {
    Matroska(Vec<Window>),
    Flac(Arc<flac::Contents>),
}

impl Joined {
    /// A reader from its start.
    pub(super) fn reader(&self, file: &File, hint: Option<&str>) -> Result<Box<dyn FormatReader>> {
        match self {
            Self::Matroska(windows) => probe(file, hint, Some(windows)),
            Self::Flac(contents) => {
                contents.reader(file).map_err(|error| explained("cannot be opened again", &error).into())
            }
        }
    }
}
