//! Who holds how much of a budget, and who gives up something when it is spent.

use std::net::IpAddr;
use std::sync::Arc;

use foldhash::HashMap;

use super::fair_budget::{Exhausted, Holder};

/// Who holds how much.
#[derive(Debug, Default)]
pub struct Ledger {
    pub(super) limit: u64,
    pub(super) used: u64,
    /// How often a holder could get nothing or others had to give something up.
    pub(super) rejections: u64,
    /// The part of `used` whose holders were evicted and are about to release it.
    pub(super) leaving: u64,
    pub(super) clients: HashMap<IpAddr, Client>,
}

/// What one client holds. Only clients that hold something are known.
#[derive(Debug, Default)]
pub(super) struct Client {
    bytes: u64,
    /// By [`Holder::id`].
    holders: HashMap<usize, Entry>,
}

#[derive(Debug)]
struct Entry {
    bytes: u64,
    is_leaving: bool,
    holder: Arc<Holder>,
}

impl Ledger {
    /// Nobody holds anything yet.
    pub fn new(limit: u64) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Evicts others for more bytes of this holder. Returns how many.
    pub fn evict_for(&mut self, holder: &Holder, bytes: u64) -> Result<usize, Exhausted> {
        let mut evicted = 0;
        while (self.used - self.leaving).saturating_add(bytes) > self.limit {
            let own = self.clients.get(&holder.client);
            let own_bytes = own.map_or(0, |client| client.bytes).saturating_add(bytes);
            let held = own.and_then(|client| client.holders.get(&holder.id())).map_or(0, |entry| entry.bytes);
            let Some(entry) = self.largest(holder.client, own_bytes, held.saturating_add(bytes)) else {
                let is_below_its_share = own_bytes <= self.limit / (self.clients.len() as u64).max(1);
                return if is_below_its_share { Ok(evicted) } else { Err(Exhausted) };
            };
            entry.is_leaving = true;
            entry.holder.evict();
            self.leaving += entry.bytes;
            evicted += 1;
        }
        Ok(evicted)
    }

    /// The largest holder that can give up: of the clients with more than `own`, the one with the most. Of the own
    /// client only a holder of more than `held` bytes.
    fn largest(&mut self, client: IpAddr, own: u64, held: u64) -> Option<&mut Entry> {
        let heavier = self.clients.iter_mut().filter(|(ip, other)| **ip == client || other.bytes > own);
        let largest = heavier.filter_map(|(ip, other)| {
            let bytes = if *ip == client { own } else { other.bytes };
            let can_give_up = other.holders.values_mut().filter(|entry| {
                !entry.is_leaving && entry.holder.can_give_up() && (*ip != client || entry.bytes > held)
            });
            Some((bytes, can_give_up.max_by_key(|entry| entry.bytes)?))
        });
        largest.max_by_key(|(bytes, _)| *bytes).map(|(_, entry)| entry)
    }

    /// Notes that a holder has more bytes.
    pub fn add(&mut self, holder: &Arc<Holder>, bytes: u64) {
        self.used += bytes;
        let client = self.clients.entry(holder.client).or_default();
        client.bytes += bytes;
        let entry = client.holders.entry(holder.id());
        let entry = entry.or_insert_with(|| Entry { bytes: 0, is_leaving: false, holder: holder.clone() });
        entry.bytes += bytes;
        if entry.is_leaving {
            self.leaving += bytes;
        }
    }

    /// Notes that a holder has fewer bytes.
    pub fn release(&mut self, holder: &Holder, bytes: u64) {
        let Some(client) = self.clients.get_mut(&holder.client) else { return };
        let Some(entry) = client.holders.get_mut(&holder.id()) else { return };
        self.used -= bytes;
        client.bytes -= bytes;
        entry.bytes -= bytes;
        if entry.is_leaving {
            self.leaving -= bytes;
        }
        if entry.bytes == 0 {
            client.holders.remove(&holder.id());
        }
        if client.holders.is_empty() {
            self.clients.remove(&holder.client);
        }
    }

    /// A holder that has given up nothing, or has given up before.
    pub fn stays(&mut self, holder: &Holder) {
        holder.is_not_evicted();
        let client = self.clients.get_mut(&holder.client);
        if let Some(entry) = client.and_then(|client| client.holders.get_mut(&holder.id()))
            && std::mem::take(&mut entry.is_leaving)
        {
            self.leaving -= entry.bytes;
        }
    }
}
