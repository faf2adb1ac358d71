//! `bcproxy demo`.

use std::net::Ipv4Addr;

use hyper::{Method, StatusCode};
use tempfile::TempDir;

use crate::process::Process;
use crate::rig::{self, ClientResponse};
use crate::{FINE, command, folder};

#[tokio::test]
async fn the_demo_has_a_configuration_of_its_own() {
    let folder = folder(FINE);
    for arguments in [["demo", "--config", "proxy.yaml"], ["--config", "proxy.yaml", "demo"]] {
        let ended = command(folder.path(), &arguments).await;
        assert_eq!((ended.code, ended.output.as_str()), (Some(2), ""));
        assert!(ended.errors.contains("takes no --config"), "{}", ended.errors);
    }
}

#[tokio::test]
async fn the_demo_works_as_it_says_whatever_ports_are_taken() {
    for take_ports in [false, true] {
        let taken: Vec<_> = [8080, 8081]
            .into_iter()
            .filter_map(|port| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().filter(|_| take_ports))
            .collect();
        let folder = TempDir::new().unwrap();
        let mut process = Process::start(&["demo"], folder.path());
        let mut curl_lines = Vec::new();
        for _ in 0..3 {
            curl_lines.push(process.output_line(|line| line.trim_start().starts_with("curl ")).await);
        }
        for line in &curl_lines {
            let response = as_curl_would(line).await;
            assert_eq!(response.status, StatusCode::OK, "{line}: {}", response.text());
            assert!(response.text().contains("10000"), "{line}: {}", response.text());
            // Its data holds no address of the simulator, which would look like a link that was forgotten.
            let all = as_curl_would(&line.replace("$top=3", "$top=50")).await;
            assert!(!all.text().contains("https://localhost"), "{line}: {}", all.text());
        }
        process.signal("INT").await;
        let ended = process.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for port in taken.iter().map(|listener| listener.local_addr().unwrap().port()) {
            assert!(ended.output.contains(&format!("Port {port} is in use")), "{}", ended.output);
            assert!(!ended.output.contains(&format!("127.0.0.1:{port}")), "{}", ended.output);
        }
    }
}

/// Does what curl does with such a line: `curl -s 'URL' [-H 'NAME: VALUE']… [-d 'BODY']`.
async fn as_curl_would(line: &str) -> ClientResponse {
    let words: Vec<&str> = line.split('\'').map(str::trim).collect();
    let options: Vec<(&str, &str)> = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let url = options[0].1.strip_prefix("http://").unwrap();
    let (host, path) = url.split_at(url.find('/').unwrap());
    let of = |option: &'static str| options.iter().filter(move |(known, _)| *known == option).map(|(_, value)| *value);
    let headers: Vec<(String, &str)> = of("-H")
        .map(|header| header.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let body = of("-d").next();
    let method = if body.is_some() { Method::POST } else { Method::GET };
    rig::send(host.parse().unwrap(), method, path, &headers, body.unwrap_or_default().to_owned()).await
}
