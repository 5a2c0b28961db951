//! The claim rule.
