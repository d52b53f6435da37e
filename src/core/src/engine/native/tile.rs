//! Shared parts of the tiles of matrix products.

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

/// Does something for every vector across a tile, of which there are at most sixteen, as [`for_rows`] for rows.
macro_rules! for_vectors {
    ($n:ident, |$vector:ident| $body:block) => {
        for_rows!(@ $n, $vector, $body, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    };
}

/// Does something for each of four lanes, whose number is a constant.
macro_rules! for_lanes {
    (|$lane:ident| $body:block) => {
        for_lanes!(@ $lane, $body, 0, 1, 2, 3);
    };
    (@ $lane:ident, $body:block, $($number:literal),*) => {$(
        {
            const $lane: usize = $number;
            $body
        }
    )*};
}

pub(super) use {for_lanes, for_rows, for_vectors};
