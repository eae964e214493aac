//! Quantities in sentences: written for people, numbers for programs.
//!
//! Not here: quantities that only one room speaks of (they stand with its sentences).

/// Declares quantities: each is written for people as its body says, and is a plain number as an argument.
///
/// ```
/// hindsight::quantities! {
///     /// Litres: "3 l".
///     pub struct Litres(f, litres: u64) { write!(f, "{litres} l") }
/// }
/// assert_eq!(Litres(3).to_string(), "3 l");
/// ```
#[macro_export]
macro_rules! quantities {
    ($($(#[$doc:meta])* $vis:vis struct $name:ident($f:ident, $n:ident: $number:ty) $shown:block)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            $vis struct $name(pub $number);

            impl std::fmt::Display for $name {
                fn fmt(&self, $f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    let $n = self.0;
                    $shown
                }
            }

            impl $crate::base::sentence::ToArg for $name {
                fn to_arg(&self) -> $crate::base::sentence::Arg {
                    $crate::base::sentence::ToArg::to_arg(&self.0)
                }
            }
        )*
    };
}

/// Counts as floats, for figures that people read: exact up to 2^53, which no size or duration here reaches.
pub trait ToFloat {
    fn to_float(self) -> f64;
}

macro_rules! floats {
    ($($number:ty),*) => {
        $(impl ToFloat for $number {
            #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
            fn to_float(self) -> f64 {
                self as f64
            }
        })*
    };
}
floats!(u64, i64, usize);

quantities! {
    /// Whole megabytes for people, bytes for programs.
    pub struct Megabytes(f, bytes: u64) { write!(f, "{} MB", bytes / 1_000_000) }

    /// `HH:MM` for people, minutes past midnight for programs.
    pub struct TimeOfDay(f, minutes: u16) { write!(f, "{:02}:{:02}", minutes / 60, minutes % 60) }
}
