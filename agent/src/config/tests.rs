//! What a configuration file may say, and how what it may not is named.
#![allow(clippy::unwrap_used, clippy::unwrap_in_result, reason = "a failed unwrap is the test's failure")]
use super::*;
use std::io::Write as _;

fn read(toml: &str) -> Result<Config, ConfigError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(toml.as_bytes()).unwrap();
    Config::read(Some(file.path()))
}

#[test]
fn an_empty_file_is_the_default_and_the_default_is_valid() {
    assert_eq!(read("").unwrap(), Config::default());
    assert_eq!(Config::default().printer().unwrap().target, PrinterTarget::Off);
    assert!(!Config::default().auto_print);
}

#[test]
fn every_key_is_read() {
    let config = read(
        "data_dir = '/d'\nhub_url = 'https://h.example'\nhub_ca = 'ca'\nlisten = '[::1]:1'\nphone_listen = '10.0.0.1:2'\nphone_name = 'a.local'\nlanguage = 'en'\n\
         reader_match = 'PICC'\nprinter = 'tcp://p:9'\nprinter_width_mm = 58\nprinter_code_page = 19\n\
         auto_print = true\nsale_timeout_s = 60\nsale_cents_max = 5\nlock_after_s = 300\nextend_timeout_ms = 1\nsync_wait_ms = 2000\n\
         sync_pause_ms_max = 3000\ntill_caisse_ap_listen = '10.0.0.1:8888'\ntill_caisse_ap_peers = '10.0.0.9'\n\
         till_hw_proxy_listen = '127.0.0.1:8069'\ntill_hw_proxy_origins = 'https://o.example'\n\
         till_hw_proxy_peers = '::1'\n\
         till_concert_device = '/dev/ttyS0'\ntill_concert_line = '1200 7E1'\ntill_concert_listen = '10.0.0.1:9999'\n\
         till_concert_peers = '10.0.0.9'\ntill_category = '3'\nlog = 'warn'\n\
         release_key = '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29'\n\
         upgrade_check_s = 60\nupgrade_quiet_s = 5\nupgrade_trial_s = 30\n\
         second_journal = '/media/x'\n",
    )
    .unwrap();
    let expected = Config {
        data_dir: "/d".into(),
        hub_url: Some("https://h.example".into()),
        hub_ca: Some("ca".into()),
        listen: "[::1]:1".parse().unwrap(),
        phone_listen: "10.0.0.1:2".into(),
        phone_name: "a.local".into(),
        language: "en".into(),
        reader_match: "PICC".into(),
        printer: "tcp://p:9".into(),
        printer_width_mm: 58,
        printer_code_page: 19,
        auto_print: true,
        sale_timeout_s: 60,
        sale_cents_max: 5,
        lock_after_s: 300,
        extend_timeout_ms: 1,
        sync_wait_ms: 2000,
        sync_pause_ms_max: 3000,
        till_caisse_ap_listen: "10.0.0.1:8888".into(),
        till_caisse_ap_peers: "10.0.0.9".into(),
        till_hw_proxy_listen: "127.0.0.1:8069".into(),
        till_hw_proxy_origins: "https://o.example".into(),
        till_hw_proxy_peers: "::1".into(),
        till_concert_device: "/dev/ttyS0".into(),
        till_concert_line: "1200 7E1".into(),
        till_concert_listen: "10.0.0.1:9999".into(),
        till_concert_peers: "10.0.0.9".into(),
        till_category: "3".into(),
        release_key: "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29".into(),
        upgrade_check_s: 60,
        upgrade_quiet_s: 5,
        upgrade_trial_s: 30,
        second_journal: "/media/x".into(),
        log: "warn".into(),
    };
    assert_eq!(config, expected);
    assert_eq!(config.language().unwrap(), Language::English);
}

