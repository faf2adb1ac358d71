//! The document around every page, and what it loads.

use maud::{DOCTYPE, Markup, html};

use super::parts::Mood;
use crate::admin::report::{Report, in_words};

/// Permits a page to load what [`asset`] serves, to fetch itself and to send its forms here. Nothing else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
     img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The content type and the text of a file that pages load; `None` for other paths.
pub fn asset(path: &str) -> Option<(&'static str, &'static str)> {
    const ICON: &str = "image/svg+xml";
    match path {
        "/style.css" => Some(("text/css; charset=utf-8", include_str!("page.css"))),
        "/page.js" => Some(("text/javascript; charset=utf-8", include_str!("page.js"))),
        "/icon/good.svg" => Some((ICON, include_str!("icon/good.svg"))),
        "/icon/poor.svg" => Some((ICON, include_str!("icon/poor.svg"))),
        "/icon/bad.svg" => Some((ICON, include_str!("icon/bad.svg"))),
        _ => None,
    }
}

/// The status page around its sections. `is_signed_in`: whether the browser has a session that can be ended.
pub fn document(mood: Mood, headline: &str, report: &Report, is_signed_in: bool, main: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head(mood, headline))
                script src="/page.js" defer {}
                noscript { meta http-equiv="refresh" content="30"; }
            }
            body {
                a.skip href="#main" { "Skip to the status" }
                header {
                    p.brand { "bcproxy" }
                    nav aria-label="Sections" {
                        ul { @for (id, name) in SECTIONS { li { a href={ "#" (id) } { (name) } } } }
                    }
                    div #live hidden {
                        p #updated {}
                        p #lost role="status" {}
                        button #pause type="button" aria-pressed="false" { "Pause" }
                    }
                    noscript { p { "Reloads every 30 s. Times are UTC." } }
                }
                main #main tabindex="-1" { (main) }
                footer {
                    @if is_signed_in { form method="post" action="/sign-out" { button type="submit" { "Sign out" } } }
                    p {
                        "bcproxy " (report.version) ", up for " (in_words(report.uptime)) ". Also available as "
                        a href="/status.json" { "/status.json" } ", " a href="/metrics" { "/metrics" } ", "
                        a href="/readyz" { "/readyz" } " and " a href="/configuration" { "/configuration" } "."
                    }
                }
            }
        }
    };
    page.into_string()
}

/// The page that tells the outcome of an order, with a link back.
pub fn outcome(succeeded: bool, title: &str, text: &str) -> String {
    let mood = if succeeded { Mood::Good } else { Mood::Bad };
    let main = html! {
        section.state.(mood.class()) aria-labelledby="headline" {
            h1 #headline { span.sign aria-hidden="true" { (mood.sign()) } (title) }
            pre { (text) }
            p { a href="/" { "Back to the status" } }
        }
    };
    short_document(mood, title, &main)
}

/// The page where a browser sends the token to `action`. `mistake`: what was wrong with the one it sent.
pub fn sign_in(action: &str, mistake: Option<&str>, session_hours: u64) -> String {
    let mood = if mistake.is_none() { Mood::Good } else { Mood::Bad };
    let main = html! {
        section.state aria-labelledby="headline" {
            h1 #headline { "Sign in to bcproxy" }
            @if let Some(mistake) = mistake { p.note.bad role="alert" { (mistake) } }
            form method="post" action=(action) {
                p { label for="token" { "Token of the admin listener" } }
                p {
                    input #token name="token" type="password" autocomplete="current-password" required autofocus;
                    button type="submit" { "Sign in" }
                }
            }
            p.aside {
                "The token is stored where " code { "token" } " of " code { "admin" } " in proxy.yaml says. You stay signed in for "
                (session_hours) " hours, or until bcproxy restarts."
            }
        }
    };
    short_document(mood, "Sign in", &main)
}

/// A page without sections and scripts.
fn short_document(mood: Mood, title: &str, main: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { (head(mood, title)) }
            body {
                header { p.brand { "bcproxy" } }
                main #main { (main) }
            }
        }
    };
    page.into_string()
}

fn head(mood: Mood, title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (mood.sign()) " " (title) " – bcproxy" }
        link #icon rel="icon" type="image/svg+xml" href={ "/icon/" (mood.class()) ".svg" };
        link rel="stylesheet" href="/style.css";
    }
}

/// The sections that the navigation leads to: id and name.
const SECTIONS: [(&str, &str); 5] = [
    ("connectors", "Connectors"),
    ("routes", "Routes"),
    ("clients", "Clients"),
    ("problems", "Problems"),
    ("configuration", "Configuration"),
];
