//! What the tiles of matrix products share.

/// Does something for every row of a tile, of which there are at most six, with the row's number known to the compiler:
/// it then keeps the sums in registers. A loop is unrolled too late for that.
macro_rules! for_rows {
    ($n:ident, |$row:ident| $body:block) => {
        for_rows!(@ $n, $row, $body, 0, 1, 2, 3, 4, 5);
    };
    (@ $n:ident, $row:ident, $body:block, $($number:literal),*) => {$(
        if const { $n > $number } {
            let $row = $number;
            $body
        }
    )*};
}

pub(super) use for_rows;
