//! The pages, one file a subject, and the one table of who may see which.
//!
//! To add a page: a handler here, a template in `hub/templates` that extends `layout.html`, its words in both files of
//! `hub/locales`, and a line in [`routes`]. The tests then ask for it in every role. What a page shows and does is there for
//! programs, too: the handler answers both ([`super::frame::answer`], [`super::visit::Visit::deed`]), and `.api(…)` on its
//! line makes the twin under `/api` and tells the OpenAPI document. What two people must do, and users, are for people alone.

mod account;
mod api;
mod assets;
mod audit;
pub(crate) mod bank;
mod bank_accounts;
mod dashboard;
mod fec;
mod login;
mod payments;
pub(crate) mod settlement_view;
mod settlements;
mod shop;
mod shop_statements;
mod terminals;
mod users;
mod works;

use axum::routing::{get, post};

use self::settlement_view::{Asked as Lines, FileGiven, Statement};
use super::document::Told;
use super::site::{Access, LOGIN, Route, with_twins};
use super::visit::Step;
use crate::core::roles::Role::{self, Admin, Evaluator, Shop, Treasurer};

const ADMIN: Access = Access::Roles(&[Admin]);
const OFFICE: Access = Access::Roles(&[Admin, Treasurer]);
const FIGURES: &[Role] = &[Admin, Treasurer, Evaluator];

/// Every route of the site with who may ask for it.
#[must_use]
pub fn routes() -> Vec<Route> {
    with_twins([site(), settlements(), bank()].concat())
}

/// What a cut pays, who says so, and what each shop gets of it. What two people do is for people alone.
fn settlements() -> Vec<Route> {
    const OWN: Access = Access::Roles(&[Shop]);
    vec![
        Route::get("/settlements", OFFICE, get(settlements::list)).menu("menu-settlements").api(Told::of::<
            settlements::Settlements,
        >(
            "The settlements, newest first.",
        )),
        Route::get("/settlements/next", OFFICE, get(settlements::next))
            .api(Told::of::<settlements::Next>("What the next settlement would pay, or will where it was prepared.")),
        Route::post("/settlements/next", OFFICE, post(settlements::prepare)),
        Route::get("/settlements/next/approve", OFFICE, get(settlements::ask_approve)),
        Route::post("/settlements/next/approve", OFFICE, post(settlements::approve)),
        Route::post("/settlements/next/withdraw", OFFICE, post(settlements::withdraw)),
        Route::get("/settlements/{settlement}", OFFICE, get(payments::one))
            .api(Told::of::<payments::Paid>("A settlement: each shop, how its payout stands, the payment file.")),
        Route::get("/settlements/{settlement}/payment-file", OFFICE, get(payments::payment_file)).api(Told::of::<
            FileGiven,
        >(
            "The payment file (pain.001) that was made, the same bytes each time.",
        )),
        Route::post("/settlements/{settlement}/payment-file", OFFICE, post(payments::order))
            .api(Told::of::<payments::FileMade>("Makes the payment file, once.").taking::<payments::Order>()),
        Route::get("/settlements/{settlement}/shops/{shop}", OFFICE, get(settlements::statement))
            .api(Told::of::<Statement>("A shop's statement, line by line.").taking::<Lines>()),
        Route::get("/settlements/{settlement}/shops/{shop}/file", OFFICE, get(settlements::statement_file))
            .api(Told::of::<FileGiven>("The statement as the signed file that the shop checks.")),
        Route::get("/settlements/{settlement}/shops/{shop}/refusal", OFFICE, get(payments::ask_refusal)),
        Route::post("/settlements/{settlement}/shops/{shop}/refusal", OFFICE, post(payments::refuse)),
        Route::post("/settlements/{settlement}/shops/{shop}/refusal/approve", OFFICE, post(payments::approve_refusal)),
        Route::post(
            "/settlements/{settlement}/shops/{shop}/refusal/withdraw",
            OFFICE,
            post(payments::withdraw_refusal),
        ),
        Route::get("/statements", OWN, get(shop_statements::list)).menu("menu-statements").api(Told::of::<
            shop_statements::Own,
        >(
            "A shop's own settlements, newest first.",
        )),
        Route::get("/statements/{settlement}", OWN, get(shop_statements::statement))
            .api(Told::of::<Statement>("A shop's own statement, line by line.").taking::<Lines>()),
        Route::get("/statements/{settlement}/file", OWN, get(shop_statements::statement_file))
            .api(Told::of::<FileGiven>("A shop's own statement as the signed file that it checks.")),
    ]
}

