//! A browser without a screen: it keeps cookies, and sends back the token of the form that it was shown.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use totp_rs::{Builder, Secret};

use super::http::{self, Answer};
use super::{Fund, Hub};

pub const PASSWORD: &str = "un mot de passe assez long";

/// What stands in the document of [`proposed_with_a_document`].
pub const DOCUMENT: &[u8] = b"%PDF-1.7\nproposal";

/// The hash of that document.
pub fn document() -> cabas_protocol::Hash {
    cabas_protocol::sign::sha256(&[DOCUMENT])
}

/// A shop that was proposed, with a document.
pub fn proposed_with_a_document(fund: &Fund) {
    let file = fund.dir.path().join("proposal.pdf");
    super::write(&file, std::str::from_utf8(DOCUMENT).unwrap());
    let file = file.display().to_string();
    let shop = ["joining", "propose", "proposed", "--name", "Proposed", "--kind", "bakery", "--grid", "shop"];
    fund.json(&[&shop[..], &["--by", "Ada", "--document", &file]].concat());
}

pub struct Client {
    pub address: SocketAddr,
    pub cookies: BTreeMap<String, String>,
    pub csrf: String,
    pub origin: String,
    /// As a proxy on this machine would say.
    pub from: Option<&'static str>,
}

impl Client {
    pub fn new(hub: &Hub) -> Self {
        let address = hub.address;
        let origin = format!("http://{address}");
        Self { address, cookies: BTreeMap::new(), csrf: String::new(), origin, from: None }
    }

    /// Sends a form with a file.
    pub fn upload(&mut self, path: &str, fields: &[(&str, &str)], name: &str, file: &[u8]) -> Answer {
        let csrf = self.csrf.clone();
        let mut body = Vec::new();
        for (field, value) in [("csrf", csrf.as_str())].iter().chain(fields) {
            let part = format!("--cut\r\nContent-Disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
            body.extend(part.as_bytes());
        }
        let head = format!("--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        body.extend([head.as_bytes(), file, b"\r\n--cut--\r\n"].concat());
        let head = format!("Content-Type: multipart/form-data; boundary=cut\r\nOrigin: {}\r\n", self.origin);
        self.send_bytes(&format!("POST {path}"), &head, &body)
    }

    fn send(&mut self, first: &str, fields: &str, body: &str) -> Answer {
        self.send_bytes(first, fields, body.as_bytes())
    }

    fn send_bytes(&mut self, first: &str, fields: &str, body: &[u8]) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let from = self.from.map(|from| format!("X-Forwarded-For: {from}\r\n")).unwrap_or_default();
        let head = format!(
            "{first} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n{from}{fields}Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.address,
            cookies.join("; "),
            body.len()
        );
        let answer = http::exchange(self.address, &[head.as_bytes(), body].concat());
        for line in answer.head.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("set-cookie") {
                let (name, value) = value.trim().split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let text = String::from_utf8_lossy(&answer.body);
        if let Some((_, rest)) = text.split_once("name=\"csrf\" value=\"") {
            self.csrf = rest.split('"').next().unwrap().to_owned();
        }
        answer
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), "", "")
    }

    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf.clone();
        let all: Vec<_> =
            [("csrf", csrf.as_str())].iter().chain(fields).map(|(k, v)| format!("{k}={}", encode(v))).collect();
        let head = format!("Content-Type: application/x-www-form-urlencoded\r\nOrigin: {}\r\n", self.origin);
        self.send(&format!("POST {path}"), &head, &all.join("&"))
    }

    /// Where the answer leads; the answer's own place where it leads nowhere.
    pub fn follow(&mut self, answer: &Answer) -> String {
        assert_eq!(answer.status, 303, "{}", String::from_utf8_lossy(&answer.body));
        let mut to = answer.header("location").unwrap();
        loop {
            let next = self.get(&to);
            if next.status != 303 {
                return to;
            }
            to = next.header("location").unwrap();
        }
    }

    /// The page of the long work that an answer leads to, once it has ended.
    pub fn ended(&mut self, answer: &Answer) -> String {
        let path = self.follow(answer);
        assert!(path.starts_with("/works/"), "{path}");
        self.work_ended(&path)
    }

    /// The page of a long work, once it has ended.
    pub fn work_ended(&mut self, path: &str) -> String {
        let end = (0..600).find_map(|_| {
            let page = self.get(path).text();
            if page.contains("data-live") {
                std::thread::sleep(std::time::Duration::from_millis(50));
                return None;
            }
            Some(page)
        });
        end.unwrap()
    }

    /// Shows a password.
    pub fn password(&mut self, name: &str, password: &str) -> Answer {
        self.get("/login");
        self.post("/login", &[("name", name), ("password", password)])
    }
}

pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Somebody who has logged in once: the secret of the second factor and the recovery codes.
pub struct Person {
    pub name: String,
    pub secret: String,
    pub codes: Vec<String>,
}

