//! What instruction counts depend on besides the code.

use std::path::Path;
use std::process::Command;

use memchr::memmem;
use serde::Deserialize;

use crate::Result;

/// A compiler and a machine. Counts of two are comparable if these are the same.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// The version of the compiler, as the binary names it.
    pub rustc: String,
    pub valgrind: String,
    pub architecture: String,
    /// The features by which Callgrind chooses the processor that it simulates.
    pub cpu: String,
}

impl Machine {
    pub fn of(binary: &Path, valgrind: String) -> Result<Self> {
        Ok(Self {
            rustc: compiler_of(binary)?,
            valgrind,
            architecture: std::env::consts::ARCH.to_owned(),
            cpu: cpu_features()?,
        })
    }

    /// One text for each difference.
    pub fn differences(&self, here: &Self) -> Vec<String> {
        let parts = [
            ("rustc", &self.rustc, &here.rustc),
            ("valgrind", &self.valgrind, &here.valgrind),
            ("architecture", &self.architecture, &here.architecture),
            ("cpu", &self.cpu, &here.cpu),
        ];
        let different = parts.into_iter().filter(|(_, there, here)| there != here);
        different.map(|(name, there, here)| format!("{name} {there} there, {here} here")).collect()
    }
}

/// The version; an error that says what to install if there is none.
pub fn valgrind_version() -> Result<String> {
    if !cfg!(target_os = "linux") {
        return Err("the instructions are counted on Linux only".into());
    }
    let version = output("valgrind", &["--version"]).map_err(|_| "valgrind is not installed (apt install valgrind)")?;
    Ok(version.trim_start_matches("valgrind-").to_owned())
}

/// From the note that the compiler leaves in every binary: `rustc version 1.95.0 (…)`.
fn compiler_of(binary: &Path) -> Result<String> {
    let bytes = std::fs::read(binary).map_err(|error| format!("{}: {error}", binary.display()))?;
    let note = b"rustc version ";
    let version = memmem::find(&bytes, note).and_then(|at| bytes.get(at + note.len()..)).unwrap_or_default();
    let version: Vec<u8> = version.iter().copied().take_while(|byte| byte.is_ascii_graphic()).collect();
    if version.is_empty() {
        return Err(format!("{} does not name its compiler", binary.display()).into());
    }
    Ok(String::from_utf8(version)?)
}

fn cpu_features() -> Result<String> {
    let description = std::fs::read_to_string("/proc/cpuinfo")?;
    let flags = description.lines().find_map(|line| line.strip_prefix("flags")).unwrap_or_default();
    let has = |feature: &&str| flags.split_whitespace().any(|flag| flag == *feature);
    Ok(CPU_FEATURES.into_iter().filter(has).collect::<Vec<_>>().join(" "))
}

fn output(command: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(command).args(arguments).output().map_err(|error| format!("{command}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command}: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Of x86-64, in the words of `/proc/cpuinfo`. With `avx2`, Callgrind simulates a Haswell that also has `aes`, `bmi2`
/// and `pclmulqdq`, and nothing newer.
const CPU_FEATURES: [&str; 10] = ["abm", "avx", "avx2", "bmi1", "cx16", "f16c", "rdrand", "rdseed", "rdtscp", "ssse3"];
