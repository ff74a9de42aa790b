//! What the programs that try TCP on bad paths share: which paths these are.

pub mod cell;
