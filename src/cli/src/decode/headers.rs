//! Recognises the headers of plain samples.

use anyhow::Result;

use super::input::Input;
use super::layout::Layout;
use super::{aiff, riff};

/// The header of a container of plain samples, if it is one. The input then stands at its data.
pub(crate) fn plain_layout(input: &mut Input) -> Result<Option<Layout>> {
    let head = input.peek(16)?.to_vec();
    if riff::is_riff(&head) {
        riff::read(input).map(Some)
    } else if aiff::is_aiff(&head) {
        aiff::read_aiff(input).map(Some)
    } else if aiff::is_au(&head) {
        aiff::read_au(input).map(Some)
    } else if aiff::is_caf(&head) {
        aiff::read_caf(input)
    } else {
        Ok(None)
    }
}
