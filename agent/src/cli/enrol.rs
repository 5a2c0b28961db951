//! `enrol`: a one-time code becomes a key of one's own and a pinned root key.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::lock;
use crate::clock::Clock;
use crate::journal::keyfile;
use crate::journal::verify::hex;
use crate::out::print;
use crate::sync::{HubClient, enrol};

#[derive(Args, Debug)]
pub(super) struct Enrol {
    /// Where the hub is: https://…, or http://… on this machine
    #[arg(long, value_name = "URL")]
    hub: String,
    /// The one-time code, such as ABCD-EFGH-JKMN
    #[arg(long, value_name = "CODE")]
    code: String,
}

#[derive(Serialize)]
struct Shown {
    fund: u32,
    terminal: u32,
    epoch: u32,
    root: String,
}

pub(super) async fn run(context: &Context, enrol: &Enrol) -> Result<(), Failure> {
    let folder: &Path = &context.config.data_dir;
    keyfile::make_folder(folder).map_err(|source| Failure::Folder { folder: folder.to_owned(), source })?;
    let _lock = lock::take(folder)?;
    let client = HubClient::new(&enrol.hub, context.config.hub_ca.as_deref())?;
    let now = Clock::system().now();
    let enrolled = enrol::enrol(folder, &client, &enrol.hub, &enrol.code, now).await?;
    let shown = Shown {
        fund: enrolled.fund.get(),
        terminal: enrolled.terminal.get(),
        epoch: enrolled.epoch.get(),
        root: hex(enrolled.root.as_bytes()),
    };
    let text = |shown: &Shown| {
        format!(
            "Enrolled as terminal {} (enrolment {}) of fund {}.\nRoot key {}\nNext: cabas-agent run",
            shown.terminal, shown.epoch, shown.fund, shown.root
        )
    };
    print(context.format, &shown, text).map_err(Failure::Print)
}
