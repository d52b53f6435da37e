//! Paths in reports.

use std::path::Path;

use serde::Serializer;

/// Writes a path as text; what is no UTF-8 in it is replaced, where serde would refuse the whole report.
///
/// # Errors
/// The serializer's.
pub fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}
