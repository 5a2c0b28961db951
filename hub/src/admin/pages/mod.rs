//! The pages, one file a subject, and the one table of who may see which.
//!
//! To add a page: a handler here, a template in `hub/templates` that extends `layout.html`, its words in both files of
//! `hub/locales`, and a line in [`routes`]. The tests then ask for it in every role. What a page shows and does is there for
//! programs, too: the handler answers both ([`super::frame::answer`], [`super::visit::Visit::deed`]), and `.api(…)` on its
//! line makes the twin under `/api` and tells the OpenAPI document. What two people must do, and users, are for people alone,
//! and `.vouched()` keeps both from a login that one admin alone gave.

mod account;
mod api;
mod approvals;
mod assets;
mod audit;
pub(crate) mod bank;
mod bank_accounts;
mod bank_asides;
mod bank_match;
mod bank_money_in;
mod closings;
mod contributions;
mod contributions_file;
mod corrections;
mod credit_view;
mod credits;
mod dashboard;
mod documents;
mod evaluation;
mod evidence;
mod expiries;
mod fec;
mod figures;
mod forecast;
mod goodwill;
mod grids;
mod joining;
mod login;
mod money;
mod payments;
pub(in crate::admin) mod people;
pub(in crate::admin) mod receipt;
mod repayments;
mod rules;
pub(crate) mod settlement_view;
mod settlements;
mod shop;
mod shop_file;
mod shop_settings;
mod shop_statements;
mod shops;
mod sources;
mod terminal;
mod terminals;
mod users;
mod works;

use axum::routing::{get, post};

use self::settlement_view::{Asked as Lines, FileGiven, Statement};
use super::document::Told;
use super::site::Group::{Home, Money, Office, Shops};
use super::site::{Access, Group, LOGIN, Route, with_twins};
use super::visit::Step;
use crate::core::roles::Role::{self, Admin, Evaluator, Shop, Treasurer};

#[cfg(test)]
pub(super) use self::evidence::why_name;
#[cfg(test)]
pub(super) use self::names::*;

/// What pages put words together from.
#[cfg(test)]
mod names {
    pub(in crate::admin) use super::grids::State;
    pub(in crate::admin) use super::joining::{PRODUCER_QUESTIONS, SHOP_QUESTIONS};
    pub(in crate::admin) use super::shop_file::MISSING;
    pub(in crate::admin) use super::shop_settings::WEEK;
    pub(in crate::admin) use super::shops::KINDS;

    pub(in crate::admin) const GRID_STATES: [State; 3] = State::ALL;
}

const ADMIN: Access = Access::Roles(&[Admin]);
const OFFICE: Access = Access::Roles(&[Admin, Treasurer]);
const FIGURES: &[Role] = &[Admin, Treasurer, Evaluator];

/// Every route of the site with who may ask for it.
#[must_use]
pub fn routes() -> Vec<Route> {
    with_twins([site(), people::routes(), money::routes(), voted(), places(), settlements(), bank()].concat())
}

/// What is voted, the month's credit, and what two logins decide.
fn voted() -> Vec<Route> {
    vec![
        Route::get("/credits", OFFICE, get(credits::page)).menu(Money, "menu-credits").api(
            Told::of::<credit_view::Credits>("What a month's credit would book, and whom it leaves out.")
                .taking::<credits::Asked>(),
        ),
        Route::post("/credits", OFFICE, post(credits::book))
            .api(Told::of::<works::Asked>("Credits a month, as it was shown, once.").taking::<credits::Book>()),
        Route::get("/rules", OFFICE, get(rules::list))
            .under(Money)
            .api(Told::of::<rules::Rules>("What households are credited, by month.")),
        Route::get("/rules/new", OFFICE, get(rules::check)),
        Route::post("/rules", OFFICE, post(rules::set))
            .api(Told::of::<rules::Noted>("Notes a rule that was voted.").taking::<rules::NewRule>()),
        Route::get("/expiries", OFFICE, get(expiries::page)).under(Money).api(
            Told::of::<expiries::Expiries>("What expires of unspent money at the end of a month.")
                .taking::<expiries::Asked>(),
        ),
        Route::post("/expiries", OFFICE, post(expiries::book)).api(
            Told::of::<works::Asked>("Books what expires at the end of a month, as it was shown, once.")
                .taking::<expiries::Book>(),
        ),
        Route::get("/corrections", OFFICE, get(corrections::list))
            .under(Money)
            .api(Told::of::<corrections::Corrections>("Credits out of rule, newest first.")),
        Route::post("/corrections", OFFICE, post(corrections::propose)).vouched(),
        Route::get("/repayments", OFFICE, get(repayments::list)).under(Money).api(
            Told::of::<repayments::Repayments>("What cards counted as spent without goods, given back.")
                .taking::<repayments::Asked>(),
        ),
        Route::post("/repayments", OFFICE, post(repayments::propose)).vouched(),
        Route::get("/goodwill", OFFICE, get(goodwill::page))
            .under(Money)
            .api(Told::of::<goodwill::Goodwill>("What is advanced for terminals that do not answer.")),
        Route::post("/goodwill", OFFICE, post(goodwill::propose)).vouched(),
        Route::get("/closings", OFFICE, get(closings::list))
            .under(Shops)
            .api(Told::of::<closings::Closings>("Enrolments that two people closed, and those that are open.")),
        Route::get("/terminals/{terminal}/close", ADMIN, get(closings::ask)),
        Route::post("/terminals/{terminal}/close", ADMIN, post(closings::propose)).vouched(),
        Route::get("/approvals", OFFICE, get(approvals::list)).menu(Home, "menu-approvals").api(Told::of::<
            approvals::Approvals,
        >(
            "What waits for a second person.",
        )),
        Route::post("/approvals/{matter}/{number}/approve", OFFICE, post(approvals::approve)).vouched(),
        Route::post("/approvals/{matter}/{number}/refuse", OFFICE, post(approvals::refuse)).vouched(),
    ]
}

