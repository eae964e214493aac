//! Command line only: parse, call one function, print.

fn main() {}
