//! Data structures over lent memory.
