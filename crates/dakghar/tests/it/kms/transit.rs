//! A transit engine that hides nothing, and counts what it is asked. A wrapped key is what was bound to it and the key.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

const TOKEN: &str = "s.it-token";

/// A running engine. It ends with the test.
pub struct Transit {
    pub port: u16,
    asked: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Transit {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let asked: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let counted = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, counted.clone()));
            }
        });
        Self { port, asked }
    }

    /// The settings of a process that goes to it by this port.
    pub fn settings(port: u16) -> [(&'static str, String); 2] {
        [
            ("KMS", format!("vault:http://127.0.0.1:{port}/transit/dakghar")),
            ("VAULT_TOKEN", TOKEN.to_owned()),
        ]
    }

    /// Calls of this kind so far.
    pub fn asked(&self, step: &str) -> u64 {
        self.asked.lock().get(step).copied().unwrap_or_default()
    }
}

async fn serve(stream: TcpStream, asked: Arc<Mutex<BTreeMap<String, u64>>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut path, mut length, mut token) = (String::new(), 0, String::new());
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(": ") {
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.parse().expect("a length"),
                    "x-vault-token" => token = value.to_owned(),
                    _ => {}
                }
            } else {
                path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            }
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        let step = path.split('/').nth(3).unwrap_or_default();
        *asked.lock().entry(step.to_owned()).or_default() += 1;
        let (status, answer) = if token == TOKEN {
            answer(step, &body)
        } else {
            (403, json!({"errors": ["permission denied"]}))
        };
        let answer = answer.to_string();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n", answer.len());
        if stream.write_all((head + &answer).as_bytes()).await.is_err() {
            return;
        }
    }
}

fn answer(step: &str, body: &Value) -> (u16, Value) {
    let bound = body["associated_data"].as_str().expect("something is bound");
    let head = format!("vault:v1:{bound}:");
    match step {
        "encrypt" => {
            let key = body["plaintext"].as_str().expect("a key");
            (200, json!({"data": {"ciphertext": head + key}}))
        }
        "decrypt" => match body["ciphertext"].as_str().and_then(|text| text.strip_prefix(&head)) {
            Some(key) => (200, json!({"data": {"plaintext": key}})),
            None => (400, json!({"errors": ["invalid ciphertext: unable to decrypt"]})),
        },
        _ => (404, json!({"errors": []})),
    }
}
