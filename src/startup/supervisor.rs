//! Tells whoever started this process how far it is, where that is wanted: systemd, with `Type=notify` (`sd_notify(3)`).

use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::config::Config;

/// Comments can be taken.
pub const READY: &str = "READY=1";
/// It was told to stop, and lets requests finish.
pub const STOPPING: &str = "STOPPING=1";

/// Says `what`. That nobody hears it is no reason not to serve.
pub fn say(what: &str) {
    let Some(socket) = Config::supervisor() else { return };
    let told = address(&socket).and_then(|address| {
        let out = UnixDatagram::unbound()?;
        out.send_to_addr(what.as_bytes(), &address)
    });
    if let Err(error) = told {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "whoever started this process could not be told: {what}"
        );
    }
}

/// A path, or a name without a file, which begins with `@`.
fn address(socket: &std::ffi::OsStr) -> std::io::Result<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = socket.as_encoded_bytes().strip_prefix(b"@") {
        return <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name);
    }
    SocketAddr::from_pathname(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_and_a_name_are_both_reached() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let heard = UnixDatagram::bind(&path).unwrap();
        let out = UnixDatagram::unbound().unwrap();
        out.send_to_addr(READY.as_bytes(), &address(path.as_os_str()).unwrap()).unwrap();
        let mut said = [0; 16];
        let length = heard.recv(&mut said).unwrap();
        assert_eq!(&said[..length], READY.as_bytes());
        assert!(address("@doorward".as_ref()).unwrap().as_pathname().is_none());
    }
}
