//! Programs for terminals, as a test makes them: the real agent under another version, or one that does not work.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
pub use cabas_agent::journal::FORM;
use cabas_protocol::stamp::{Stamp, made};
use serde_json::Value;

use crate::hub::Hub;
use crate::program::{binary, run};

/// Bytes of a broken program's plan.
pub const PLAN_BYTES: usize = 33;
const PLAN_MARK: &[u8] = b"\x01cabas-plan\x01";
const PLAN_END: u8 = 2;

/// What stands in a plan.
#[must_use]
pub fn plan_of(bytes: &[u8]) -> Option<String> {
    let text = bytes.strip_prefix(PLAN_MARK)?.strip_suffix(&[PLAN_END])?;
    Some(std::str::from_utf8(text).ok()?.trim_end().to_owned())
}

/// A fund's release key, and the programs that it signs.
pub struct Releases {
    dir: PathBuf,
    /// The public half of the key.
    pub key: String,
}

impl Releases {
    /// Makes a key in a folder; hub and terminals have to be told of it.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn new(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let file = dir.join("release.key");
        let made = run(Command::new(binary("cabas-hub")?).args(["--json", "release", "key", "--out"]).arg(file))?;
        let key = made.json()?["release_key"].as_str().context("no key")?.to_owned();
        Ok(Self { dir: dir.to_owned(), key })
    }

    /// Settings of a terminal that takes releases, and quickly.
    #[must_use]
    pub fn of_terminal(&self) -> Vec<(String, String)> {
        let set = |key: &str, value: &str| (format!("CABAS_AGENT_{key}"), value.to_owned());
        vec![
            set("RELEASE_KEY", &self.key),
            set("UPGRADE_CHECK_S", "1"),
            set("UPGRADE_QUIET_S", "1"),
            set("UPGRADE_TRIAL_S", "1"),
        ]
    }

    /// The real agent as another version, signed.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn agent(&self, version: &str) -> anyhow::Result<PathBuf> {
        let bytes = stamped(stripped(&self.dir, "cabas-agent")?, version, FORM)?;
        self.signed(&format!("agent-{version}"), &bytes)
    }

    /// A program that does not work by a plan, signed.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn broken(&self, version: &str, plan: &str, form: u32) -> anyhow::Result<PathBuf> {
        let mut bytes = stamped(stripped(&self.dir, "cabas-broken-agent")?, version, form)?;
        let at = bytes.windows(PLAN_BYTES).position(|window| plan_of(window).is_some()).context("no plan in it")?;
        let text = [PLAN_MARK, format!("{plan:<20}").as_bytes(), &[PLAN_END]].concat();
        ensure!(text.len() == PLAN_BYTES, "{plan} is too long");
        bytes.get_mut(at..at.saturating_add(PLAN_BYTES)).context("no plan in it")?.copy_from_slice(&text);
        self.signed(&format!("broken-{version}"), &bytes)
    }

    /// Any bytes as a program, signed.
    ///
    /// # Errors
    /// Where `release sign` refuses.
    pub fn signed(&self, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let file = self.dir.join(name);
        std::fs::File::create(&file)?.write_all(bytes)?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755))?;
        let mut sign = Command::new(binary("cabas-hub")?);
        sign.args(["--json", "release", "sign"]).arg(&file).arg("--key").arg(self.dir.join("release.key"));
        run(&mut sign)?.json()?;
        Ok(file)
    }
}

impl Releases {
    /// The hash of what the key says of a program: terminals name a release by it.
    ///
    /// # Errors
    /// Where it was not signed.
    pub fn hash(&self, program: &Path) -> anyhow::Result<String> {
        let signed = std::fs::read(format!("{}.release", program.display()))?;
        Ok(cabas_protocol::sign::sha256(&[&signed]).to_string())
    }
}

/// Adds a program at the hub and offers it to all.
///
/// # Errors
/// Where the hub refuses.
pub fn offer(hub: &Hub, program: &Path) -> anyhow::Result<()> {
    let added = hub.ok(&["release", "add", &program.display().to_string()])?;
    let version = added["version"].as_str().context("no version")?;
    hub.ok(&["release", "offer", version, "--all"]).map(drop)
}

/// What the hub knows of the only terminal's upgrade.
///
/// # Errors
/// Where the hub does not say.
pub fn told(hub: &Hub) -> anyhow::Result<Value> {
    Ok(hub.ok(&["release", "list"])?["terminals"][0].clone())
}

/// A program of this workspace without what only a debugger needs.
fn stripped(dir: &Path, name: &str) -> anyhow::Result<Vec<u8>> {
    let out = dir.join(format!("{name}.stripped"));
    if !out.exists() {
        let done = run(Command::new("strip").arg("-o").arg(&out).arg(binary(name)?))?;
        ensure!(done.code == Some(0), "strip: {done:?}");
    }
    Ok(std::fs::read(out)?)
}

/// A program with another stamp.
///
/// # Errors
/// Where it has none.
pub fn stamped(mut program: Vec<u8>, version: &str, form: u32) -> anyhow::Result<Vec<u8>> {
    let (at, target) = match Stamp::find(&program) {
        Ok((at, stamp)) => (at, stamp.target.to_owned()),
        Err(error) => bail!("{error}"),
    };
    let stamp = made(&format!("{version} {target} {form} 1"));
    program.get_mut(at..at.saturating_add(stamp.len())).context("no stamp")?.copy_from_slice(&stamp);
    Ok(program)
}
