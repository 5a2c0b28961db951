//! The accounts at banks: the fund's own and the shops'. The log tells of a change without the whole IBAN.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use schemars::JsonSchema;
use sepa::IbanError;
use serde::{Deserialize, Serialize};

use super::super::frame::{Fault, Frame, answer};
use super::super::sent::Sent;
use super::super::visit::{Done, Visit, Wrong};
use crate::bank;
use crate::core::audit::Deed;
use crate::store::{BankRefusal, FundAccountOrder, PainVersion, ShopAccountOrder, StoreError};

/// The accounts of the fund and of the shops.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Accounts {
    fund: Option<Account>,
    shops: Vec<OfShop>,
}

/// A shop's account.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct OfShop {
    shop: String,
    shop_name: String,
    /// None where it cannot be paid yet.
    account: Option<Account>,
}

/// An account.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub(super) struct Account {
    /// The name that the bank knows.
    name: String,
    iban: String,
    /// Of the fund's own, where it is known.
    bic: Option<String>,
    /// Of the fund's own: the version of pain.001 that its bank takes, 3 or 9.
    pain: Option<u8>,
    set_by: String,
    set_at: u64,
}

/// An account to set, and those before, newest first.
#[derive(Debug, JsonSchema, Serialize)]
pub(super) struct Setting {
    /// None for the fund's own.
    shop: Option<String>,
    shop_name: String,
    accounts: Vec<Account>,
}

/// What is typed of an account.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(super) struct Typed {
    /// The name that the bank knows: the bank compares it with the IBAN.
    #[serde(default)]
    name: String,
    /// With or without spaces.
    #[serde(default)]
    iban: String,
    /// Of the fund's own; may be empty.
    #[serde(default)]
    bic: String,
    /// Of the fund's own: `03` or `09`, the version of pain.001 that its bank takes.
    #[serde(default)]
    pain: String,
}

/// What was set.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(super) struct Set {
    /// None for the fund's own.
    shop: Option<String>,
    /// Masked.
    iban: String,
}

#[derive(Template)]
#[template(path = "bank_accounts.html")]
struct ListPage {
    f: Frame,
    data: Accounts,
}

#[derive(Template)]
#[template(path = "bank_account.html")]
struct SetPage {
    f: Frame,
    data: Setting,
    typed: Typed,
    action: String,
}

pub(super) async fn list(visit: Visit) -> Result<Response, Wrong> {
    let read = visit.store(|tx| {
        let shops = tx.shops()?.into_iter().map(|shop| {
            let account = tx.shop_accounts(&shop.code)?.into_iter().next().map(of_shop);
            Ok::<_, StoreError>(OfShop { shop: shop.code, shop_name: shop.name, account })
        });
        Ok(Accounts { fund: tx.fund_account()?.map(of_fund), shops: shops.collect::<Result<_, _>>()? })
    });
    let data = read.await?;
    answer(&visit, "accounts-title", Vec::new(), data, |f, data| ListPage { f, data })
}

fn of_fund(account: crate::store::FundAccount) -> Account {
    Account {
        name: account.name,
        iban: account.iban,
        bic: account.bic,
        pain: Some(account.pain.number()),
        set_by: account.set_by,
        set_at: account.set_at.get(),
    }
}

fn of_shop(account: crate::store::ShopAccount) -> Account {
    Account {
        name: account.name,
        iban: account.iban,
        bic: None,
        pain: None,
        set_by: account.set_by,
        set_at: account.set_at.get(),
    }
}

async fn read(visit: &Visit, shop: Option<String>) -> Result<Setting, Wrong> {
    let read = visit.store(move |tx| {
        let Some(code) = shop else {
            let accounts = tx.fund_account()?.map(of_fund).into_iter().collect();
            return Ok(Setting { shop: None, shop_name: String::new(), accounts });
        };
        let accounts = tx.shop_accounts(&code)?.into_iter().map(of_shop).collect();
        let found = tx.shops()?.into_iter().find(|shop| shop.code == code).ok_or(StoreError::UnknownShop)?;
        Ok(Setting { shop: Some(code), shop_name: found.name, accounts })
    });
    Ok(read.await?)
}

