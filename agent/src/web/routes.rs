//! All routes, on one screen. Each list makes the router and, for the test of `openapi.json`, says what it has.

use axum::Router;
use axum::routing::MethodRouter;

use super::{App, api, assets, closings, counter, e_receipt, events, phones, till, undo};

macro_rules! routes {
    ($(#[$about:meta])* $router:ident, $names:ident: $($path:literal => $($method:ident $answer:path),+;)+) => {
        #[cfg(test)]
        pub(super) const $names: &[(&str, &[&str])] = &[$(($path, &[$(stringify!($method)),+])),+];

        $(#[$about])*
        pub(super) fn $router() -> Router<App> {
            Router::new()$(.route($path, MethodRouter::new()$(.$method($answer))+))+
        }
    };
}

routes! {
    /// What the counter does, for whoever may ask.
    of_counter, COUNTER:
    "/" => get assets::cashier;
    "/customer" => get assets::customer;
    "/help" => get assets::help;
    "/assets/{name}" => get assets::asset;
    "/api/openapi.json" => get assets::openapi;
    "/api/status" => get api::status;
    "/api/texts" => get api::texts;
    "/api/events" => get events::events;
    "/api/sales" => post api::begin;
    "/api/sales/last" => get api::last;
    "/api/sales/{id}" => get api::sale, delete api::cancel;
    "/api/sales/{id}/member-side" => get api::member_side;
    "/api/sales/{id}/receipt" => post api::receipt;
    "/api/sales/{id}/accept-part" => post undo::take_part;
    "/api/sales/{id}/reversal" => post undo::reverse;
    "/api/sales/{id}/play" => post counter::play;
    "/api/refunds" => post undo::refund;
    "/api/refunds/{id}" => get undo::refund_of;
    "/api/today" => get undo::today;
    "/api/today/{seq}/receipt" => post undo::receipt;
    "/api/today/{seq}/e-receipt" => get e_receipt::e_receipt;
    "/api/today/{seq}/e-receipt.svg" => get e_receipt::svg;
    "/api/printer/kept" => post undo::kept;
    "/api/printer/test" => post counter::test_printer;
    "/api/reader/test" => post counter::test_reader;
    "/api/cashier" => post counter::log_in, delete counter::log_out;
    "/api/training" => post counter::train;
    "/api/balance" => post api::balance;
    "/api/day-close" => post closings::close;
    "/api/day" => get closings::day;
    "/api/day/receipt" => post closings::print_day;
    "/api/closings" => get closings::closings;
    "/api/closings/{seq}/receipt" => post closings::receipt;
    "/api/history" => get closings::history;
    "/api/till/answer" => post till::answer;
    "/api/till/unconfirmed/{id}" => delete till::settled;
}

routes! {
    /// What is asked at this machine only.
    of_this_machine, THIS_MACHINE:
    "/health" => get api::health;
    "/metrics" => get api::metrics;
    "/api/phones" => get phones::list;
    "/api/phones/code" => post phones::code;
    "/api/phones/code.svg" => get phones::picture;
    "/api/phones/{id}" => delete phones::remove;
}

routes! {
    /// What is asked at the telephones' door only.
    of_phones, PHONES:
    "/pair" => get phones::page;
    "/assets/pair.js" => get phones::script;
    "/api/pair" => post phones::pair;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::{COUNTER, PHONES, THIS_MACHINE};
    use std::collections::BTreeSet;

    #[test]
    fn the_document_of_the_local_api_has_every_route_and_nothing_else() {
        let document: serde_json::Value = serde_json::from_str(super::assets::OPENAPI).unwrap();
        let mut described = BTreeSet::new();
        for (path, methods) in document.get("paths").unwrap().as_object().unwrap() {
            for (method, _) in methods.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
                described.insert((path.as_str(), method.as_str()));
            }
        }
        let routes: BTreeSet<_> = [COUNTER, THIS_MACHINE, PHONES]
            .concat()
            .into_iter()
            .flat_map(|(path, methods)| methods.iter().map(move |method| (path, *method)))
            .collect();
        assert_eq!(described, routes);
    }

    #[test]
    fn the_document_of_the_local_api_has_every_code_of_an_error() {
        let sources = [
            include_str!("../service/refusal.rs"),
            include_str!("../core/amount.rs"),
            include_str!("../core/split.rs"),
            include_str!("../core/undo.rs"),
            include_str!("../journal/error.rs"),
            include_str!("api.rs"),
            include_str!("closings.rs"),
            include_str!("guard.rs"),
            include_str!("mod.rs"),
            include_str!("phones.rs"),
            include_str!("till.rs"),
            include_str!("undo.rs"),
        ];
        let prefixes = ["error-", "undo-", "amount-", "sale-", "journal-"];
        let codes = sources.iter().flat_map(|source| source.split('"').skip(1).step_by(2));
        let codes = codes.filter(|code| prefixes.iter().any(|prefix| code.starts_with(prefix)) && !code.contains(' '));
        let missing: BTreeSet<_> =
            codes.map(|code| code.replace('-', "_")).filter(|code| !super::assets::OPENAPI.contains(code)).collect();
        // No route gives it: an agent that is not enrolled does not run.
        assert_eq!(missing, BTreeSet::from([String::from("error_not_enrolled")]));
    }
}
