//! Names come in sealed, are shown where they are asked for, and go, through the real programs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code")]

use cabas_tests::hub::Hub;
use serde_json::json;

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_name_stands_in_no_file_no_log_and_no_list_and_is_erased_with_its_household() {
    let dir = tempfile::tempdir().unwrap();
    let hub = Hub::with_example_fund(dir.path()).unwrap();
    hub.credit("2026-11").unwrap();
    let file = dir.path().join("members.csv").display().to_string();
    let write =
        |text: &str| std::io::Write::write_all(&mut std::fs::File::create(&file).unwrap(), text.as_bytes()).unwrap();
    write("household,member\nF001,Zoé Dupré-Quelconque\nF 2,Zoé Dupré-Quelconque\n");
    let bad = hub.said(&["import", &file]).unwrap();
    assert!(bad.code == Some(1) && bad.err.contains("line 3") && !bad.err.contains("Quelconque"), "{bad:?}");
    write("household,member\nF001,Zoé Dupré-Quelconque\nF001,Al\nF002,Bo\n");
    let preview = hub.ok(&["import", &file, "--dry-run"]).unwrap();
    assert_eq!((&preview["applied"], &preview["members"]["added"]), (&json!(false), &json!(3)));
    assert_eq!(hub.ok(&["import", &file]).unwrap()["members"]["added"], 3);
    assert_eq!(hub.ok(&["import", &file]).unwrap()["members"]["same"], 3);

    let names = hub.ok(&["household", "show", "F001", "--names"]).unwrap()["names"].clone();
    assert_eq!(names, json!(["Zoé Dupré-Quelconque", "Al"]));
    let shown = hub.ok(&["household", "show", "F001"]).unwrap();
    assert!(shown.get("names").is_none() && shown["history"].as_array().unwrap().len() == 2, "{shown}");
    let quiet = |what: &str| {
        for entry in std::fs::read_dir(hub.data_dir()).unwrap() {
            let path = entry.unwrap().path();
            assert!(!path.is_file() || !has(&std::fs::read(&path).unwrap(), "Quelconque"), "{what}: {path:?}");
        }
        for list in [["household", "list"], ["household", "show"], ["status", "--json"]] {
            let list: Vec<_> = list.into_iter().chain((list[1] == "show").then_some("F001")).collect();
            assert!(!hub.said(&list).unwrap().out.contains("Quelconque"), "{what}: {list:?}");
        }
        assert!(!hub.log().contains("Quelconque"), "{what}");
    };
    quiet("kept");

    let early = hub.said(&["household", "erase", "F001", "--by", "Ada"]).unwrap();
    assert!(early.code == Some(1) && early.err.contains("household leave"), "{early:?}");
    hub.ok(&["household", "leave", "F001"]).unwrap();
    assert_eq!(hub.ok(&["household", "erase", "F001", "--by", "Ada"]).unwrap()["names_erased"], 2);
    let gone = hub.ok(&["household", "show", "F001", "--names"]).unwrap();
    assert_eq!((&gone["names"], &gone["contribution_cents"]), (&json!([]), &json!(null)));
    let back = hub.said(&["import", &file]).unwrap();
    assert!(back.code == Some(1) && back.err.contains("was erased"), "{back:?}");
    quiet("erased");
    hub.verify().unwrap();
}
