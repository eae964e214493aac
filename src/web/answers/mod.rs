//! What the API answers: the types behind `schemas/`, in the words of the API.
//!
//! Not here: how the rooms name these things (`service` translates), what is wrong with a request (`refusal`).
//! A field that is added here appears in its schema: see `schemas`.

pub mod board;
pub mod captures;
pub mod health;
pub mod highlights;
pub mod press;
pub mod queue;
pub mod rings;
pub mod said;
pub mod status;
