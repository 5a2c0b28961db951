//! What every test of the hub's web site needs: axe-core, the second factor of a person, the keys of a keyboard.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use totp_rs::{Builder, Secret};

/// The password that people in tests choose.
pub const PASSWORD: &str = "un mot de passe assez long";
/// The key, as WebDriver names it.
pub const TAB: &str = "\u{e004}";
/// The key, as WebDriver names it.
pub const ENTER: &str = "\u{e007}";

/// What axe-core finds wrong by WCAG 2.2 AA and its own best practices.
pub const AXE: &str = "return axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',
    'best-practice']}).then((found) => found.violations.map((rule) => rule.id + ': ' + rule.nodes.map((node) => node.html).join(' | ')))";

/// How long one code of a second factor holds.
const STEP_S: u64 = 30;

/// The script of axe-core.
///
/// # Errors
/// Where `deploy/test` has not installed it.
pub fn axe() -> anyhow::Result<String> {
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/lib");
    let pythons = std::fs::read_dir(&site).context("run deploy/test once: it installs axe-core")?;
    for python in pythons {
        let file = python?.path().join("site-packages/axe_playwright_python/axe.min.js");
        if file.exists() {
            return Ok(std::fs::read_to_string(file)?);
        }
    }
    anyhow::bail!("axe-core is not in {}; run deploy/test once", site.display())
}

/// The six digits of an app, of a half minute newer than that; and which half minute it is.
///
/// # Errors
/// Where the secret is none.
#[expect(clippy::disallowed_methods, reason = "the hub under test goes by the machine's clock")]
pub async fn digits(secret: &str, newer_than: u64) -> anyhow::Result<(String, u64)> {
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        if now.div_euclid(STEP_S) > newer_than {
            let secret = Secret::try_from_base32(secret.trim()).map_err(|error| anyhow::anyhow!("{error:?}"))?;
            let totp = Builder::new().with_secret(secret).with_account_name("x").build();
            let totp = totp.map_err(|error| anyhow::anyhow!("{error:?}"))?;
            return Ok((totp.generate(now).to_string(), now.div_euclid(STEP_S)));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
