//! What clients of the admin port can do to those of the main port, and what the admin port says of the data path.

use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::Duration;

use bcproxy::admin::Command;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::runtime;

use crate::rig::{HeldClock, Rig, read_to_end, until, within};
use crate::status::AdminRig;

const LIVEZ: &[u8] = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

async fn connect(address: SocketAddr) -> TcpStream {
    within(TcpStream::connect(address)).await.unwrap()
}

#[cfg(unix)]
#[tokio::test]
async fn more_admin_connections_than_descriptors_take_none_from_the_main_port() {
    use std::process::Stdio;

    use hyper::Method;

    use crate::process::{Process, message};
    use crate::rig::{Plan, send};

    let prepared = Plan::default().top("admin: { listen: 127.0.0.1:0 }").prepare().await;
    let mut command = tokio::process::Command::new("sh");
    command.args(["-c", "ulimit -n 128; exec \"$0\" run --config \"$1\"", env!("CARGO_BIN_EXE_bcproxy")]);
    command.arg(&prepared.file).stdin(Stdio::null());
    let mut process = Process::spawn(command);
    let address = process.address().await;
    let line = process.log_line(|line| message(line).starts_with("status page on ")).await;
    let admin = message(&line).strip_prefix("status page on http://").and_then(|rest| rest.strip_suffix('/'));
    let admin: SocketAddr = admin.unwrap().parse().unwrap();

    let mut idle = Vec::new();
    for _ in 0..150 {
        idle.push(connect(admin).await);
    }
    let mut latest = connect(admin).await;
    latest.write_all(LIVEZ).await.unwrap();
    // After half a minute, the listener closes idle connections in any case.
    let responses = tokio::time::timeout(Duration::from_secs(20), async {
        let (live, _) = read_to_end(&mut latest).await;
        // With a connection to Business Central.
        (live, send(address, Method::GET, "/api/customers?$top=1", &[], "").await)
    });
    let (live, response) = responses.await.expect("no descriptor is left");
    assert!(live.starts_with("HTTP/1.1 200 "), "{live}");
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn a_new_admin_connection_closes_the_oldest_that_waits_for_no_response() {
    let rig = Rig::new().await;
    let mut admin = AdminRig::beside(&rig, runtime::Handle::current()).await;
    let address = admin.address;
    let mut reloading = connect(address).await;
    let reload = b"POST /reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    reloading.write_all(reload).await.unwrap();
    let Some(Command::Reload(reload)) = within(admin.commands.recv()).await else { panic!("no reload") };

    let mut oldest = connect(address).await;
    let mut newer = Vec::new();
    for _ in 0..256 {
        newer.push(connect(address).await);
    }
    let (read, _) = read_to_end(&mut oldest).await;
    assert_eq!(read, "");
    let mut latest = newer.pop().unwrap();
    latest.write_all(LIVEZ).await.unwrap();
    assert!(read_to_end(&mut latest).await.0.starts_with("HTTP/1.1 200 "));
    reload.send(Ok("reloaded".to_owned())).unwrap();
    assert!(read_to_end(&mut reloading).await.0.ends_with("reloaded\n"));
}

#[tokio::test]
async fn livez_fails_when_the_data_path_has_run_no_task_for_10_s() {
    let clock = HeldClock::new();
    let rig = Rig::new().await;
    let data_path = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let admin = AdminRig::beside(&rig, data_path.handle().clone()).await;
    assert_eq!(admin.ask("/livez").await.status, 200);

    let (blocked, is_blocked) = mpsc::channel();
    let release: Vec<mpsc::Sender<()>> = (0..2)
        .map(|_| {
            let (release, released) = mpsc::channel();
            let blocked = blocked.clone();
            data_path.spawn(async move {
                blocked.send(()).unwrap();
                released.recv()
            });
            release
        })
        .collect();
    for _ in 0..2 {
        is_blocked.recv().unwrap();
    }
    for _ in 0..60 {
        clock.advance(Duration::from_secs(1)).await;
    }
    for path in ["/livez", "/readyz", "/readyz/cronus"] {
        let response = admin.ask(path).await;
        assert_eq!((response.status.as_u16(), response.text().contains("has run no task for")), (503, true), "{path}");
    }
    assert_eq!(admin.ask("/").await.status, 200, "the status page still answers");

    drop(release);
    until(|| admin.control.liveness().stalled().is_none()).await;
    assert_eq!(admin.ask("/livez").await.status, 200);
    data_path.shutdown_background();
}
