//! The tables of the wiring guide, made of the pin map and of the lights' table.
