//! A test that is cut off leaves no browser behind.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use std::process::{Command, Stdio};
use std::time::Duration;

use cabas_tests::browser::Browser;

/// Where the process that is cut off says which browser it has opened.
const TOLD: &str = "CABAS_TESTS_TELL_BROWSER";
/// How long what has to end may take, in steps of 100 ms.
const STEPS_MAX: u32 = 300;

#[tokio::test]
async fn a_browser_and_its_driver_end_with_a_test_that_is_killed() {
    if let Ok(told) = std::env::var(TOLD) {
        let browser = Browser::open(800, 600).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "a word to the test that waits, not data")]
        std::fs::write(&told, browser.profile().to_str().unwrap()).unwrap();
        std::future::pending::<()>().await;
    }
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told");
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "browser_life::a_browser_and_its_driver_end_with_a_test_that_is_killed"])
        .env(TOLD, &told)
        // What it leaves in the folder for what is temporary goes with this test.
        .env("TMPDIR", folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut profile = String::new();
    for _ in 0..STEPS_MAX {
        profile = std::fs::read_to_string(&told).unwrap_or_default();
        if !profile.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let folder_of_it = folder.path().to_str().unwrap().to_owned();
    let (browsers, driver) = (naming(&profile), children(test.id()));
    // Nothing of it is left where an assertion fails.
    test.kill().unwrap();
    test.wait().unwrap();
    assert!(!profile.is_empty(), "it never opened a browser");
    assert!(!browsers.is_empty() && driver.len() == 1, "browsers {browsers:?}, driver {driver:?}");
    let mut left = Vec::new();
    for _ in 0..STEPS_MAX {
        left = browsers.iter().chain(&driver).copied().filter(|pid| is_there(*pid)).collect();
        left.extend(naming(&folder_of_it));
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("still there: {left:?}");
}

/// Every process and what it was started with.
fn processes() -> Vec<(u32, String)> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?))).collect()
}

fn naming(text: &str) -> Vec<u32> {
    processes().into_iter().filter(|(_, line)| !text.is_empty() && line.contains(text)).map(|(pid, _)| pid).collect()
}

fn children(parent: u32) -> Vec<u32> {
    let of = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let is_child = |pid: &u32| of(*pid).lines().any(|line| line == format!("PPid:\t{parent}"));
    processes().into_iter().map(|(pid, _)| pid).filter(is_child).collect()
}

/// True until it has ended; a process that nobody waited for has.
fn is_there(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