async fn show(visit: &Visit, shop: Option<String>, typed: Typed, faults: Vec<Fault>) -> Result<Response, Wrong> {
    let data = read(visit, shop).await?;
    let action = match &data.shop {
        Some(code) => format!("/bank/accounts/shops/{code}"),
        None => "/bank/accounts/fund".to_owned(),
    };
    let title = if data.shop.is_some() { "account-shop-title" } else { "account-fund-title" };
    answer(visit, title, faults, data, |f, data| SetPage { f, data, typed, action })
}

pub(super) async fn fund_form(visit: Visit) -> Result<Response, Wrong> {
    let now = visit.store(|tx| tx.fund_account()).await?;
    let typed = now.map(|account| Typed {
        name: account.name,
        bic: account.bic.unwrap_or_default(),
        pain: format!("{:02}", account.pain.number()),
        iban: String::new(),
    });
    show(&visit, None, typed.unwrap_or_default(), Vec::new()).await
}

pub(super) async fn shop_form(visit: Visit, Path(shop): Path<String>) -> Result<Response, Wrong> {
    show(&visit, Some(shop), Typed::default(), Vec::new()).await
}

pub(super) async fn set_fund(visit: Visit, Sent(typed): Sent<Typed>) -> Result<Response, Wrong> {
    let pain = match typed.pain.as_str() {
        "03" => PainVersion::V03,
        "09" | "" => PainVersion::V09,
        _ => return show(&visit, None, typed, vec![Fault { field: "pain", text: "account-pain-wrong" }]).await,
    };
    let sent = typed.clone();
    let set = visit.deed(Deed::FundAccountSet, move |tx, by| {
        let bic = Some(sent.bic.trim().to_owned()).filter(|bic| !bic.is_empty());
        let (name, iban, by_whom) = (sent.name.trim().to_owned(), sent.iban, by.who.clone());
        tx.fund_account_set(&FundAccountOrder { name, iban: iban.clone(), bic, pain, by: by_whom }, by.now)?;
        let iban = bank::masked(&iban);
        let detail = format!("IBAN {iban}, pain.001.001.{:02}", pain.number());
        Ok(Done { given: Set { shop: None, iban }, subject: "fund".to_owned(), detail })
    });
    finish(&visit, set.await, None, typed).await
}

pub(super) async fn set_shop(
    visit: Visit,
    Path(shop): Path<String>,
    Sent(typed): Sent<Typed>,
) -> Result<Response, Wrong> {
    let (sent, code) = (typed.clone(), shop.clone());
    let set = visit.deed(Deed::ShopAccountSet, move |tx, by| {
        let (name, iban, by_whom) = (sent.name.trim().to_owned(), sent.iban, by.who.clone());
        tx.shop_account_set(&ShopAccountOrder { shop: code.clone(), name, iban: iban.clone(), by: by_whom }, by.now)?;
        let iban = bank::masked(&iban);
        let detail = format!("IBAN {iban}");
        Ok(Done { given: Set { shop: Some(code.clone()), iban }, subject: code, detail })
    });
    finish(&visit, set.await, Some(shop), typed).await
}

/// What is refused is shown on the form again, with what was typed.
async fn finish(
    visit: &Visit,
    set: Result<Set, StoreError>,
    shop: Option<String>,
    typed: Typed,
) -> Result<Response, Wrong> {
    let fault = match set {
        Ok(set) => return visit.done(&set, "/bank/accounts"),
        Err(StoreError::Bank(BankRefusal::Iban(error))) => Fault { field: "iban", text: of_iban(&error) },
        Err(StoreError::Bank(BankRefusal::NotSepa(_))) => Fault { field: "iban", text: "refusal-not-sepa" },
        Err(StoreError::Bank(BankRefusal::Bic(_))) => Fault { field: "bic", text: "refusal-bic" },
        Err(StoreError::Text("name")) => Fault { field: "name", text: "refusal-name" },
        Err(error) => return Err(error.into()),
    };
    show(visit, shop, typed, vec![fault]).await
}

fn of_iban(error: &IbanError) -> &'static str {
    if matches!(error, IbanError::InvalidChecksum { .. }) {
        return "iban-checksum";
    }
    if matches!(error, IbanError::InvalidLength { .. } | IbanError::WrongLengthForCountry { .. }) {
        return "iban-length";
    }
    "refusal-iban"
}