#[test]
fn what_is_wrong_is_named() {
    for (toml, said) in [
        ("lisen = '127.0.0.1:1'", "lisen"),
        ("listen = 'here'", "listen"),
        ("second_journal = 'stick'", "whole path"),
        ("listen = ", "TOML"),
        ("release_key = 'abc'", "release_key"),
        ("upgrade_trial_s = 0", "upgrade_trial_s"),
        ("listen = '0.0.0.0:7410'", "phone_listen"),
        ("listen = '192.168.4.1:7410'", "phone_listen"),
        ("phone_listen = '0.0.0.0:7411'", "never all of them"),
        ("till_caisse_ap_listen = '0.0.0.0:8888'", "never all of them"),
        ("till_caisse_ap_listen = '8.8.8.8:8888'", "private"),
        ("till_caisse_ap_listen = '127.0.0.1:7410'", "port of its own"),
        ("till_caisse_ap_listen = 'here'", "8888"),
        ("till_caisse_ap_peers = '192.168.1.0/24'", "IP addresses"),
        ("till_hw_proxy_listen = '0.0.0.0:8069'", "never all of them"),
        ("till_hw_proxy_listen = '8.8.8.8:8069'", "private"),
        ("till_hw_proxy_listen = '127.0.0.1:8888'\ntill_caisse_ap_listen = '127.0.0.1:8888'", "port of its own"),
        ("till_hw_proxy_origins = '*'", "no path"),
        ("till_hw_proxy_origins = 'https://o.example/'", "no path"),
        ("till_hw_proxy_origins = 'https://O.example'", "no capitals"),
        ("till_hw_proxy_origins = 'null'", "no path"),
        ("till_hw_proxy_peers = 'a'", "IP addresses"),
        ("till_caisse_ap_peers = 'till.local'", "IP addresses"),
        ("till_concert_device = 'ttyUSB0'", "device file"),
        ("till_concert_line = '9600 8E1'", "7E1"),
        ("till_concert_listen = '0.0.0.0:9999'", "never all of them"),
        ("till_concert_listen = '127.0.0.1:8888'\ntill_caisse_ap_listen = '127.0.0.1:8888'", "another port"),
        ("till_concert_peers = 'till.local'", "IP addresses"),
        ("phone_listen = '[::]:7411'", "never all of them"),
        ("phone_listen = '8.8.8.8:7411'", "private"),
        ("phone_listen = '192.0.2.1:7411'", "private"),
        ("phone_listen = '[2001:db8::1]:7411'", "private"),
        ("phone_listen = '[fe80::1]:7411'", "private"),
        ("phone_listen = '[::ffff:8.8.8.8]:7411'", "private"),
        ("phone_listen = '192.168.4.1'", "a port"),
        ("phone_listen = '192.168.4.1:0'", "7411"),
        ("phone_listen = '192.168.4.1:7410'", "port of its own"),
        ("phone_listen = 'caisse.local:7411'", "an address"),
        ("phone_name = 'Caisse'", "small letters"),
        ("phone_name = 'a b'", "small letters"),
        ("phone_name = '10.0.0.1'", "small letters"),
        ("phone_name = 'a..b'", "small letters"),
        ("language = 'de'", "fr or en"),
        ("printer = 'usb'", "printer"),
        ("printer_width_mm = 70", "58 or 80"),
        ("printer_code_page = 1", "16"),
        ("sale_timeout_s = 0", "sale_timeout_s"),
        ("sale_cents_max = 0", "sale_cents_max"),
        ("lock_after_s = 5", "lock_after_s"),
        ("sync_wait_ms = 60001", "sync_wait_ms"),
        ("hub_url = 'hub'", "hub_url"),
        ("hub_url = 'http://hub.example.org'", "https://"),
        ("hub_url = 'ftp://hub.example.org'", "https://"),
        ("hub_url = 'https://a:b@hub.example.org'", "password"),
    ] {
        let error = read(toml).unwrap_err().to_string();
        assert!(error.contains(said), "{toml}: {error}");
    }
}

#[test]
fn plain_http_is_for_this_machine() {
    for url in ["http://127.0.0.1:7400", "http://localhost:1", "http://[::1]:1", "https://hub.example.org/fund"] {
        assert!(hub_url("hub_url", url).is_ok(), "{url}");
    }
    assert!(hub_url("hub_url", "http://127.0.0.1.example.org").is_err());
}

#[test]
fn a_named_file_must_be_there() {
    let error = Config::read(Some(Path::new("/nowhere/agent.toml"))).unwrap_err();
    assert!(error.to_string().contains("/nowhere/agent.toml"), "{error}");
}