/// What a cut pays, who says so, and what each shop gets of it. What two people do is for people alone.
fn settlements() -> Vec<Route> {
    const OWN: Access = Access::Roles(&[Shop]);
    vec![
        Route::get("/settlements", OFFICE, get(settlements::list))
            .menu(Group::Bank, "menu-settlements")
            .api(Told::of::<settlements::Settlements>("The settlements, newest first.")),
        Route::get("/settlements/next", OFFICE, get(settlements::next))
            .api(Told::of::<settlements::Next>("What the next settlement would pay, or will where it was prepared.")),
        Route::post("/settlements/next", OFFICE, post(settlements::prepare)).vouched(),
        Route::get("/settlements/next/approve", OFFICE, get(settlements::ask_approve)),
        Route::post("/settlements/next/approve", OFFICE, post(settlements::approve)).vouched(),
        Route::post("/settlements/next/withdraw", OFFICE, post(settlements::withdraw)).vouched(),
        Route::get("/settlements/{settlement}", OFFICE, get(payments::one))
            .api(Told::of::<payments::Paid>("A settlement: each shop, how its payout stands, the payment file.")),
        Route::get("/settlements/{settlement}/payment-file", OFFICE, get(payments::payment_file)).api(Told::of::<
            FileGiven,
        >(
            "The payment file (pain.001) that was made, the same bytes each time.",
        )),
        Route::post("/settlements/{settlement}/payment-file", OFFICE, post(payments::order))
            .vouched()
            .api(Told::of::<payments::FileMade>("Makes the payment file, once.").taking::<payments::Order>()),
        Route::get("/settlements/{settlement}/shops/{shop}", OFFICE, get(settlements::statement))
            .api(Told::of::<Statement>("A shop's statement, line by line.").taking::<Lines>()),
        Route::get("/settlements/{settlement}/shops/{shop}/file", OFFICE, get(settlements::statement_file))
            .api(Told::of::<FileGiven>("The statement as the signed file that the shop checks.")),
        Route::get("/settlements/{settlement}/shops/{shop}/refusal", OFFICE, get(payments::ask_refusal)),
        Route::post("/settlements/{settlement}/shops/{shop}/refusal", OFFICE, post(payments::refuse)).vouched(),
        Route::post("/settlements/{settlement}/shops/{shop}/refusal/approve", OFFICE, post(payments::approve_refusal))
            .vouched(),
        Route::post(
            "/settlements/{settlement}/shops/{shop}/refusal/withdraw",
            OFFICE,
            post(payments::withdraw_refusal),
        )
        .vouched(),
        Route::get("/statements", OWN, get(shop_statements::list)).menu(Shops, "menu-statements").api(Told::of::<
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
            .menu(Group::Bank, "menu-bank")
            .api(Told::of::<bank::Bank>("What the bank booked, newest first.").taking::<bank::Asked>()),
        Route::post("/bank/statements", OFFICE, post(bank::import))
            .file()
            .api(Told::of::<bank::Report>("Imports a statement (camt.053); imported again it changes nothing.")),
        Route::get("/bank/entries/{entry}", OFFICE, get(bank::one))
            .api(Told::of::<bank::Entry>("Something that the bank booked, with its parts.")),
        Route::post("/bank/entries/{entry}/match", OFFICE, post(bank_match::match_entry)).vouched().api(
            Told::of::<bank_match::Matched>("Says which payout a debit entry paid.").taking::<bank_match::Meant>(),
        ),
        Route::post("/bank/entries/{entry}/set-aside", OFFICE, post(bank_asides::set_aside)).api(
            Told::of::<bank_asides::Stands>("Sets aside a debit entry that is no payout.").taking::<bank_asides::Why>(),
        ),
        Route::post("/bank/entries/{entry}/take-up", OFFICE, post(bank_asides::take_up)).api(
            Told::of::<bank_asides::Stands>("Takes up again an entry that was set aside.").taking::<bank_asides::Why>(),
        ),
        Route::get("/bank/accounts", OFFICE, get(bank_accounts::list))
            .api(Told::of::<bank_accounts::Accounts>("The accounts of the fund and of the shops.")),
        Route::get("/bank/accounts/fund", OFFICE, get(bank_accounts::fund_form))
            .api(Told::of::<bank_accounts::Setting>("The fund's own account.")),
        Route::post("/bank/accounts/fund", OFFICE, post(bank_accounts::set_fund))
            .vouched()
            .api(Told::of::<bank_accounts::Set>("Sets the fund's own account.").taking::<bank_accounts::Typed>()),
        Route::get("/bank/accounts/shops/{shop}", OFFICE, get(bank_accounts::shop_form)).api(Told::of::<
            bank_accounts::Setting,
        >(
            "The accounts that a shop has and had.",
        )),
        Route::post("/bank/accounts/shops/{shop}", OFFICE, post(bank_accounts::set_shop))
            .vouched()
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
        Route::get("/r", Access::Anyone, get(receipt::form)),
        Route::post("/r", Access::Anyone, post(receipt::check)).question(),
        Route::get(LOGIN, Access::Anyone, get(login::form)),
        Route::post(LOGIN, Access::Anyone, post(login::password)),
        Route::get("/login/code", Access::Step(Step::Code), get(login::code_form)),
        Route::post("/login/code", Access::Step(Step::Code), post(login::code)),
        Route::get("/login/set-up", Access::Step(Step::SetUp), get(account::set_up_form)),
        Route::post("/login/set-up", Access::Step(Step::SetUp), post(account::set_up)),
        Route::get("/password", Access::Own, get(account::password_form)),
        Route::post("/password", Access::Own, post(account::password)),
        Route::post("/logout", Access::Own, post(login::logout)),
        Route::get("/dashboard", Access::Roles(FIGURES), get(dashboard::page))
            .menu(Home, "menu-dashboard")
            .api(Told::of::<dashboard::Board>("The fund at one glance, and what is to be done.")),
        Route::get("/shop", Access::Roles(&[Shop]), get(shop::page)).menu(Shops, "menu-shop"),
        Route::get("/users", ADMIN, get(users::list)).menu(Office, "menu-users"),
        Route::post("/users", ADMIN, post(users::add)).vouched(),
        Route::get("/users/{user}/disable", ADMIN, get(users::ask_disable)),
        Route::post("/users/{user}/disable", ADMIN, post(users::disable)).vouched(),
        Route::get("/users/{user}/recover", ADMIN, get(users::ask_recover)),
        Route::post("/users/{user}/recover", ADMIN, post(users::recover)).vouched(),
        Route::get("/users/{user}/confirm", ADMIN, get(users::ask_confirm)),
        Route::post("/users/{user}/confirm", ADMIN, post(users::confirm)).vouched(),
        // Watching and evaluation.
        Route::get("/figures", Access::Roles(FIGURES), get(figures::page))
            .menu(Group::Figures, "menu-figures")
            .api(Told::of::<figures::Figures>("Figures by month and kind of shop.").taking::<figures::Asked>()),
        Route::get("/figures/file", Access::Roles(FIGURES), get(figures::file)),
        Route::get("/figures/evaluation", Access::Roles(FIGURES), get(evaluation::page))
            .menu(Group::Figures, "menu-evaluation")
            .api(
                Told::of::<evaluation::Table>("Months by kind of shop and size of household, nothing of few.")
                    .taking::<evaluation::Asked>(),
            ),
        Route::get("/figures/evaluation/file", Access::Roles(FIGURES), get(evaluation::file)),
        Route::get("/evidence", OFFICE, get(evidence::page)).menu(Group::Figures, "menu-evidence").api(Told::of::<
            evidence::Evidence,
        >(
            "Rows and taps that do not fit, newest first.",
        )),
        Route::get("/audit", OFFICE, get(audit::page)).menu(Office, "menu-audit"),
        Route::get("/works", OFFICE, get(works::list))
            .menu(Office, "menu-works")
            .api(Told::of::<works::Works>("Long work, newest first.")),
        Route::get("/works/{work}", OFFICE, get(works::one))
            .api(Told::of::<works::Work>("How far a work is, and what came of it.")),
        Route::post("/works/verify", OFFICE, post(works::verify))
            .api(Told::of::<works::Asked>("Recomputes the books.").taking::<Nothing>()),
        Route::get("/api/overview", Access::Token(FIGURES), get(api::overview))
            .api(Told::of::<api::WithExposure>("Sums, exposure and terminals.")),
        Route::get("/api/audit", Access::Token(&[Admin, Treasurer]), get(api::audit))
            .api(Told::of::<api::Log>("The audit log, newest first.").taking::<audit::Asked>()),
        Route::get("/api/shop", Access::Token(&[Shop]), get(api::shop))
            .api(Told::of::<shop::OwnShop>("A shop's own figures.")),
        Route::get("/api/openapi.json", Access::Anyone, get(api::document)),
    ]
}

/// Shops, what the fund covers there, and their terminals.
fn places() -> Vec<Route> {
    vec![
        Route::get("/shops", OFFICE, get(shops::list))
            .menu(Shops, "menu-shops")
            .api(Told::of::<shops::Shops>("Every shop and where it stands.").taking::<shops::Asked>()),
        Route::post("/shops", OFFICE, post(shops::propose)).file(),
        Route::post("/api/shops", Access::Token(&[Admin, Treasurer]), post(shops::propose_told))
            .api(Told::of::<joining::StepDone>("Proposes a shop.").taking::<shops::Proposal>()),
        Route::get("/shops/{shop}", OFFICE, get(shop_file::page))
            .api(Told::of::<shop_file::OneShop>("A shop: its steps, what may come next, its terminals and settings.")),
        Route::get("/shops/{shop}/steps/{step}", ADMIN, get(joining::form)),
        Route::post("/shops/{shop}/steps/{step}", ADMIN, post(joining::act)).file(),
        Route::post("/api/shops/{shop}/steps/{step}", Access::Token(&[Admin]), post(joining::told))
            .api(Told::of::<joining::StepDone>("Notes a step of a shop.").taking::<joining::Told>()),
        Route::get("/shops/{shop}/floor", ADMIN, get(shop_settings::floor_form)),
        Route::post("/shops/{shop}/floor", ADMIN, post(shop_settings::floor)).api(
            Told::of::<shop_settings::FloorSet>("Sets what households find at a shop without a network.")
                .taking::<shop_settings::Floor>(),
        ),
        Route::get("/shops/{shop}/slot", ADMIN, get(shop_settings::ask_slot)),
        Route::post("/shops/{shop}/slot", ADMIN, post(shop_settings::slot))
            .api(Told::of::<shop_settings::Slot>("Renews a shop's key on purse cards.").taking::<Nothing>()),
        Route::get("/documents/{document}", OFFICE, get(documents::give))
            .api(Told::of::<documents::Given>("A document of a shop.")),
        Route::post("/api/documents", Access::Token(&[Admin, Treasurer]), post(documents::take))
            .file()
            .api(Told::of::<documents::Kept>("Keeps a document for a step to come.")),
        Route::get("/grids", OFFICE, get(grids::list))
            .menu(Shops, "menu-grids")
            .api(Told::of::<grids::Grids>("What part of which goods the fund covers.")),
        Route::get("/grids/new", ADMIN, get(grids::form)),
        Route::post("/grids", ADMIN, post(grids::set))
            .api(Told::of::<grids::GridSet>("Sets a grid from a day on.").taking::<grids::NewGrid>()),
        Route::get("/terminals", OFFICE, get(terminals::list)).menu(Shops, "menu-terminals").api(Told::of::<
            terminals::Terminals,
        >(
            "Every terminal and how it stands.",
        )),
        Route::post("/terminals", ADMIN, post(terminals::add)).api(
            Told::of::<terminals::Coded>("Adds a terminal to an open shop and gives its code.")
                .taking::<terminals::NewTerminal>(),
        ),
        Route::get("/terminals/{terminal}", OFFICE, get(terminal::one))
            .api(Told::of::<terminal::OneTerminal>("A terminal with its enrolments and their alarms.")),
        Route::post("/terminals/{terminal}/code", ADMIN, post(terminals::code))
            .api(Told::of::<terminals::Coded>("Gives a terminal a new code.").taking::<Nothing>()),
        Route::get("/terminals/{terminal}/revoke", ADMIN, get(terminal::ask_revoke)),
        Route::post("/terminals/{terminal}/revoke", ADMIN, post(terminal::revoke))
            .api(Told::of::<terminal::Revoked>("Takes a terminal's right to sell.").taking::<Nothing>()),
    ]
}

/// A body without fields.
#[derive(schemars::JsonSchema)]
struct Nothing {}