/// The bank: accounts, statements, the accounting export.
fn bank() -> Vec<Route> {
    vec![
        Route::get("/bank", OFFICE, get(bank::list))
            .menu("menu-bank")
            .api(Told::of::<bank::Bank>("What the bank booked, newest first.").taking::<bank::Asked>()),
        Route::post("/bank/statements", OFFICE, post(bank::import))
            .file()
            .api(Told::of::<bank::Report>("Imports a statement (camt.053); imported again it changes nothing.")),
        Route::get("/bank/entries/{entry}", OFFICE, get(bank::one))
            .api(Told::of::<bank::Entry>("Something that the bank booked, with its parts.")),
        Route::post("/bank/entries/{entry}/match", OFFICE, post(bank::match_entry))
            .api(Told::of::<bank::Matched>("Says which payout an entry paid or brought back.").taking::<bank::Meant>()),
        Route::get("/bank/accounts", OFFICE, get(bank_accounts::list))
            .api(Told::of::<bank_accounts::Accounts>("The accounts of the fund and of the shops.")),
        Route::get("/bank/accounts/fund", OFFICE, get(bank_accounts::fund_form))
            .api(Told::of::<bank_accounts::Setting>("The fund's own account.")),
        Route::post("/bank/accounts/fund", OFFICE, post(bank_accounts::set_fund))
            .api(Told::of::<bank_accounts::Set>("Sets the fund's own account.").taking::<bank_accounts::Typed>()),
        Route::get("/bank/accounts/shops/{shop}", OFFICE, get(bank_accounts::shop_form)).api(Told::of::<
            bank_accounts::Setting,
        >(
            "The accounts that a shop has and had.",
        )),
        Route::post("/bank/accounts/shops/{shop}", OFFICE, post(bank_accounts::set_shop))
            .api(Told::of::<bank_accounts::Set>("Sets a shop's account.").taking::<bank_accounts::Typed>()),
        Route::get("/bank/fec", OFFICE, get(fec::form))
            .api(Told::of::<fec::Fec>("Whether the accounting export can be made.")),
        Route::post("/bank/fec", OFFICE, post(fec::export))
            .api(Told::of::<FileGiven>("The accounting export (FEC) of a year.").taking::<fec::Year>()),
        Route::get("/bank/fec/description", OFFICE, get(fec::description))
            .api(Told::of::<FileGiven>("The description of the accounting export, in French.")),
    ]
}

fn site() -> Vec<Route> {
    vec![
        Route::get("/style.css", Access::Anyone, get(assets::style)),
        Route::get("/site.js", Access::Anyone, get(assets::script)),
        Route::get("/", Access::Anyone, get(login::home)),
        Route::get(LOGIN, Access::Anyone, get(login::form)),
        Route::post(LOGIN, Access::Anyone, post(login::password)),
        Route::get("/login/code", Access::Step(Step::Code), get(login::code_form)),
        Route::post("/login/code", Access::Step(Step::Code), post(login::code)),
        Route::get("/login/set-up", Access::Step(Step::SetUp), get(account::set_up_form)),
        Route::post("/login/set-up", Access::Step(Step::SetUp), post(account::set_up)),
        Route::get("/password", Access::Own, get(account::password_form)),
        Route::post("/password", Access::Own, post(account::password)),
        Route::post("/logout", Access::Own, post(login::logout)),
        Route::get("/dashboard", Access::Roles(FIGURES), get(dashboard::page)).menu("menu-dashboard"),
        Route::get("/shop", Access::Roles(&[Shop]), get(shop::page)).menu("menu-shop"),
        Route::get("/terminals", OFFICE, get(terminals::list)).menu("menu-terminals"),
        Route::post("/terminals", ADMIN, post(terminals::add)),
        Route::post("/terminals/{terminal}/code", ADMIN, post(terminals::code)),
        Route::get("/terminals/{terminal}/revoke", ADMIN, get(terminals::ask_revoke)),
        Route::post("/terminals/{terminal}/revoke", ADMIN, post(terminals::revoke)),
        Route::get("/users", ADMIN, get(users::list)).menu("menu-users"),
        Route::post("/users", ADMIN, post(users::add)),
        Route::get("/users/{user}/disable", ADMIN, get(users::ask_disable)),
        Route::post("/users/{user}/disable", ADMIN, post(users::disable)),
        Route::get("/users/{user}/recover", ADMIN, get(users::ask_recover)),
        Route::post("/users/{user}/recover", ADMIN, post(users::recover)),
        Route::get("/audit", OFFICE, get(audit::page)).menu("menu-audit"),
        Route::get("/works", OFFICE, get(works::list))
            .menu("menu-works")
            .api(Told::of::<works::Works>("Long work, newest first.")),
        Route::get("/works/{work}", OFFICE, get(works::one))
            .api(Told::of::<works::Work>("How far a work is, and what came of it.")),
        Route::post("/works/verify", OFFICE, post(works::verify))
            .api(Told::of::<works::Asked>("Recomputes the books.").taking::<Nothing>()),
        Route::get("/api/overview", Access::Token(FIGURES), get(api::overview))
            .api(Told::of::<api::WithExposure>("Sums, exposure and terminals.")),
        Route::get("/api/terminals", Access::Token(&[Admin, Treasurer]), get(api::terminals)).api(Told::of::<
            api::Terminals,
        >(
            "Every terminal and how it stands.",
        )),
        Route::get("/api/audit", Access::Token(&[Admin, Treasurer]), get(api::audit))
            .api(Told::of::<api::Log>("The audit log, newest first.").taking::<audit::Asked>()),
        Route::get("/api/shop", Access::Token(&[Shop]), get(api::shop))
            .api(Told::of::<shop::OwnShop>("A shop's own figures.")),
        Route::get("/api/openapi.json", Access::Anyone, get(api::document)),
    ]
}

/// A body without fields.
#[derive(schemars::JsonSchema)]
struct Nothing {}
