//! What a shop sees of itself, and of nobody else.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::frame::{Frame, page as show};
use super::super::overview::{TerminalLine, terminal_line};
use super::super::visit::{Visit, Wrong};
use crate::store::StoreError;

#[derive(Template)]
#[template(path = "shop.html")]
struct ShopPage {
    f: Frame,
    shop: OwnShop,
}

/// A shop's own figures.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct OwnShop {
    pub(super) shop: String,
    pub(super) name: String,
    /// Settled sales that no settlement has closed yet.
    pub(super) owed_cents: u64,
    pub(super) terminals: Vec<TerminalLine>,
}

pub(super) async fn own(visit: &Visit) -> Result<OwnShop, Wrong> {
    let code = visit.standing.shop().ok_or(Wrong::Nobody)?.to_owned();
    let read = visit.store(move |tx| {
        let shop = tx.shops()?.into_iter().find(|shop| shop.code == code).ok_or(StoreError::UnknownShop)?;
        let owed = tx.shop_owed(&code)?;
        let terminals = tx.terminals()?.into_iter().filter(|view| view.shop_code == code).map(terminal_line);
        Ok(OwnShop { terminals: terminals.collect(), owed_cents: owed.get(), shop: shop.code, name: shop.name })
    });
    Ok(read.await?)
}

pub(super) async fn page(visit: Visit) -> Result<Response, Wrong> {
    let shop = own(&visit).await?;
    show(StatusCode::OK, &ShopPage { f: Frame::new(&visit, "shop-title"), shop })
}