/// The 6 digits of an app.
pub fn digits(secret: &str, at: u64) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    Builder::new().with_secret(secret).with_account_name("x").build().unwrap().generate(at).to_string()
}

impl Person {
    /// Adds a user by the command line, who logs in for the first time.
    pub fn add(fund: &Fund, hub: &Hub, name: &str, role: &str, shop: Option<&str>) -> (Self, Client) {
        let mut arguments = vec!["user", "add", "--name", name, "--role", role];
        if let Some(shop) = shop {
            arguments.extend(["--shop", shop]);
        }
        let given: Value = fund.json(&arguments);
        Self::first_login(hub, name, given["password"].as_str().unwrap())
    }

    pub fn first_login(hub: &Hub, name: &str, given: &str) -> (Self, Client) {
        let mut client = Client::new(hub);
        let answer = client.password(name, given);
        assert_eq!(client.follow(&answer), "/login/set-up");
        let page = client.get("/login/set-up").text();
        let (_, rest) = page.split_once("id=\"secret\">").unwrap();
        let secret = rest.split('<').next().unwrap().to_owned();
        let answer = client.post("/login/set-up", &[("code", &digits(&secret, hub.app.clock.now().get()))]);
        let page = answer.text();
        assert_eq!(answer.status, 200, "{page}");
        let (_, list) = page.split_once("id=\"codes\">").unwrap();
        let codes = list.split("</ul>").next().unwrap().split("<li>").skip(1);
        let codes = codes.map(|code| code.split('<').next().unwrap().to_owned()).collect();
        client.get("/password");
        let new = [("old", given), ("new", PASSWORD), ("again", PASSWORD)];
        let answer = client.post("/password", &new);
        client.follow(&answer);
        (Self { name: name.to_owned(), secret, codes }, client)
    }

    /// Logs in with the code of the next half minute, so that none is used twice.
    pub fn login(&self, hub: &Hub) -> Client {
        hub.pass(60);
        let mut client = Client::new(hub);
        let answer = client.password(&self.name, PASSWORD);
        assert_eq!(client.follow(&answer), "/login/code");
        let answer = client.post("/login/code", &[("code", &digits(&self.secret, hub.app.clock.now().get()))]);
        client.follow(&answer);
        client
    }
}

/// A program with a token. Whatever it is answered is held against the OpenAPI document.
pub struct Program {
    address: SocketAddr,
    token: String,
    document: Value,
}

impl Program {
    /// Adds a token of that role by the command line.
    pub fn add(fund: &Fund, hub: &Hub, name: &str, role: &str, shop: Option<&str>) -> Self {
        let mut arguments = vec!["token", "add", "--name", name, "--role", role];
        if let Some(shop) = shop {
            arguments.extend(["--shop", shop]);
        }
        Self::with(hub, fund.json(&arguments)["token"].as_str().unwrap())
    }

    /// One that holds this token.
    pub fn with(hub: &Hub, token: &str) -> Self {
        let mut program = Self { address: hub.address, token: token.to_owned(), document: Value::Null };
        program.document = program.send("GET", "/api/openapi.json", "", b"").1;
        program
    }

    /// The document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Asks; `route` is the path as the document has it, `path` what is asked for.
    pub fn get(&self, route: &str, path: &str) -> (u16, Value) {
        let (status, value) = self.send("GET", path, "", b"");
        self.fits(route, "get", status, &value);
        (status, value)
    }

    /// Sends JSON.
    pub fn post(&self, route: &str, path: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
        let key = key.map(|key| format!("Idempotency-Key: {key}\r\n")).unwrap_or_default();
        let head = format!("Content-Type: application/json\r\n{key}");
        let (status, value) = self.send("POST", path, &head, body.to_string().as_bytes());
        self.fits(route, "post", status, &value);
        (status, value)
    }

    /// Sends a file.
    pub fn upload(&self, route: &str, path: &str, file: &[u8]) -> (u16, Value) {
        let (status, value) = self.send("POST", path, "Content-Type: application/octet-stream\r\n", file);
        self.fits(route, "post", status, &value);
        (status, value)
    }

    fn send(&self, method: &str, path: &str, fields: &str, body: &[u8]) -> (u16, Value) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{fields}Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.token,
            body.len()
        );
        let answer = http::exchange(self.address, &[head.as_bytes(), body].concat());
        let value = serde_json::from_slice(&answer.body);
        assert!(value.is_ok(), "{path}: {}", answer.text());
        (answer.status, value.unwrap())
    }

    /// The answer is what the document says.
    fn fits(&self, route: &str, method: &str, status: u16, value: &Value) {
        let told = &self.document["paths"][route][method]["responses"];
        assert!(told.is_object(), "the document says nothing of {method} {route}");
        let response = if status == 200 { &told["200"] } else { &told["default"] };
        let mut schema = response["content"]["application/json"]["schema"].clone();
        schema["components"] = self.document["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<_> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{method} {route} ({status}): {errors:?} in {value}");
    }
}
