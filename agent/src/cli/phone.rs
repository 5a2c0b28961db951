//! `phone`: telephones as the cashier's screen, at the terminal that runs.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Context;
use super::failure::Failure;
use super::local::{Local, text_of};
use crate::out::{plain, print};

#[derive(Debug, Subcommand)]
pub(super) enum Phone {
    /// Show a code that lets one telephone in, for five minutes; the address, and the fingerprint to compare
    Code,
    /// Show the telephones that are let in, the address, and the certificate's fingerprint
    List,
    /// Shut a telephone out, at once
    Remove {
        /// Its number, as `phone list` shows it
        id: u32,
    },
}

pub(super) async fn run(context: &Context, phone: &Phone) -> Result<(), Failure> {
    let local = Local::of(context);
    match phone {
        Phone::Code => {
            let told = local.ask(reqwest::Method::POST, "/api/phones/code", Some(json!({}))).await?;
            print(context.format, &told, |told| {
                let text = |key| plain(&text_of(told, key));
                let seconds = told.get("valid_s").and_then(Value::as_u64).unwrap_or_default();
                format!(
                    "code {} for one telephone, {seconds} s\non the telephone: {}\ncompare first: {}",
                    text("code"),
                    text("url"),
                    text("fingerprint")
                )
            })
        }
        Phone::List => {
            let told = local.ask(reqwest::Method::GET, "/api/phones", None).await?;
            print(context.format, &told, listed)
        }
        Phone::Remove { id } => {
            let told = local.ask(reqwest::Method::DELETE, &format!("/api/phones/{id}"), None).await?;
            print(context.format, &told, |_| format!("telephone {id} is shut out"))
        }
    }
    .map_err(Failure::Print)
}

fn listed(told: &Value) -> String {
    let flag = |key| told.get(key).and_then(Value::as_bool).unwrap_or_default();
    if !flag("on") {
        return String::from("off; `phone_listen` lets telephones in (if it is set, the log says what is wrong)");
    }
    let text = |value, key| plain(&text_of(value, key));
    let mut lines = vec![
        format!("at {}{}", text(told, "url"), if flag("listening") { "" } else { " (the address is not there yet)" }),
        format!("fingerprint {}", text(told, "fingerprint")),
    ];
    for phone in told.get("phones").and_then(Value::as_array).into_iter().flatten() {
        let number = |key| phone.get(key).and_then(Value::as_u64).unwrap_or_default();
        lines.push(format!("{:>3}  {}", number("id"), text(phone, "name")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_off_or_where_and_who_and_no_name_steers_the_terminal() {
        assert!(listed(&json!({ "on": false, "phones": [] })).contains("phone_listen"));
        let phones = json!([{ "id": 3, "name": "L\u{1b}éa", "paired_at": 1, "seen_at": 2 }]);
        let told =
            json!({ "on": true, "listening": false, "url": "https://a/pair", "fingerprint": "AB", "phones": phones });
        let shown = listed(&told);
        assert!(shown.contains("not there yet") && shown.contains("fingerprint AB") && shown.ends_with("  3  L?éa"));
    }
}
