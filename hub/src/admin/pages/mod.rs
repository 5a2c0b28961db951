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
mod bank_money_in;
mod contributions;
mod contributions_file;
mod dashboard;
mod forecast;
mod login;
mod money;
mod shop;
mod sources;
mod terminals;
mod users;
mod works;

use axum::routing::{get, post};

use super::document::Told;
use super::site::Group::{Home, Office, Shops};
use super::site::{Access, LOGIN, Route, with_twins};
use super::visit::Step;
use crate::core::roles::Role::{self, Admin, Evaluator, Shop, Treasurer};

const ADMIN: Access = Access::Roles(&[Admin]);
const OFFICE: Access = Access::Roles(&[Admin, Treasurer]);
const FIGURES: &[Role] = &[Admin, Treasurer, Evaluator];

/// Every route of the site with who may ask for it.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut routes = vec![
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
        Route::get("/dashboard", Access::Roles(FIGURES), get(dashboard::page)).menu(Home, "menu-dashboard"),
        Route::get("/shop", Access::Roles(&[Shop]), get(shop::page)).menu(Shops, "menu-shop"),
        Route::get("/terminals", OFFICE, get(terminals::list)).menu(Shops, "menu-terminals"),
        Route::post("/terminals", ADMIN, post(terminals::add)),
        Route::post("/terminals/{terminal}/code", ADMIN, post(terminals::code)),
        Route::get("/terminals/{terminal}/revoke", ADMIN, get(terminals::ask_revoke)),
        Route::post("/terminals/{terminal}/revoke", ADMIN, post(terminals::revoke)),
        Route::get("/users", ADMIN, get(users::list)).menu(Office, "menu-users"),
        Route::post("/users", ADMIN, post(users::add)),
        Route::get("/users/{user}/disable", ADMIN, get(users::ask_disable)),
        Route::post("/users/{user}/disable", ADMIN, post(users::disable)),
        Route::get("/users/{user}/recover", ADMIN, get(users::ask_recover)),
        Route::post("/users/{user}/recover", ADMIN, post(users::recover)),
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
    ];
    routes.extend(money::routes());
    with_twins(routes)
}

/// A body without fields.
#[derive(schemars::JsonSchema)]
struct Nothing {}
