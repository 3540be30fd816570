//! Forms as programs write them, and as somebody writes them who wants more than an upload.

use super::*;

const KIND: &str = "multipart/form-data; boundary=bb";

/// A form of these parts: their disposition behind `form-data; `, and what is in them.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut form = Vec::new();
    for (disposition, content) in parts {
        form.extend_from_slice(format!("--bb\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes());
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(b"--bb--\r\n");
    form
}

fn upload(disposition: &str, content: &[u8]) -> Vec<u8> {
    form(&[
        (r#"name="messaging_product""#, b"whatsapp"),
        (r#"name="file"; filename="a.png""#, b"\x89PNG\r\n\x1a\n"),
        (disposition, content),
    ])
}

#[track_caller]
fn passes(body: &[u8]) {
    let checked = check(KIND, body);
    assert_eq!(checked.as_deref(), Ok(KIND), "{}", String::from_utf8_lossy(body));
}

#[track_caller]
fn is_refused(body: &[u8]) {
    let refused = check(KIND, body).expect_err(&String::from_utf8_lossy(body));
    assert_eq!(refused.code, ErrorCode::BadRequest);
}

#[test]
fn an_upload_passes_whatever_is_in_its_file() {
    let head = "Content-Type: text/html\r\nContent-Length: 3\r\ncontent-transfer-encoding: Binary";
    for (content, what) in [
        (b"".as_slice(), "nothing"),
        (b"JPEG", "a word"),
        (br#"<form><input name="method" value="x"></form>"#, "a page"),
        (
            b"Content-Disposition: form-data; name=\"method\"\r\n\r\ndelete",
            "a head",
        ),
        (b"\r\n\r\n\r\n", "lines"),
        (b"--b\r\n--\r\n", "what is nearly a boundary"),
        (&[0, 255, 13, 10, 45, 45], "bytes"),
    ] {
        let mut body = form(&[
            (r#"name="messaging_product""#, b"whatsapp"),
            (r#"name="type""#, b"image/png"),
        ]);
        body.truncate(body.len() - b"--bb--\r\n".len());
        let file = format!("--bb\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n{head}\r\n\r\n");
        body.extend_from_slice(file.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n--bb--");
        assert_eq!(check(KIND, &body).as_deref(), Ok(KIND), "{what}");
    }
    for disposition in [
        r#"name="type""#,
        r#"name="type";"#,
        r"name=type",
        r#"NAME="type""#,
        r#"filename="a; b's (1).png"; name="type""#,
        r#"name="type"; filename="caf\u{e9}.png""#,
        r#"name="type"; filename*=UTF-8''caf%C3%A9.png"#,
        r#"name="type" ; filename=a.png"#,
        r#"name="type"; filename="name=method""#,
    ] {
        passes(&upload(&disposition.replace("\\u{e9}", "\u{e9}"), b"image/png"));
    }
}

#[test]
fn parts_of_another_name_do_not_pass_however_it_is_written() {
    for disposition in [
        r#"name="access_token""#,
        r#"name="method""#,
        "name=access_token",
        "name=method",
        r#"name= "access_token""#,
        r#"NAME="access_token""#,
        r#"name="access_token"#,
        "name='method'",
        "name='type'",
        r#"name ="method""#,
        r#"name ="type""#,
        r#"filename="x"; Name="method""#,
        r#"name="metho\d""#,
        r#"name="typ\e""#,
        "name*=utf-8''method",
        r#"name="type"; name*=utf-8''method"#,
        r#"name="batch""#,
        r#"name="ids""#,
        r#"name="fields""#,
        r#"name="appsecret_proof""#,
        r#"name="access_token[]""#,
        r#"name="_method""#,
        r#"name="type[]""#,
        r#"name="Type""#,
        r#"name="type ""#,
        r#"name="""#,
        r#"filename="a""#,
        r#"name="type"; name="method""#,
        r#"name="type"; NAME="type""#,
        r#"name="type" name="method""#,
        r#"name="type"; filename="a\"; name="method""#,
        r#"name="type"; filename="a" b"#,
        r#"name="type"; filename*=latin-1''a"#,
        r#"name="type"; filename*=utf-8'en'a"#,
        r#"name="type"; size=1"#,
        r#"name="type"; =x"#,
        r#"name="type";; name="method""#,
        "",
        // One that is there already.
        r#"name="file""#,
    ] {
        is_refused(&upload(disposition, b"delete"));
    }
    let long = format!(r#"name="type"; filename="{}""#, "a".repeat(HEAD_BYTES_MAX));
    is_refused(&upload(&long, b"x"));
}

#[test]
fn heads_of_parts_that_can_be_read_in_two_ways_do_not_pass() {
    for head in [
        "Content-Disposition: form-data; name=\"type\"\r\nContent-Disposition: form-data; name=\"method\"",
        "Content-Disposition: form-data; name=\"type\"\r\n name=\"method\"",
        "Content-Disposition: form-data; name=\"type\"\n\nx",
        "Content-Disposition: form-data; name=\"type\"\rX: y",
        "Content-Disposition : form-data; name=\"type\"",
        "Content-Disposition: form-data;\tname=\"type\"",
        "Content-Disposition: attachment; name=\"type\"",
        "Content-Disposition: form-data; name=\"type\"\r\nContent-Type: multipart/mixed; boundary=x",
        "Content-Disposition: form-data; name=\"type\"\r\nContent-Transfer-Encoding: base64",
        "Content-Disposition: form-data; name=\"type\"\r\nX-Other: 1",
        "Content-Type: text/plain",
        "",
    ] {
        is_refused(format!("--bb\r\n{head}\r\n\r\ndelete\r\n--bb--\r\n").as_bytes());
    }
}

#[test]
fn what_two_readers_may_take_apart_differently_is_refused() {
    let within = "\nContent-Disposition: form-data; name=\"method\"\r\n\r\ndelete";
    for content in [
        // A line that ends in \n alone is one for some.
        format!("x\n--bb\r{within}"),
        format!("x--bb\r{within}"),
        format!("x\r\n--bb{within}"),
        format!("x\r\n--bb \r{within}"),
        format!("x\r\n--bbb\r{within}"),
        "x\r\n--bb--\r\nmore".to_owned(),
    ] {
        is_refused(&upload(r#"name="type""#, content.as_bytes()));
    }
    let whole = form(&[(r#"name="type""#, b"x")]);
    for body in [
        b"".to_vec(),
        b"x".to_vec(),
        b"--bb".to_vec(),
        b"--bb\r\n".to_vec(),
        [b"preamble\r\n".as_slice(), &whole].concat(),
        [b"\r\n".as_slice(), &whole].concat(),
        [whole.as_slice(), b"epilogue"].concat(),
        [whole.as_slice(), &whole].concat(),
        whole[..whole.len() - 4].to_vec(),
    ] {
        is_refused(&body);
    }
    passes(&form(&[]));
}

#[test]
fn the_media_type_goes_on_with_its_boundary_alone() {
    let body = form(&[(r#"name="type""#, b"x")]);
    for (media_type, expected) in [
        (
            "multipart/form-data; boundary=bb",
            Some("multipart/form-data; boundary=bb"),
        ),
        (
            "Multipart/Form-Data;boundary=bb",
            Some("multipart/form-data; boundary=bb"),
        ),
        (
            "multipart/form-data; Boundary=\"bb\";",
            Some("multipart/form-data; boundary=\"bb\""),
        ),
        (
            "multipart/form-data; charset=utf-8; boundary=bb",
            Some("multipart/form-data; boundary=bb"),
        ),
        ("multipart/form-data", None),
        ("multipart/form-data; boundary=", None),
        ("multipart/form-data; boundary=b,b", None),
        ("multipart/form-data; boundary=\"bb", None),
        ("multipart/form-data; boundary='bb'", None),
        ("multipart/form-data; boundary=xx; boundary=bb", None),
        ("multipart/form-data; boundary=bb; x=y", None),
        ("multipart/form-data; boundary*=utf-8''bb", None),
        ("multipart/mixed; boundary=bb", None),
        ("text/plain; boundary=bb", None),
    ] {
        assert_eq!(check(media_type, &body).ok().as_deref(), expected, "{media_type}");
    }
    assert!(!is_boundary(&"b".repeat(BOUNDARY_CHARS_MAX + 1)));
    // As browsers, Python and Java write theirs.
    for written in [
        "----WebKitFormBoundary7MA4YWxkTrZu0gW",
        "c1b3a9f0e1d24c5f",
        "----=_Part_0_1.2",
        "a/b:c?d+e",
    ] {
        assert!(is_boundary(written), "{written}");
    }
}
