//! Bodies of messages, and how Meta judges them: what a client is refused here, Meta would refuse later. Dakghar and the
//! simulated Meta each check by lists of their own; a test compares both with this table.

/// Each line is a body without whom it is for: `fine`, or Meta's code and the pointer to what is wrong, stand in front.
const TABLE: &str = include_str!("judged/bodies.txt");

/// A body as a client gives it, and the verdict.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// The fields of the message, without whom it is for.
    pub body: &'static str,
    /// Where it is refused, as a JSON pointer, and Meta's code for that; `None` if it is fine.
    pub refused: Option<(&'static str, i64)>,
}

/// Every kind of content that Meta documents, good and bad.
///
/// # Panics
///
/// If the table is broken.
pub fn bodies() -> impl Iterator<Item = Judged> {
    TABLE.lines().map(|line| {
        let (verdict, rest) = line.split_once(' ').expect("a verdict");
        if verdict == "fine" {
            return Judged {
                body: rest,
                refused: None,
            };
        }
        let (pointer, body) = rest.split_once(' ').expect("a pointer");
        Judged {
            body,
            refused: Some((pointer, verdict.parse().expect("a code"))),
        }
    })
}
