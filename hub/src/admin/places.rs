//! Where a thing to do is seen to: the best page that the site has and the one who looks may open. Where there is none, the
//! command is shown.

use super::actions::{Action, OVERVIEW};
use super::visit::Visit;

/// Pages that are better for a kind of action than the one that the list names.
fn better(kind: &str) -> Option<&'static str> {
    match kind {
        "fork" | "gap" | "revoked_with_money" | "closing_waits" => Some("/closings"),
        "payments_unchecked" | "late_sales" | "settlement_waits" => Some("/settlements/next"),
        "payout_due" => Some("/settlements"),
        "payout_unconfirmed" | "bank_entry_open" => Some("/bank"),
        "correction_waits" | "repayment_waits" => Some("/approvals"),
        _ if is_threshold(kind) => Some("/dashboard#thresholds"),
        _ => None,
    }
}

/// True for what is one thing, so that its number says nothing.
#[must_use]
pub fn is_one(kind: &str) -> bool {
    is_threshold(kind) || matches!(kind, "payments_unchecked" | "settlement_waits")
}

fn is_threshold(kind: &str) -> bool {
    kind.starts_with("legal_threshold_")
}

/// The page where an action is seen to.
#[must_use]
pub fn page(visit: &Visit, action: &Action) -> Option<&'static str> {
    let role = visit.standing.role()?;
    places(action).find(|page| visit.app.site.may_open(path(page), role))
}

/// Its pages, the best first; the dashboard is none for what is read there.
fn places(action: &Action) -> impl Iterator<Item = &'static str> {
    better(action.kind).into_iter().chain(Some(action.path).filter(|path| *path != OVERVIEW))
}

fn path(page: &'static str) -> &'static str {
    page.split('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::actions::{EVIDENCE, TERMINALS};
    use super::*;

    fn action(kind: &'static str, path: &'static str) -> Action {
        Action { kind, what: "", count: 1, since: None, terminals: Vec::new(), path, command: "" }
    }

    #[test]
    fn the_best_page_comes_first_and_the_dashboard_does_not_lead_to_itself() {
        let places = |kind, path| places(&action(kind, path)).collect::<Vec<_>>();
        assert_eq!(places("fork", TERMINALS), ["/closings", TERMINALS]);
        assert_eq!(places("copied_card", EVIDENCE), [EVIDENCE]);
        assert_eq!(places("bank_entry_open", OVERVIEW), ["/bank"]);
        assert_eq!(path("/dashboard#thresholds"), OVERVIEW);
    }
}
