//! tacet
fn main(){}
