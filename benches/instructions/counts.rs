//! What Callgrind counted, read from a dump.

use std::fmt;

use serde::Deserialize;

use crate::Result;

/// What one dump counts.
pub struct Counts {
    instructions: u64,
    allocations: u64,
}

/// What one request costs.
#[derive(Clone, Copy, Deserialize)]
pub struct Cost {
    /// User instructions of all threads.
    pub instructions: f64,
    /// Calls of the allocator that return memory, `realloc` among them.
    pub allocations: f64,
}

impl Counts {
    /// Reads a dump whose names are not compressed.
    ///
    /// A call is two lines, `cfn=CALLEE` and `calls=COUNT POSITION`, below the `fn=CALLER` that makes it.
    pub fn read(dump: &str) -> Result<Self> {
        let (mut caller, mut callee) = ("", "");
        let (mut instructions, mut allocations) = (None, 0);
        for line in dump.lines() {
            match line.split_once('=') {
                Some(("fn", name)) => caller = name,
                Some(("cfn", name)) => callee = name,
                Some(("calls", count)) if is_allocation(caller, callee) => {
                    allocations += count.split(' ').next().unwrap_or_default().parse::<u64>()?;
                }
                _ => {
                    if let Some(total) = line.strip_prefix("totals: ") {
                        instructions = Some(total.trim().parse()?);
                    }
                }
            }
        }
        let instructions = instructions.ok_or("Callgrind's dump has no totals")?;
        if allocations == 0 {
            return Err("Callgrind's dump has no calls of mimalloc: is the binary stripped?".into());
        }
        Ok(Self { instructions, allocations })
    }

    pub fn per_request(&self, requests: usize) -> Cost {
        let share = |count: u64| count as f64 / requests as f64;
        Cost { instructions: share(self.instructions), allocations: share(self.allocations) }
    }
}

impl Cost {
    /// The lower of both instructions, and of both allocations.
    pub fn min(self, other: Self) -> Self {
        let instructions = self.instructions.min(other.instructions);
        Self { instructions, allocations: self.allocations.min(other.allocations) }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} instructions, {:.1} allocations", self.instructions, self.allocations)
    }
}

/// Whether a call enters the allocator for memory: mimalloc's functions also call each other.
fn is_allocation(caller: &str, callee: &str) -> bool {
    let is_of_allocator = |name: &str| name.starts_with("mi_") || name.starts_with("_mi_");
    is_of_allocator(callee) && callee.contains("alloc") && !is_of_allocator(caller)
}
