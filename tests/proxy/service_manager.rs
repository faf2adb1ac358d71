//! What systemd hears of the service, and the sockets it holds for it.
#![cfg(unix)]

use std::ffi::OsStr;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UnixDatagram};
use tokio::process::Command;
use tokio::task::JoinHandle;
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
        let stream = within(TcpStream::connect(address)).await.expect("connected");
        request(stream, address).await;
        count += 1;
    }
    count
}

/// Eight clients that send one request after another.
struct Load {
    stop: CancellationToken,
    clients: Vec<JoinHandle<usize>>,
}

impl Load {
    fn start(address: SocketAddr) -> Self {
        let stop = CancellationToken::new();
        let clients = (0..8).map(|_| tokio::spawn(load(address, stop.clone()))).collect();
        Self { stop, clients }
    }

    /// How many requests there were, all of them answered with 200.
    async fn end(self) -> usize {
        self.stop.cancel();
        let mut answered = 0;
        for client in self.clients {
            answered += client.await.unwrap();
        }
        answered
    }
}

/// Waits until this process has served so many requests.
async fn served(process: &mut Process, requests: usize) {
    for _ in 0..requests {
        process.log_line(|line| line["target"] == "bcproxy::access").await;
    }
}

/// Lets the process end, which it does without an error.
async fn ends_well(process: Process) {
    process.signal("TERM").await;
    let ended = process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Sends one request, which must be answered with 200.
async fn request(mut stream: TcpStream, address: SocketAddr) {
    let request = format!("GET /api/customers?$top=1 HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (response, end) = read_to_end(&mut stream).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response:?}, {end:?}");
}

#[tokio::test]
async fn a_restart_under_load_rejects_nobody_when_the_service_manager_holds_the_socket() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let prepared = Plan::default().top(&format!("listen: {address}")).prepare().await;
    let mut process = start_on(&listener, &prepared.file);
    assert_eq!(process.address().await, address);
    let load = Load::start(address);
    for _ in 0..3 {
        served(&mut process, 50).await;
        // In between nobody accepts: those who come wait in the socket.
        ends_well(process).await;
        process = start_on(&listener, &prepared.file);
        served(&mut process, 1).await;
    }
    assert!(load.end().await >= 150);
}

#[tokio::test]
async fn a_socket_that_no_address_asks_for_is_mentioned() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let prepared = Plan::default().prepare().await;
    let mut process = start_on(&listener, &prepared.file);
    let address = listener.local_addr().unwrap().to_string();
    process.log_line(|line| message(line).contains(&address) && message(line).contains("`listen`")).await;
}

/// A service manager with a file descriptor store.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    /// By name, in the order in which they came.
    stored: Vec<(String, OwnedFd)>,
}

impl Manager {
    fn in_folder(folder: &Path) -> Self {
        let path = folder.join("notify");
        Self { socket: UnixDatagram::bind(&path).unwrap(), path, stored: Vec::new() }
    }

    /// Starts bcproxy with the stored sockets, two at most: they travel as standard input and output.
    fn start(&self, file: &Path) -> Process {
        let names: Vec<&str> = self.stored.iter().map(|(name, _)| name.as_str()).collect();
        let take = "exec 3<&0 4<&1 </dev/null >/dev/null; LISTEN_PID=$$ exec \"$0\" run --config \"$1\"";
        let mut command = Command::new("sh");
        command.args([OsStr::new("-c"), OsStr::new(take), OsStr::new(env!("CARGO_BIN_EXE_bcproxy")), file.as_os_str()]);
        command.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
        command.env("NOTIFY_SOCKET", &self.path);
        let copy = |at: usize| {
            let stored = self.stored.get(at).map(|(_, socket)| socket.try_clone().unwrap());
            stored.map_or_else(Stdio::null, Stdio::from)
        };
        assert!(names.len() <= 2);
        command.stdin(copy(0));
        Process::spawn_with_output(command, copy(1))
    }

    /// Handles messages until one begins like this.
    async fn until(&mut self, start: &str) {
        loop {
            let (text, files) =
                within(self.socket.async_io(Interest::READABLE, || receive(&self.socket))).await.unwrap();
            assert!(!text.contains("is invalid"), "{text}");
            let name = text.lines().find_map(|line| line.strip_prefix("FDNAME="));
            if text.starts_with("FDSTORE=1\n") {
                assert_eq!(files.len(), 1, "{text}");
                let is_new = self.stored.iter().all(|(stored, _)| Some(stored.as_str()) != name);
                assert!(is_new, "{text}");
                self.stored.extend(files.into_iter().map(|file| (name.unwrap().to_owned(), file)));
            } else if text.starts_with("FDSTOREREMOVE=1\n") {
                let before = self.stored.len();
                self.stored.retain(|(stored, _)| Some(stored.as_str()) != name);
                assert_eq!(self.stored.len(), before - 1, "{text}");
            }
            if text.starts_with(start) {
                return;
            }
        }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        let address = |(_, socket): &(String, OwnedFd)| TcpListener::from(socket.try_clone().unwrap()).local_addr();
        self.stored.iter().map(|stored| address(stored).unwrap()).collect()
    }
}

