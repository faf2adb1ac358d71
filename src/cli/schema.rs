//! `bcproxy schema`: the vocabulary of proxy.yaml for editors and readers.

use crate::config;

pub fn print(markdown: bool) {
    if markdown {
        print!("{}", config::reference());
    } else {
        println!("{:#}", config::schema());
    }
}
