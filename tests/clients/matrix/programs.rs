//! Builds and starts the programs of the matrix.

use std::path::{Path, PathBuf};
use std::process::Output;

use tokio::process::Command;
use tokio::sync::OnceCell;

use crate::rig::within;

/// What starts a program that needs no building, by the ending of its file's name.
const INTERPRETERS: [(&str, &str); 6] =
    [("sh", "sh"), ("php", "php"), ("py", "python3"), ("pl", "perl"), ("rb", "ruby"), ("js", "node")];

/// Variables that name the authorities to trust, for programs that aren't told otherwise.
const TRUST: [&str; 2] = ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"];

/// What Axis 1 is made of, as Debian names it.
const AXIS: [&str; 9] = [
    "axis",
    "axis-jaxrpc",
    "axis-saaj",
    "commons-codec",
    "commons-discovery",
    "commons-httpclient",
    "commons-logging",
    "javax.mail",
    "wsdl4j",
];

/// What Mono's programs are made of.
const ASSEMBLIES: [&str; 3] = ["System.Runtime.Serialization", "System.ServiceModel", "System.Web.Services"];

/// Builds the programs that are not interpreted, once for all tests.
pub async fn build() {
    static BUILT: OnceCell<()> = OnceCell::const_new();
    BUILT.get_or_init(compile).await;
}

async fn compile() {
    std::fs::create_dir_all(built()).unwrap();
    let mut javac = Command::new("javac");
    javac.args(["-nowarn", "-d"]).arg(built()).args(["-cp", &class_path()]).args(with_ending("java"));
    must_succeed(javac).await;
    let trust = sources().join("Trust.cs");
    for source in with_ending("cs").into_iter().filter(|source| *source != trust) {
        let mut mcs = Command::new("mcs");
        mcs.arg(format!("-out:{}", executable(&source).display())).args(ASSEMBLIES.map(|name| format!("-r:{name}")));
        mcs.args([&source, &trust]);
        must_succeed(mcs).await;
    }
}

/// Runs a program in a folder, with an API key in place of its user if there is one.
///
/// The error is what it complained about.
pub async fn run(command: &str, addresses: &[String], key: Option<&str>, folder: &Path) -> Result<(), String> {
    let mut words = command.split(' ');
    let mut caller = starter(&sources().join(words.next().unwrap()));
    caller.args(addresses).args(words).current_dir(folder).env("NO_PROXY", "*").kill_on_drop(true);
    caller.envs(TRUST.map(|variable| (variable, "ca.pem"))).envs(key.map(|key| ("API_KEY", key)));
    let output = within(caller.output()).await.map_err(|error| format!("{caller:?}: {error}"))?;
    succeeded(&output)
}

fn starter(source: &Path) -> Command {
    let ending = source.extension().unwrap();
    let (starter, argument) = match INTERPRETERS.iter().find(|(known, _)| *known == ending) {
        Some((_, interpreter)) => (*interpreter, source.to_owned()),
        None if ending == "java" => ("java", source.file_stem().unwrap().into()),
        None if ending == "cs" => ("mono", executable(source)),
        None => panic!("what starts {}?", source.display()),
    };
    let mut caller = Command::new(starter);
    caller.arg(argument);
    caller.env("CLASSPATH", class_path());
    caller
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/matrix/programs")
}

fn built() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients")
}

fn executable(source: &Path) -> PathBuf {
    built().join(source.file_name().unwrap()).with_extension("exe")
}

fn with_ending(ending: &str) -> Vec<PathBuf> {
    let files = std::fs::read_dir(sources()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|its| its == ending)).collect()
}

fn class_path() -> String {
    let jars = AXIS.map(|jar| format!("/usr/share/java/{jar}.jar"));
    format!("{}:{}", built().display(), jars.join(":"))
}

async fn must_succeed(mut caller: Command) {
    let output = within(caller.output()).await.unwrap_or_else(|error| panic!("{caller:?}: {error}"));
    succeeded(&output).unwrap_or_else(|complaint| panic!("{caller:?}: {complaint}"));
}

fn succeeded(output: &Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    let [printed, complaint] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    Err(format!("{}\n{printed}{complaint}", output.status))
}
