//! What is measured in a run: parts, proxies and rounds, as the command line has it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::peers::{self, Kind, Peer, bcproxy};
use crate::scenes::{Compared, SCENES};
use crate::upstream::Upstream;
use crate::{Result, admin, bombs, growth, guesses, hostile, memory, picture, slow, starts};

pub struct Plan {
    pub rounds: usize,
    pub quick: bool,
    /// bcproxy first.
    pub peers: Vec<Peer>,
    /// Parts asked for; empty for all.
    parts: Vec<String>,
    /// Where the picture of the ratios goes, if anybody wants it.
    svg: Option<PathBuf>,
}

impl Plan {
    /// `folder`: for copies of the binaries.
    pub fn from_arguments(mut arguments: impl Iterator<Item = String>, folder: &Path) -> Result<Self> {
        // `cargo test --benches` gives no arguments, `cargo bench` one.
        let mut plan = Self { rounds: 11, quick: true, peers: Vec::new(), parts: Vec::new(), svg: None };
        let (mut quick, mut other) = (false, None);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => plan.quick = false,
                "--quick" => quick = true,
                "--rounds" => plan.rounds = arguments.next().ok_or("--rounds needs a number")?.parse()?,
                "--beside" => other = Some(arguments.next().ok_or("--beside needs the path of a bcproxy")?),
                "--svg" => plan.svg = Some(arguments.next().ok_or("--svg needs the path of a file")?.into()),
                part => plan.parts.push(part.to_owned()),
            }
        }
        plan.quick |= quick;
        if plan.quick {
            plan.rounds = 1;
            println!("a quick run: it shows that everything works, its figures say nothing");
        } else {
            build_as_users_do()?;
        }
        // Each is a fresh copy: the same program takes several percent more CPU from a file that a linker wrote than
        // from a copy of it, for the sake of larger pages.
        let copy = |name: &str, path: &Path| -> Result<PathBuf> {
            let binary = folder.join(name.replace(' ', "-"));
            std::fs::copy(path, &binary)?;
            Ok(binary)
        };
        let mut binaries = vec![("bcproxy", PathBuf::from(env!("CARGO_BIN_EXE_bcproxy")))];
        binaries.extend(other.map(|path| ("the other bcproxy", path.into())));
        for (name, path) in binaries {
            let bcproxy = Peer::new(name, Kind::Bcproxy(bcproxy::Settings::new(copy(name, &path)?)));
            plan.peers.extend([bcproxy.clone(), bcproxy.logging()]);
        }
        plan.peers.extend(peers::others(copy("floor", &std::env::current_exe()?)?));
        Ok(plan)
    }

    /// Everything that leaves the proxy a core of its own.
    pub async fn carry_out(&self, folder: &Path) -> Result<()> {
        let upstream = Upstream::start().await?;
        let mut compared = Vec::new();
        for scene in SCENES.iter().filter(|scene| self.has(scene.part) || self.names(scene.title)) {
            compared.push(scene.measure(self, &upstream, folder).await?);
        }
        self.draw(&compared)?;
        growth::measure(self, &upstream, folder).await?;
        if self.has("idle") {
            memory::idle(self, &upstream, folder).await?;
        }
        if self.has("large") {
            memory::large(self, &upstream, folder).await?;
        }
        if self.has("start") {
            starts::first_response(self, &upstream, folder)?;
        }
        if self.has("cold") {
            starts::cold(self, &upstream, folder).await?;
        }
        let attacks = hostile::ATTACKS.iter().filter(|attack| self.has("hostile") || self.names(attack.title));
        let attacks: Vec<_> = attacks.collect();
        if !attacks.is_empty() {
            let (share, settling) = if self.quick { (100, Duration::ZERO) } else { (1, Duration::from_secs(60)) };
            hostile::measure(&attacks, self.bcproxies(), &upstream, folder, share, settling).await?;
        }
        if self.has("admin") {
            admin::measure(self.bcproxies(), &upstream, folder, self.count(21_000, 420)).await?;
        }
        Ok(())
    }

    /// Everything in which clients wait for a proxy that has all cores. `cores`: how many threads it has by default.
    pub async fn slow(&self, folder: &Path, cores: usize) -> Result<()> {
        let is_asked = |name| self.parts.is_empty() || self.names(name);
        if is_asked(bombs::TITLE) {
            let upstream = Upstream::start().await?;
            for peer in self.bcproxies() {
                bombs::measure(&peer.on_threads(cores), &upstream, folder, self.count(10, 1)).await?;
            }
        }
        if is_asked(guesses::TITLE) {
            let upstream = Upstream::start().await?;
            for peer in self.bcproxies().take(1) {
                guesses::measure(&peer.on_threads(cores), &upstream, folder, self.count(10, 1)).await?;
            }
        }
        let kinds: Vec<_> = slow::KINDS.iter().filter(|kind| is_asked(kind.name)).collect();
        if kinds.is_empty() {
            return Ok(());
        }
        let upstream = Upstream::start().await?;
        for peer in self.bcproxies_and_nginx() {
            slow::measure(&kinds, &peer.on_threads(cores), &upstream, folder, self.quick).await?;
        }
        Ok(())
    }

    /// Whether a part is wanted.
    pub fn has(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|asked| asked == part)
    }

    /// Whether a word that was given is in this title.
    pub fn names(&self, title: &str) -> bool {
        self.parts.iter().any(|asked| title.contains(asked.as_str()))
    }

    /// A smaller number in quick mode.
    pub fn count(&self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// The first two numbers of a series in quick mode.
    pub fn numbers<'a>(&self, all: &'a [usize]) -> &'a [usize] {
        &all[..self.count(all.len(), 2)]
    }

    /// From the last response to the look at the memory that is still in use.
    pub fn settling(&self) -> Duration {
        if self.quick { Duration::ZERO } else { Duration::from_secs(12) }
    }

    /// Those that don't log requests.
    pub fn silent_peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(|peer| !peer.logs)
    }

    /// bcproxy, and the other one beside it.
    pub fn bcproxies(&self) -> impl Iterator<Item = &Peer> {
        self.silent_peers().filter(|peer| peer.is_bcproxy())
    }

    /// Those two and nginx. Rewriting links makes no difference to memory and starts.
    pub fn bcproxies_and_nginx(&self) -> impl Iterator<Item = &Peer> {
        self.silent_peers().filter(|peer| peer.is_bcproxy() || matches!(peer.kind, Kind::Nginx { rewrites: false }))
    }

    /// Writes the picture of the ratios, if it is wanted. Checks in every run that it is well-formed.
    fn draw(&self, compared: &[Compared]) -> Result<()> {
        // With limits and without, it is all bcproxy.
        let compared: Vec<_> = compared.iter().filter(|compared| compared.scene.part != "limits").collect();
        let Some(base) = compared.first().and_then(|compared| compared.base()) else { return Ok(()) };
        let ratios: Vec<_> = compared.iter().map(|compared| (compared.scene.title, compared.ratios())).collect();
        let picture = picture::of(base, &ratios);
        roxmltree::Document::parse(&picture)?;
        match &self.svg {
            Some(file) if !self.quick => Ok(std::fs::write(file, picture)?),
            _ => Ok(()),
        }
    }
}

/// Builds the release binary once more, at the same path, as users build it.
///
/// The one that `cargo bench` builds shares its crates with the tests. Tokio's test clock alone costs it several
/// percent.
fn build_as_users_do() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release", "--locked", "--bin", "bcproxy"]).status()?;
    if built.success() { Ok(()) } else { Err("the release binary can't be built".into()) }
}
