//! The few MongoDB commands a test server needs before a driver can use it, without a driver: one request on one
//! connection, and a look into the raw answer.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OP_MSG: i32 = 2013;
/// Answers are small; anything longer is not an answer of ours.
const REPLY_BYTES_MAX: usize = 4 << 20;
/// A server that was stopped takes connections and says nothing.
const ANSWER_SECONDS_MAX: u64 = 5;

/// A BSON document under construction.
#[derive(Default)]
pub(super) struct Document(Vec<u8>);

impl Document {
    pub(super) fn int(self, name: &str, value: i32) -> Self {
        self.element(0x10, name, &value.to_le_bytes())
    }

    pub(super) fn bool(self, name: &str, value: bool) -> Self {
        self.element(0x08, name, &[u8::from(value)])
    }

    pub(super) fn string(self, name: &str, value: &str) -> Self {
        let mut bytes = length(value.len() + 1).to_vec();
        bytes.extend(value.as_bytes());
        bytes.push(0);
        self.element(0x02, name, &bytes)
    }

    pub(super) fn document(self, name: &str, value: Self) -> Self {
        self.element(0x03, name, &value.finish())
    }

    pub(super) fn array(self, name: &str, values: impl IntoIterator<Item = Self>) -> Self {
        let array = values
            .into_iter()
            .enumerate()
            .fold(Self::default(), |array, (index, value)| {
                array.document(&index.to_string(), value)
            });
        self.element(0x04, name, &array.finish())
    }

    fn element(mut self, kind: u8, name: &str, value: &[u8]) -> Self {
        self.0.push(kind);
        self.0.extend(name.as_bytes());
        self.0.push(0);
        self.0.extend(value);
        self
    }

    fn finish(self) -> Vec<u8> {
        let mut bytes = length(self.0.len() + 5).to_vec();
        bytes.extend(self.0);
        bytes.push(0);
        bytes
    }
}

/// The raw answer of a server.
pub(super) struct Reply(Vec<u8>);

impl Reply {
    /// Whether the command was done.
    pub(super) fn is_ok(&self) -> bool {
        self.value_of(b"\x01ok\0")
            .is_some_and(|value| value.starts_with(&1f64.to_le_bytes()))
    }

    /// Whether a field of this name is true.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.value_of(format!("\x08{name}\0").as_bytes())
            .is_some_and(|value| value.starts_with(&[1]))
    }

    /// A 64-bit number.
    pub(super) fn long(&self, name: &str) -> Option<i64> {
        let value = self.value_of(format!("\x12{name}\0").as_bytes())?;
        Some(i64::from_le_bytes(value.get(..8)?.try_into().ok()?))
    }

    fn value_of(&self, element: &[u8]) -> Option<&[u8]> {
        let at = self.0.windows(element.len()).position(|window| window == element)?;
        Some(&self.0[at + element.len()..])
    }
}

/// Sends one command to the `admin` database; `None` when there is no answer.
pub(super) async fn command(port: u16, command: Document) -> Option<Reply> {
    let limit = Duration::from_secs(ANSWER_SECONDS_MAX);
    tokio::time::timeout(limit, exchange(port, command)).await.ok()?
}

async fn exchange(port: u16, command: Document) -> Option<Reply> {
    let body = command.string("$db", "admin").finish();
    let mut request = length(16 + 4 + 1 + body.len()).to_vec();
    for word in [1, 0, OP_MSG, 0] {
        request.extend(i32::to_le_bytes(word));
    }
    request.push(0);
    request.extend(body);

    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream.write_all(&request).await.ok()?;
    let announced = stream.read_i32_le().await.ok()?;
    let announced = usize::try_from(announced)
        .ok()
        .filter(|bytes| (16..REPLY_BYTES_MAX).contains(bytes))?;
    let mut reply = vec![0; announced - 4];
    stream.read_exact(&mut reply).await.ok()?;
    Some(Reply(reply))
}

fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes).expect("commands are short").to_le_bytes()
}
