//! What the service says to people: each sentence has a stable code, arguments, and an English text made from both.
//!
//! Programs read codes; people read sentences in their language. A room declares what it says with
//! [`sentences!`](crate::sentences), and its catalogue (`CATALOGUE`) lists every code with its arguments and its English
//! text, so that a page can hold the same sentences in other languages.
//!
//! Not here: the sentences themselves (each room has its own); log lines.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Something said to people.
pub trait Coded: fmt::Display {
    /// Stable, snake case, unique in the program.
    fn code(&self) -> &'static str;

    /// By the names in the catalogue.
    fn args(&self) -> BTreeMap<String, Arg>;

    /// What a person can do about it, where the sentence has such a part.
    fn remedy(&self) -> Option<String>;

    /// The same without its type: for JSON, files and other rooms.
    fn sentence(&self) -> Sentence {
        Sentence {
            code: self.code().to_owned(),
            args: self.args(),
            text: self.to_string(),
        }
    }
}

/// A sentence without its type. `Display` is the English text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sentence {
    pub code: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, Arg>,
    /// In English.
    pub text: String,
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// An argument of a sentence. Quantities are numbers in the unit that the argument's name ends with
/// (`free_bytes`, `since_ms`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Arg {
    Number(i64),
    /// A name, an address, a word of the operating system: not to be translated.
    Text(String),
    /// A sentence within a sentence.
    Sentence(Box<Sentence>),
}

/// What may stand in a sentence.
pub trait ToArg: fmt::Display {
    fn to_arg(&self) -> Arg;
}

macro_rules! numbers {
    ($($number:ty),*) => {
        $(impl ToArg for $number {
            fn to_arg(&self) -> Arg {
                Arg::Number(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        })*
    };
}
numbers!(u16, u32, u64, i64, usize);

macro_rules! texts {
    ($($text:ty),*) => {
        $(impl ToArg for $text {
            fn to_arg(&self) -> Arg {
                Arg::Text(self.to_string())
            }
        })*
    };
}
texts!(
    String,
    &'static str,
    super::ids::CameraId,
    super::ids::PressId
);

impl ToArg for Sentence {
    fn to_arg(&self) -> Arg {
        Arg::Sentence(Box::new(self.clone()))
    }
}

/// One code: what a translator needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CatalogueEntry {
    pub code: &'static str,
    pub args: &'static [&'static str],
    /// With `{argument}` where arguments stand.
    pub text: &'static str,
    /// Empty: there is nothing to be done about it.
    pub remedy: &'static str,
}

/// Declares what a room says to people: an enum with [`Coded`], `Display` and `CATALOGUE`.
///
/// ```
/// hindsight::sentences! {
///     /// What is wrong with a bucket.
///     pub enum BucketSentence {
///         /// It holds more than it should.
///         Overfull { litres: u64 } = "bucket_overfull": "the bucket holds {litres} l"
///             => "empty it",
///         Missing {} = "bucket_missing": "there is no bucket",
///     }
/// }
/// use hindsight::base::Coded;
/// let said = BucketSentence::Overfull { litres: 12 };
/// assert_eq!(said.to_string(), "the bucket holds 12 l");
/// assert_eq!(said.remedy().as_deref(), Some("empty it"));
/// assert_eq!(said.code(), "bucket_overfull");
/// ```
#[macro_export]
macro_rules! sentences {
    (
        $(#[$about:meta])*
        $vis:vis enum $name:ident {
            $(
                $(#[$doc:meta])*
                $variant:ident { $($field:ident : $type:ty),* $(,)? } = $code:literal : $text:literal
                    $(=> $remedy:literal)?
            ),* $(,)?
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis enum $name {
            $( $(#[$doc])* $variant { $($field: $type),* } ),*
        }

        impl $name {
            /// Every code of these, in the order of their declaration.
            pub const CATALOGUE: &'static [$crate::base::sentence::CatalogueEntry] = &[
                $( $crate::base::sentence::CatalogueEntry {
                    code: $code,
                    args: &[$(stringify!($field)),*],
                    text: $text,
                    remedy: concat!($($remedy)?),
                } ),*
            ];
        }

        impl std::fmt::Display for $name {
            #[allow(unused_variables)]
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self {
                    $( $name::$variant { $($field),* } => write!(f, $text) ),*
                }
            }
        }

        impl $crate::base::sentence::Coded for $name {
            fn code(&self) -> &'static str {
                match self {
                    $( $name::$variant { .. } => $code ),*
                }
            }

            #[allow(unused_mut)]
            fn args(&self) -> std::collections::BTreeMap<String, $crate::base::sentence::Arg> {
                let mut args = std::collections::BTreeMap::new();
                match self {
                    $( $name::$variant { $($field),* } => {
                        $( args.insert(
                            stringify!($field).to_owned(),
                            $crate::base::sentence::ToArg::to_arg($field),
                        ); )*
                    } ),*
                }
                args
            }

            #[allow(unused_variables)]
            fn remedy(&self) -> Option<String> {
                match self {
                    $( $name::$variant { $($field),* } => {
                        None::<String>$(.or_else(|| Some(format!($remedy))))?
                    } ),*
                }
            }
        }
    };
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    sentences! {
        /// For these tests.
        enum Bucket {
            /// A number and a sentence within.
            Leaks { litres: u64, why: Sentence } = "bucket_leaks": "it lost {litres} l: {why}"
                => "carry {litres} l back",
            Missing {} = "bucket_missing": "there is no bucket",
        }
    }

    #[test]
    fn a_sentence_has_a_code_arguments_a_text_and_perhaps_a_remedy() {
        let why = Bucket::Missing {}.sentence();
        let leaks = Bucket::Leaks { litres: 3, why };
        assert_eq!(leaks.to_string(), "it lost 3 l: there is no bucket");
        assert_eq!(leaks.remedy().unwrap(), "carry 3 l back");
        assert_eq!(Bucket::Missing {}.remedy(), None);
        let json = serde_json::to_value(leaks.sentence()).unwrap();
        let expected = serde_json::json!({
            "code": "bucket_leaks",
            "args": {"litres": 3, "why": {"code": "bucket_missing", "text": "there is no bucket"}},
            "text": "it lost 3 l: there is no bucket",
        });
        assert_eq!(json, expected);
        let back: Sentence = serde_json::from_value(json).unwrap();
        assert_eq!(back, leaks.sentence());
    }

    #[test]
    fn the_catalogue_has_what_a_translator_needs() {
        assert_eq!(Bucket::CATALOGUE[0].args, ["litres", "why"]);
        assert_eq!(Bucket::CATALOGUE[0].remedy, "carry {litres} l back");
        assert_eq!(Bucket::CATALOGUE[1].remedy, "");
    }
}
