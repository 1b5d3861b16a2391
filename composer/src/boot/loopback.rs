//! Bringing up the loopback interface of a new network namespace, which starts without one.

use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket};

use crate::{Error, Result};

/// One netlink message, `RTM_NEWLINK`, as rtnetlink(7) has it: interface 1, which is always the loopback, gets `IFF_UP`.
fn request() -> Vec<u8> {
    const NEWLINK: u16 = 16;
    const REQUEST_ACK: u16 = 1 | 4;
    const LOOPBACK: i32 = 1;
    const UP: u32 = 1;
    let mut body = vec![0; 4];
    body.extend(LOOPBACK.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    body.extend(UP.to_ne_bytes());
    let length = u32::try_from(16 + body.len()).unwrap_or(u32::MAX);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(NEWLINK.to_ne_bytes());
    message.extend(REQUEST_ACK.to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    message
}

/// The errno in an acknowledgement; none if it is not one.
fn acknowledged(answer: &[u8]) -> Option<i32> {
    let code = answer.get(16..20)?;
    let code = i32::from_ne_bytes(code.try_into().ok()?);
    (answer.get(4..6)? == 2_u16.to_ne_bytes()).then(|| code.saturating_neg())
}

/// Makes 127.0.0.1 usable in this process's network namespace.
pub fn up() -> Result<()> {
    let failed = || Error::host("cannot bring up the loopback interface of the worker");
    let kind = SockType::Raw;
    let link = socket(AddressFamily::Netlink, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)
        .map_err(|e| failed().because(&e))?;
    send(link.as_raw_fd(), &request(), MsgFlags::empty()).map_err(|e| failed().because(&e))?;
    let mut answer = [0; 512];
    let length = recv(link.as_raw_fd(), &mut answer, MsgFlags::empty()).map_err(|e| failed().because(&e))?;
    match acknowledged(answer.get(..length).unwrap_or_default()) {
        Some(0) => Ok(()),
        Some(code) => Err(failed().because(&nix::Error::from_raw(code))),
        None => Err(failed().detail("the kernel gave no acknowledgement")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_whatever_it_is() {
        let ack = |code: i32| [&36_u32.to_ne_bytes()[..], &2_u16.to_ne_bytes(), &[0; 10], &code.to_ne_bytes()].concat();
        assert_eq!(acknowledged(&ack(0)), Some(0));
        assert_eq!(acknowledged(&ack(-1)), Some(1));
        assert_eq!(acknowledged(&[0; 20]), None);
        assert_eq!(acknowledged(&[]), None);
        assert_eq!(request().len(), 32);
    }
}
