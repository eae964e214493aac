//! What every answer says that is one to people: whether it was done, the sentence, its code.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::sentence::{Arg, Coded, Sentence};

/// Whether it was done, and what is said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SaidAnswer {
    pub success: bool,
    /// In English, for people.
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub message: String,
    /// Of the sentence; stable.
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z][a-z0-9_]*$")))]
    pub code: String,
    /// What stands in the sentence.
    pub args: BTreeMap<String, Arg>,
}

impl SaidAnswer {
    pub fn done(said: impl Coded) -> SaidAnswer {
        SaidAnswer::new(true, said.sentence())
    }

    pub fn refused(why: Sentence) -> SaidAnswer {
        SaidAnswer::new(false, why)
    }

    fn new(success: bool, sentence: Sentence) -> SaidAnswer {
        SaidAnswer {
            success,
            message: sentence.text,
            code: sentence.code,
            args: sentence.args,
        }
    }
}

/// The code of a sentence whose text stands beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SentenceCode {
    #[cfg_attr(test, schemars(regex(pattern = "^[a-z][a-z0-9_]*$")))]
    pub code: String,
    pub args: BTreeMap<String, Arg>,
}

impl From<Sentence> for SentenceCode {
    fn from(sentence: Sentence) -> SentenceCode {
        SentenceCode {
            code: sentence.code,
            args: sentence.args,
        }
    }
}

/// What is wrong with something; all null: nothing is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TroubleView {
    pub trouble: Option<String>,
    /// Of `trouble`.
    pub trouble_code: Option<String>,
    pub trouble_args: BTreeMap<String, Arg>,
}

impl From<Option<Sentence>> for TroubleView {
    fn from(trouble: Option<Sentence>) -> TroubleView {
        trouble.map_or_else(TroubleView::default, |said| TroubleView {
            trouble: Some(said.text),
            trouble_code: Some(said.code),
            trouble_args: said.args,
        })
    }
}
