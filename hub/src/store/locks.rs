//! What the thread that owns the file shares and waits with: in the tests of schedules, the explorer's own stand in their place.

pub(super) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
pub(super) use std::thread::{Builder, JoinHandle, current};
