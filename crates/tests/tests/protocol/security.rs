//! Security frames, while security is not configured.

use anyhow::{Result, ensure};
use tests::raw::{Draft, SECURITY, field, frame};

use crate::{OK, Rig, SECURITY_NOT_CONFIGURED};

/// A request with this command and these fields.
fn request(command: u8, fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut body = vec![0, 0, command, fields.len() as u8];
    body.extend([0; 12]);
    for (id, data) in fields {
        body.extend(field(*id, data));
    }
    body
}

#[test]
fn every_command_is_told_that_security_is_off() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    for command in 0..=255 {
        let body = request(command, &[(0, b"admin"), (3, &[b'$'; 60])]);
        let result = connection.security(&body)?;
        ensure!(result == SECURITY_NOT_CONFIGURED, "command {command}: {result}");
    }
    connection.expect_alive()?;
    ensure!(connection.result(&Draft::write_number("after", 1).frame())? == OK);
    rig.check_unharmed()
}

#[test]
fn so_is_what_is_no_command() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let mut cut = request(20, &[(0, b"admin")]);
    cut.truncate(cut.len() - 2);
    let endless = [&request(20, &[])[..3], &[255], &[0; 12], &[0xff; 32]].concat();
    for body in [Vec::new(), vec![0], vec![0; 15], vec![9; 16], cut, endless, vec![0; 1 << 20]] {
        let result = connection.security(&body)?;
        ensure!(result == SECURITY_NOT_CONFIGURED, "{} bytes: {result}", body.len());
    }
    connection.expect_alive()?;
    rig.check_unharmed()
}

#[test]
fn its_replies_stand_in_line() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let login = frame(SECURITY, &request(20, &[(0, b"admin")]));
    let write = Draft::write_number("line", 1).frame();
    connection.send(&[&login[..], &write, &login, &write].concat())?;
    for _ in 0..2 {
        ensure!(connection.body(SECURITY)?[1] == SECURITY_NOT_CONFIGURED);
        ensure!(connection.message()?.result == OK);
    }
    Ok(())
}
