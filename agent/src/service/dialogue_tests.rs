#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
