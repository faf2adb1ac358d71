//! The status page in Chromium.
//!
//! Scripts in JavaScript drive the browser. What has to happen meanwhile they ask for on their standard output, a word
//! a line. Screenshots are in `target/screenshots`.
//!
//! | file | what is tested |
//! |---|---|
//! | `live` | live updates, accessibility, the same facts without a script |
//! | `sign_in` | signing in off loopback, orders by click, pages of others |
//! | `why` | why the till is slow: the first lines of the page |
//! | `browser` | runs the scripts; `browser.js` is what they share |

mod browser;
mod live;
mod sign_in;
mod why;
