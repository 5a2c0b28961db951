//! HTTP/1.1, one request a connection: plain enough to send what no client library would.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }
}

/// Posts a COSE body.
pub fn post(address: SocketAddr, path: &str, body: &[u8]) -> Answer {
    post_as(address, path, "application/cose", body)
}

pub fn post_as(address: SocketAddr, path: &str, media_type: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    exchange(address, &[head.as_bytes(), body].concat())
}

/// Gets a page under the name in `host`.
pub fn get(address: SocketAddr, path: &str, host: &str) -> Answer {
    exchange(address, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())
}

/// Sends bytes and reads the answer to its end.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = connect(address);
    stream.write_all(bytes).unwrap();
    read(&mut stream)
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Reads one answer by its length.
pub fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            let mut answer = Answer { status, head, body: bytes[end + 4..].to_vec() };
            let length: usize = answer.header("content-length").unwrap().parse().unwrap();
            while answer.body.len() < length {
                let count = stream.read(&mut part).unwrap();
                assert_ne!(count, 0, "the answer broke off");
                answer.body.extend_from_slice(&part[..count]);
            }
            return answer;
        }
        let count = stream.read(&mut part).unwrap();
        assert_ne!(count, 0, "no answer, or half of one: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&part[..count]);
    }
}
