//! The grammar of info requests on the service port.

use anyhow::{Result, ensure};
use tests::raw::{INFO, frame};

use crate::Rig;

/// The commands of the answer to an empty request, in order.
const SUMMARY: [&str; 15] = [
    "features",
    "node",
    "compatibility-id",
    "edition",
    "build_ee_sha",
    "build_sha",
    "build_arch",
    "build_time",
    "build_os",
    "build",
    "version",
    "statistics",
    "services-alumni",
    "services",
    "partition-generation",
];

#[test]
fn lines() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let unknown = "ERROR:4:unrecognized command";
    // A request, and its whole answer.
    let table = [
        ("status\n", "status\tok\n".to_owned()),
        ("status:\n", "status:\tok\n".to_owned()),
        ("status;\n", "status;\tok\n".to_owned()),
        ("status/\n", "status/\tok\n".to_owned()),
        ("status:a=b;c\n", "status:a=b;c\tok\n".to_owned()),
        ("status\nstatus\n", "status\tok\nstatus\tok\n".to_owned()),
        ("status\nnode\n", "status\tok\nnode\tA1\n".to_owned()),
        // What no newline ends is dropped.
        ("status", String::new()),
        ("status\nnode", "status\tok\n".to_owned()),
        ("\n", format!("\t{unknown}\n")),
        ("\n\n", format!("\t{unknown}\n\t{unknown}\n")),
        ("Status\n", format!("Status\t{unknown}\n")),
        (" status\n", format!(" status\t{unknown}\n")),
        ("status\r\n", format!("status\r\t{unknown}\n")),
        ("no\tsuch\n", format!("no\tsuch\t{unknown}\n")),
        (":a=b\n", format!(":a=b\t{unknown}\n")),
        ("statu\n", format!("statu\t{unknown}\n")),
        ("statuss\n", format!("statuss\t{unknown}\n")),
    ];
    for (request, expected) in table {
        let answer = connection.info(request)?;
        ensure!(answer == expected, "{request:?}: {answer:?}");
    }
    rig.check_unharmed()
}

#[test]
fn nothing_asked_means_the_summary() -> Result<()> {
    let rig = Rig::start()?;
    let answer = rig.connect()?.info("")?;
    let names: Vec<&str> =
        answer.lines().map(|line| line.split_once('\t').map_or(line, |(name, _)| name)).collect();
    ensure!(names == SUMMARY, "{names:?}");
    Ok(())
}

#[test]
fn no_request_is_too_long() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let unknown = "ERROR:4:unrecognized command";
    for size in [31, 32, 33, 1000, 100_000, 4 << 20] {
        let name = "n".repeat(size);
        let answer = connection.info(&format!("{name}\n"))?;
        ensure!(answer == format!("{name}\t{unknown}\n"), "{size} bytes: {}", answer.len());
    }
    let many = "status\n".repeat(20_000);
    let answer = connection.info(&many)?;
    ensure!(answer == "status\tok\n".repeat(20_000), "{} bytes", answer.len());
    rig.check_unharmed()
}

/// 75 KB ask for 4 GB. What goes beyond a bound is left unanswered.
#[test]
fn an_answer_does_not_grow_for_ever() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let answer = connection.info(&"partition-info\n".repeat(5000))?;
    ensure!((1 << 20..64 << 20).contains(&answer.len()), "{} bytes", answer.len());
    ensure!(answer.ends_with('\n'), "the last answer is whole");
    connection.expect_alive()?;
    rig.check_unharmed()
}

#[test]
fn parameters() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let long = "n".repeat(5000);
    let table = [
        ("truncate:namespace=\n".to_owned(), "ERROR:20:missing 'namespace' value"),
        ("truncate:\n".to_owned(), "ERROR:20:missing 'namespace'"),
        ("truncate:namespace\n".to_owned(), "ERROR:20:missing 'namespace' value"),
        (format!("truncate:namespace={long}\n"), "ERROR:20:'namespace' value too long"),
        ("truncate:namespace=test;set=\n".to_owned(), "ERROR:4:missing 'set' value"),
        (format!("truncate:namespace=test;set={long}\n"), "ERROR:4:'set' value too long"),
        ("histogram:namespace=no;type=ttl\n".to_owned(), "ERROR:20:namespace not found on node"),
        ("namespace/nowhere\n".to_owned(), "type=unknown"),
        ("log/99\n".to_owned(), "ERROR::bad-id"),
        ("query-show:trid=1\n".to_owned(), "ERROR:2:job not found"),
    ];
    for (request, expected) in table {
        let answer = connection.info(&request)?;
        let value = answer.trim_end().split_once('\t').map_or("", |(_, value)| value);
        ensure!(value == expected, "{:?}: {value:?}", &request[..request.len().min(60)]);
    }
    rig.check_unharmed()
}

#[test]
fn any_bytes_get_an_answer() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    // A request, and what is echoed of it: all before the first zero byte.
    for (bytes, echo) in [
        (&b"\0\n"[..], &b""[..]),
        (b"status\0\n", b"status"),
        (b"status\0:more\n", b"status"),
        (b"\xff\xfe\n", b"\xff\xfe"),
        (b"set-config:context=\xff;a=\x80\n", b"set-config:context=\xff;a=\x80"),
    ] {
        connection.send(&frame(INFO, bytes))?;
        let body = connection.body(INFO)?;
        let value = body.strip_prefix(echo).and_then(|rest| rest.strip_prefix(b"\t"));
        ensure!(value.is_some_and(|value| value.ends_with(b"\n")), "{body:?}");
    }
    connection.expect_alive()?;
    rig.check_unharmed()
}