/// The next message, and the files it carries.
fn receive(socket: &UnixDatagram) -> io::Result<(String, Vec<OwnedFd>)> {
    let mut text = [0; 4096];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let files = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let files = files.flatten().collect();
    Ok((String::from_utf8_lossy(&text[..received.bytes]).into_owned(), files))
}

/// What a listener on all addresses needs.
const ACCESS: &str = "access: { allow_from: [ 127.0.0.1 ] }";

/// An address that nothing listens on.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

async fn is_closed(address: SocketAddr) -> bool {
    let connected = within(TcpStream::connect(address)).await;
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[tokio::test]
async fn a_restart_under_load_rejects_nobody_without_a_socket_unit() {
    let address = free_address();
    let prepared = Plan::default().top(&format!("listen: {address}")).prepare().await;
    let mut manager = Manager::in_folder(prepared.folder.path());
    let mut process = manager.start(&prepared.file);
    manager.until("READY=1").await;
    assert_eq!(manager.addresses(), [address]);
    let load = Load::start(address);
    for _ in 0..3 {
        served(&mut process, 50).await;
        ends_well(process).await;
        manager.until("STOPPING=1").await;
        process = manager.start(&prepared.file);
        // A socket that came from the store is not stored once more.
        manager.until("READY=1").await;
        assert_eq!(manager.addresses(), [address]);
        served(&mut process, 1).await;
    }
    assert!(load.end().await >= 150);
}

#[tokio::test]
async fn a_reload_stores_new_sockets_and_closes_removed_ones() {
    let (first, second) = (free_address(), free_address());
    let prepared = Plan::default().top(ACCESS).top(&format!("listen: {first}")).prepare().await;
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    let mut manager = Manager::in_folder(prepared.folder.path());
    let process = manager.start(&prepared.file);
    manager.until("READY=1").await;
    // The copy in the store stays open for a while: that must not matter to clients.
    let copy = manager.stored[0].1.try_clone().unwrap();

    let with = |listen: &str| text.replace(&format!("listen: {first}"), &format!("listen: {listen}"));
    std::fs::write(&prepared.file, with(&format!("[ {first}, {second} ]"))).unwrap();
    manager.until("READY=1").await;
    assert_eq!(manager.addresses(), [first, second]);
    std::fs::write(&prepared.file, with(&second.to_string())).unwrap();
    manager.until("FDSTOREREMOVE=1").await;
    assert_eq!(manager.addresses(), [second]);
    assert!(is_closed(first).await);
    drop(copy);

    // Another address with the same port: the copy in the store does not block it.
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, second.port()));
    let copy = manager.stored[0].1.try_clone().unwrap();
    std::fs::write(&prepared.file, with(&everywhere.to_string())).unwrap();
    manager.until("FDSTORE=1").await;
    assert_eq!(manager.addresses(), [everywhere]);
    within(TcpStream::connect(second)).await.unwrap();
    drop(copy);

    ends_well(process).await;
    assert_eq!(manager.addresses(), [everywhere]);
}

#[tokio::test]
async fn a_restart_with_other_addresses_closes_the_stored_sockets_they_do_not_use() {
    let (first, second) = (free_address(), free_address());
    let prepared = Plan::default().top(ACCESS).top(&format!("listen: [ {first}, {second} ]")).prepare().await;
    let text = std::fs::read_to_string(&prepared.file).unwrap();
    let mut manager = Manager::in_folder(prepared.folder.path());
    let process = manager.start(&prepared.file);
    manager.until("READY=1").await;
    assert_eq!(manager.addresses(), [first, second]);
    process.signal("KILL").await;
    process.end().await;

    // An address of the next start that an unused one blocks, and one that is the same as before.
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, first.port()));
    let waiting = within(TcpStream::connect(second)).await.unwrap();
    std::fs::write(&prepared.file, text.replace(&first.to_string(), &everywhere.to_string())).unwrap();
    let process = manager.start(&prepared.file);
    manager.until("READY=1").await;
    assert_eq!(manager.addresses(), [second, everywhere]);
    request(waiting, second).await;
    process.signal("KILL").await;
    process.end().await;

    std::fs::write(&prepared.file, text.replace(&format!("listen: [ {first}, {second} ]"), "listen: 127.0.0.1:0"))
        .unwrap();
    let process = manager.start(&prepared.file);
    manager.until("READY=1").await;
    // A port of the system's choice is another one after the next start.
    assert_eq!(manager.addresses(), []);
    assert!(is_closed(first).await && is_closed(second).await);
    ends_well(process).await;
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
    let verified =
        std::process::Command::new("systemd-analyze").args(["verify", "--man=no"]).args(&files).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
}
