//! What systemd hears of the service, and the sockets it holds for it.
#![cfg(unix)]

use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UnixDatagram};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::process::{Process, message};
use crate::rig::{Plan, read_to_end, within};

/// What the service manager is told next.
async fn told(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    let length = within(socket.recv(&mut buffer)).await.unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

/// The same, but for signs of life.
async fn told_news(socket: &UnixDatagram) -> String {
    loop {
        let told = told(socket).await;
        if told.trim() != "WATCHDOG=1" {
            return told;
        }
    }
}

#[tokio::test]
async fn it_says_when_it_serves_reloads_lives_and_stops() {
    let prepared = Plan::default().prepare().await;
    let path = prepared.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bcproxy"));
    command.args([OsStr::new("run"), OsStr::new("--config"), prepared.file.as_os_str()]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "30000").stdin(Stdio::null());
    let process = Process::spawn(command);

    assert_eq!(told_news(&socket).await.trim(), "READY=1\nSTATUS=serving 5 routes with 1 connectors");
    for _ in 0..3 {
        assert_eq!(told(&socket).await.trim(), "WATCHDOG=1");
    }
    process.signal("HUP").await;
    let told_first = told_news(&socket).await;
    assert!(told_first.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{told_first}");
    assert!(told_news(&socket).await.starts_with("READY=1\n"));

    std::fs::write(&prepared.file, "connectors: {}").unwrap();
    process.signal("HUP").await;
    // The watch may see the file first and the signal find it so; both say the same.
    assert!(told_news(&socket).await.starts_with("RELOADING=1\n"));
    let told_then = told_news(&socket).await;
    assert!(told_then.starts_with("READY=1\n") && told_then.contains("is invalid"), "{told_then}");

    process.signal("TERM").await;
    loop {
        let told = told_news(&socket).await;
        if told.starts_with("STOPPING=1") {
            break;
        }
        assert!(told.starts_with("RELOADING=1") || told.starts_with("READY=1"), "{told}");
    }
    assert_eq!(process.end().await.code, Some(0));
}

/// A bcproxy that gets this socket as systemd would hand it over: as file 3, with its own process id.
fn start_on(listener: &TcpListener, file: &Path) -> Process {
    let mut command = Command::new("sh");
    let hand_over = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" run --config \"$1\"";
    command.args([
        OsStr::new("-c"),
        OsStr::new(hand_over),
        OsStr::new(env!("CARGO_BIN_EXE_bcproxy")),
        file.as_os_str(),
    ]);
    command.stdin(Stdio::from(OwnedFd::from(listener.try_clone().unwrap())));
    Process::spawn(command)
}

/// One request after another, each on a connection of its own; how many, all of them answered with 200.
async fn load(address: SocketAddr, stop: CancellationToken) -> usize {
    let mut count = 0;
    while !stop.is_cancelled() {
        let mut stream = within(TcpStream::connect(address)).await.expect("connected");
        let request = format!("GET /api/customers?$top=1 HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let (response, end) = read_to_end(&mut stream).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "after {count}: {response:?}, {end:?}");
        count += 1;
    }
    count
}

#[tokio::test]
async fn a_restart_under_load_rejects_nobody_when_the_service_manager_holds_the_socket() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let prepared = Plan::default().top(&format!("listen: {address}")).prepare().await;
    let mut process = start_on(&listener, &prepared.file);
    assert_eq!(process.address().await, address);
    let stop = CancellationToken::new();
    let clients: Vec<_> = (0..8).map(|_| tokio::spawn(load(address, stop.clone()))).collect();
    for _ in 0..3 {
        let is_request = |line: &serde_json::Value| line["target"] == "bcproxy::access";
        for _ in 0..50 {
            process.log_line(is_request).await;
        }
        process.signal("TERM").await;
        // In between nobody accepts: those who come wait in the socket.
        let ended = process.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        process = start_on(&listener, &prepared.file);
        process.log_line(is_request).await;
    }
    stop.cancel();
    let mut answered = 0;
    for client in clients {
        answered += client.await.unwrap();
    }
    assert!(answered >= 150);
}

#[tokio::test]
async fn a_socket_that_no_address_asks_for_is_mentioned() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let prepared = Plan::default().prepare().await;
    let mut process = start_on(&listener, &prepared.file);
    let address = listener.local_addr().unwrap().to_string();
    process.log_line(|line| message(line).contains(&address) && message(line).contains("`listen`")).await;
}

#[test]
#[ignore = "needs systemd-analyze"]
fn the_units_are_what_systemd_takes() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd");
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for name in ["bcproxy.service", "bcproxy.socket"] {
        let text = std::fs::read_to_string(units.join(name)).unwrap();
        let file = folder.path().join(name);
        // It looks whether the program is there.
        std::fs::write(&file, text.replace("/usr/bin/bcproxy", env!("CARGO_BIN_EXE_bcproxy"))).unwrap();
        files.push(file);
    }
    let verified = std::process::Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
}
