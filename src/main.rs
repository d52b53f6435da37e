//! tacet
fn main() {}
