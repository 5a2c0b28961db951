//! Counts by strace how often a program has the disk write all it holds.

use std::path::Path;

/// What a program is put behind so that its calls are listed in a file. strace is its grandchild: who starts the program has
/// the program itself, and strace ends with it. The other way round the program would outlive who killed strace.
#[must_use]
pub fn listed_in(trace: &Path) -> Vec<String> {
    let words = ["strace", "-D", "-f", "--quiet=all", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o"];
    words.into_iter().map(str::to_owned).chain([trace.display().to_string()]).collect()
}

/// How many there were so far.
///
/// # Errors
/// Where the list cannot be read.
pub fn counted(trace: &Path) -> std::io::Result<usize> {
    Ok(std::fs::read_to_string(trace)?.lines().filter(|line| line.contains("sync")).count())
}
