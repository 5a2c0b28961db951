//! Where a thing to do is seen to: for each kind the pages for it, the best first. The first that the site has and the one
//! who looks may open is linked; where there is none, the command is shown.

use super::actions::Action;
use super::visit::Visit;

/// The pages for a kind of action, the best first.
fn pages(kind: &str) -> &'static [&'static str] {
    match kind {
        "fork" | "gap" | "revoked_with_money" | "closing_waits" => &["/closings", "/terminals"],
        "restore_waits" | "stale_terminal" | "future_incarnation" | "not_authentic" | "not_split_by_the_grid" => {
            &["/terminals"]
        }
        "disputed_rows" | "over_right_rows" | "wrong_card_proof" | "missing_card_proof" | "copied_card" => {
            &["/evidence"]
        }
        "payments_unchecked" | "late_sales" | "settlement_waits" => &["/settlements/next"],
        "payout_due" => &["/settlements"],
        "payout_unconfirmed" | "bank_entry_open" => &["/bank"],
        "correction_waits" | "repayment_waits" => &["/approvals"],
        _ if is_threshold(kind) => &["/dashboard#thresholds"],
        _ => &[],
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
    pages(action.kind).iter().copied().find(|page| {
        let path = page.split('#').next().unwrap_or_default();
        visit.standing.role().is_some_and(|role| visit.app.site.may_open(path, role))
    })
}

#[cfg(test)]
mod tests {
    use super::super::actions::KINDS;
    use super::super::pages::routes;
    use super::*;

    #[test]
    fn every_kind_has_a_place() {
        let missing: Vec<_> = KINDS.iter().filter(|kind| pages(kind).is_empty()).collect();
        assert_eq!(missing, Vec::<&&str>::new());
        assert!(pages("no_such_kind").is_empty());
    }

    #[test]
    fn the_last_place_of_what_is_seen_to_at_a_terminal_is_a_page() {
        let paths: Vec<_> = routes().into_iter().map(|route| route.path).collect();
        for kind in ["fork", "closing_waits", "stale_terminal", "copied_card", "disputed_rows", "legal_threshold_50"] {
            let path = pages(kind).last().and_then(|page| page.split('#').next());
            assert!(path.is_some_and(|path| paths.iter().any(|found| found == path)), "{kind}");
        }
    }
}
