//! `bcproxy user`: what it writes into the file of users, and what it says.

#[cfg(unix)]
#[path = "common/terminal.rs"]
mod terminal;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A line of `htpasswd -B`; the password is `password`.
const BCRYPT: &str = "$2y$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";

const CONFIGURATION: &str = "\
connectors:
  cronus:
    tenant_id: contoso.onmicrosoft.com
    client_id: 3f2504e0-4f89-41d3-9a0c-0305e82c3301
    client_secret: { file: nonsuch.txt }
    company: CRONUS International Ltd.
";

const KEY: &str = "0123456789abcdef";

#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    output: String,
    errors: String,
}

/// Runs `bcproxy user` with these arguments and this standard input.
fn run(folder: &Path, arguments: &[&str], input: impl AsRef<[u8]>) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bcproxy"));
    if cfg!(windows) {
        // Otherwise it uses the file of the whole machine.
        command.args(["--config", "proxy.yaml"]);
    }
    command.arg("user").args(arguments).current_dir(folder);
    run_command(command, folder, input.as_ref())
}

/// Runs a command. No hash that is in `users.txt` before or after is printed.
fn run_command(mut command: Command, folder: &Path, input: &[u8]) -> Ended {
    let before = text(folder);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    // It may end before it has read everything, or anything.
    let _ = child.stdin.take().unwrap().write_all(input);
    let ended = child.wait_with_output().unwrap();
    let [output, errors] = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    for hash in (before + &text(folder)).lines().filter_map(|line| line.split_once(":$")) {
        assert!(!output.contains(hash.1) && !errors.contains(hash.1), "{output}{errors}");
    }
    Ended { code: ended.status.code(), output, errors }
}

/// The same with `users.txt` as the file.
fn user(folder: &Path, arguments: &[&str], input: impl AsRef<[u8]>) -> Ended {
    run(folder, &[arguments, &["--file", "users.txt"]].concat(), input)
}

/// Runs a command that succeeds. Returns its output.
fn done(folder: &Path, arguments: &[&str], input: impl AsRef<[u8]>) -> String {
    let ended = user(folder, arguments, input);
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    ended.output
}

/// Runs a command that fails with this code and changes nothing. Returns its message.
fn failed(folder: &Path, arguments: &[&str], input: impl AsRef<[u8]>, code: i32) -> String {
    let before = text(folder);
    let ended = user(folder, arguments, input);
    assert_eq!((ended.code, ended.output.as_str()), (Some(code), ""), "{}", ended.errors);
    assert!(!ended.errors.contains("panicked"), "{}", ended.errors);
    assert_eq!(text(folder), before);
    ended.errors
}

fn text(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("users.txt")).unwrap_or_default()
}

fn write(folder: &Path, text: &str) {
    std::fs::write(folder.join("users.txt"), text).unwrap();
}

fn contains_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_password_is_added_checked_replaced_and_removed() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let said = done(folder, &["add", "till-1", "--stdin"], "first\n");
    contains_all(&said, &["Added user till-1, password (Argon2id)", "Wrote users.txt (only you", "reloads the file"]);
    assert!(text(folder).starts_with("till-1:$argon2id$") && text(folder).lines().count() == 1);
    contains_all(&done(folder, &["check", "TILL-1", "--stdin"], "first"), &["The password of user till-1 is right."]);
    let said = failed(folder, &["check", "till-1", "--stdin"], "second", 1);
    contains_all(&said, &["The password of user till-1 is wrong."]);

    let said = done(folder, &["add", "Till-1", "--stdin"], "second\n");
    contains_all(&said, &["Replaced user Till-1, password (Argon2id)", "reloads the file"]);
    assert_eq!(text(folder).lines().count(), 1);
    done(folder, &["check", "till-1", "--stdin"], "second");
    failed(folder, &["check", "till-1", "--stdin"], "first", 1);

    contains_all(&done(folder, &["remove", "till-1"], ""), &["Removed user till-1", "reloads the file"]);
    assert_eq!(text(folder), "");
    for command in ["remove", "check"] {
        contains_all(&failed(folder, &[command, "till-1"], "", 1), &["users.txt has no user till-1", "user list"]);
    }
}

#[test]
fn only_the_end_of_the_line_is_not_part_of_a_password() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    for (sent, password) in [
        (" pass:wörd \r\nmore\n", " pass:wörd "),
        ("\u{feff}x\r\n", "x"),
        ("x\r", "x\r"),
        (&format!("{}\r\n", "x".repeat(1024)), &"x".repeat(1024)),
    ] {
        done(folder, &["add", "a", "--stdin"], sent);
        done(folder, &["check", "a", "--stdin"], password);
    }
}

#[test]
fn a_password_that_can_not_be_used_is_rejected_with_the_reason() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, "# none\n");
    for (sent, reason) in [
        (&b""[..], "The password is empty"),
        (b"\nsecond line", "The password is empty"),
        (b"\r\n", "The password is empty"),
        ("ü".repeat(513).as_bytes(), "longer than 1024 bytes"),
        ("ü".repeat(10_000).as_bytes(), "longer than 1024 bytes"),
        (b"\xfc", "not UTF-8"),
        (b"a\0b", "not UTF-8"),
    ] {
        contains_all(&failed(folder, &["add", "a", "--stdin"], sent, 2), &[reason]);
    }
    for name in ["", "a:b", "#a", " a", "a\n"] {
        contains_all(&failed(folder, &["add", name, "--stdin"], "x", 2), &["the name needs 1 to 128 characters"]);
    }
    failed(folder, &["add", "a", "--stdin", "--ntlm", "--api-key"], KEY, 2);
}

#[test]
fn without_a_terminal_the_message_names_stdin() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, &format!("a:{BCRYPT}\n"));
    for arguments in [&["add", "a"], &["check", "a"]] {
        contains_all(&failed(folder, arguments, "password", 2), &["the password", "not a terminal", "--stdin"]);
    }
}

#[test]
fn a_new_api_key_is_printed_once_and_alone() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let ended = user(folder, &["add", "scanner", "--api-key"], "");
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    contains_all(&ended.errors, &["Added user scanner, API key", "reloads the file", "only time"]);
    let key = ended.output.trim_end();
    assert!(key.len() == 43 && !ended.errors.contains(key) && !text(folder).contains(key), "{ended:?}");
    let said = done(folder, &["check", "scanner", "--stdin"], key);
    contains_all(&said, &["The API key of user scanner is right."]);
    contains_all(&failed(folder, &["check", "scanner", "--stdin"], KEY, 1), &["The API key of user scanner is wrong."]);
}

#[test]
fn the_api_key_that_clients_already_send_is_kept() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let said = done(folder, &["add", "scanner", "--api-key", "--stdin"], format!("{KEY}\n"));
    contains_all(&said, &["Added user scanner, API key"]);
    assert!(!said.contains(KEY) && text(folder).starts_with("scanner:$sha256$"));
    done(folder, &["check", "scanner", "--stdin"], KEY);
    // The same key names one user only, however often that user gets it.
    contains_all(&done(folder, &["add", "Scanner", "--api-key", "--stdin"], KEY), &["Replaced user Scanner"]);
    let said = failed(folder, &["add", "printer", "--api-key", "--stdin"], KEY, 2);
    contains_all(&said, &["User Scanner in users.txt has the same API key"]);
    for (key, reason) in [
        ("0123456789abcde", "shorter than 16 characters"),
        ("0123456789abcdef ", "not one that a header can carry"),
        ("0123456789äbcdef", "not one that a header can carry"),
        ("0123456789\tabcdef", "not one that a header can carry"),
    ] {
        let said = failed(folder, &["add", "printer", "--api-key", "--stdin"], key, 2);
        contains_all(&said, &[reason]);
        assert!(!said.contains(key), "{said}");
    }
}

#[test]
fn a_user_of_ntlm_comes_with_a_warning() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let ended = user(folder, &["add", "anna", "--ntlm", "--stdin"], "password");
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    contains_all(&ended.errors, &["warning: ", "as good as the password", "0600", "used nowhere else"]);
    contains_all(&ended.output, &["Added user anna, NTLM and password (NT hash)"]);
    assert_eq!(text(folder), "anna:$3$$8846f7eaee8fb117ad06bdd830b7586c\n");
    done(folder, &["check", "anna", "--stdin"], "password");
    failed(folder, &["check", "anna", "--stdin"], "Password", 1);
    // Only NTLM needs the warning.
    assert_eq!(user(folder, &["add", "bert", "--stdin"], "password").errors, "");
}

#[test]
fn a_line_of_htpasswd_is_checked() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), &format!("anna:{BCRYPT}\n"));
    done(folder.path(), &["check", "anna", "--stdin"], "password");
    failed(folder.path(), &["check", "anna", "--stdin"], "wrong", 1);
}

#[test]
fn the_list_has_names_and_kinds() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, "# none yet\n");
    assert_eq!(done(folder, &["list"], ""), "users.txt has no users.\n");
    assert_eq!(done(folder, &["list", "--output", "json"], ""), "[]\n");
    write(folder, &format!("Jörg Müller:{BCRYPT}\nanna:$3$$8846f7eaee8fb117ad06bdd830b7586c\n"));
    let expected = "Jörg Müller  password (bcrypt)\nanna         NTLM and password (NT hash)\n";
    assert_eq!(done(folder, &["list"], ""), expected);
    let said: Value = serde_json::from_str(&done(folder, &["list", "--output", "json"], "")).unwrap();
    let expected = json!([
        { "name": "Jörg Müller", "kind": "password (bcrypt)" },
        { "name": "anna", "kind": "NTLM and password (NT hash)" },
    ]);
    assert_eq!(said, expected);
}

#[test]
fn everything_else_in_the_file_is_kept() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, &format!("# tills\n\nanna:{BCRYPT}\n# offices\nbert:{BCRYPT}\n"));
    done(folder, &["add", "carl", "--stdin", "--ntlm"], "password");
    done(folder, &["remove", "anna"], "");
    let expected = format!("# tills\n\n# offices\nbert:{BCRYPT}\ncarl:$3$$8846f7eaee8fb117ad06bdd830b7586c\n");
    assert_eq!(text(folder), expected);
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["users.txt"]);
}

#[test]
fn a_file_that_is_missing_damaged_or_full_is_reported_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    for arguments in [&["remove", "a"][..], &["list"], &["check", "a", "--stdin"]] {
        let said = failed(folder, arguments, "x", 2);
        contains_all(&said, &["users.txt can't be read: it does not exist", "bcproxy user add", "--file"]);
    }
    assert!(!folder.join("users.txt").exists());

    write(folder, "# ok\nanna:hunter2\n");
    for arguments in [&["remove", "a"][..], &["list"], &["check", "a", "--stdin"], &["add", "a"]] {
        let said = failed(folder, arguments, "x", 2);
        contains_all(&said, &["users.txt has a mistake in line 2", "Correct or remove this line"]);
        assert!(!said.contains("hunter2"), "{said}");
    }

    write(folder, &format!("#{}\n", "x".repeat(1024 * 1024 - 20)));
    contains_all(&failed(folder, &["add", "a", "--stdin"], "x", 1), &["larger than 1 MiB", "unchanged"]);

    let said = run(folder, &["add", "a", "--stdin", "--file", "nonsuch/users.txt"], "x");
    assert_eq!(said.code, Some(1));
    contains_all(&said.errors, &["Writing nonsuch/users.txt failed"]);
}

#[test]
fn the_file_is_the_one_of_the_configuration() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let said = run(folder, &["list"], "");
    assert_eq!(said.code, Some(2));
    contains_all(&said.errors, &["proxy.yaml", "it does not exist"]);
    // No secret of the configuration is read.
    std::fs::create_dir(folder.join("etc")).unwrap();
    std::fs::write(folder.join("etc/proxy.yaml"), CONFIGURATION).unwrap();
    let arguments = ["add", "a", "--stdin", "--config", "etc/proxy.yaml"];
    let said = run(folder, &arguments, "x");
    assert_eq!(said.code, Some(2));
    contains_all(&said.errors, &["etc/proxy.yaml names no file of users", "`users: users.txt`", "--file"]);

    // A relative path starts at the configuration's folder.
    std::fs::write(folder.join("etc/proxy.yaml"), format!("users: users.txt\n{CONFIGURATION}")).unwrap();
    let ended = run(folder, &arguments, "x");
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(folder.join("etc/users.txt").exists());
    assert_eq!(run(folder, &["list", "--config", "etc/proxy.yaml"], "").output, "a  password (Argon2id)\n");
}

#[cfg(unix)]
mod access {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
    use std::os::unix::process::CommandExt;

    use super::*;

    fn mode(file: &Path) -> u32 {
        file.metadata().unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_file_is_private_whatever_the_umask() {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "umask 0 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_bcproxy")]);
        command.args(["user", "add", "a", "--api-key", "--file", "users.txt"]).current_dir(folder.path());
        let ended = run_command(command, folder.path(), b"");
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        contains_all(&ended.errors, &["Wrote users.txt (only you can read it"]);
        assert_eq!(mode(&folder.path().join("users.txt")), 0o600);
    }

    #[test]
    fn an_existing_file_keeps_its_mode_owner_and_link() {
        let folder = TempDir::new().unwrap();
        let folder = folder.path();
        std::fs::create_dir(folder.join("etc")).unwrap();
        let (file, link) = (folder.join("etc/real.txt"), folder.join("users.txt"));
        std::fs::write(&file, format!("anna:{BCRYPT}\n")).unwrap();
        symlink("etc/real.txt", &link).unwrap();
        // Only root can give a file away.
        let _ = chown(&file, Some(4711), Some(4712));
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let before = file.metadata().unwrap();
        // Keeps the inode's number from being used again.
        std::fs::hard_link(&file, folder.join("before")).unwrap();
        for arguments in [&["add", "bert", "--stdin"][..], &["remove", "anna"]] {
            let said = done(folder, arguments, "x");
            assert!(!said.contains("only you"), "{said}");
            let after = file.metadata().unwrap();
            assert_eq!(
                (mode(&file), after.uid(), after.gid(), link.is_symlink()),
                (0o640, before.uid(), before.gid(), true)
            );
            assert_ne!(after.ino(), before.ino(), "the file is replaced, not written into");
        }
        assert!(text(folder).starts_with("bert:"));
    }

    #[test]
    fn an_owner_that_can_not_be_kept_stops_the_change() {
        let folder = TempDir::new().unwrap();
        // Only root can run it as another user.
        if folder.path().metadata().unwrap().uid() != 0 {
            return;
        }
        let folder = folder.path();
        std::fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
        write(folder, &format!("anna:{BCRYPT}\n"));
        std::fs::set_permissions(folder.join("users.txt"), Permissions::from_mode(0o644)).unwrap();
        // Where everybody can reach it.
        let copy = folder.join("bcproxy");
        std::fs::copy(env!("CARGO_BIN_EXE_bcproxy"), &copy).unwrap();
        let mut command = Command::new(copy);
        command.args(["user", "remove", "anna", "--file", "users.txt"]).current_dir(folder).uid(4711).gid(4712);
        let ended = run_command(command, folder, b"");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        contains_all(&ended.errors, &["it can't keep its owner 0 and group 0", "as root", "The file is unchanged"]);
        assert_eq!(text(folder), format!("anna:{BCRYPT}\n"));
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn a_password_is_typed_twice_and_never_shown() {
        let folder = TempDir::new().unwrap();
        let mut shown = String::new();
        let mut terminal = terminal::start(&["user", "add", "anna", "--file", "users.txt"], folder.path());
        for (question, line) in [
            ("Enter the password: ", "s3cret"),
            ("Enter the password again: ", "another"),
            ("The two differ", ""),
            ("Enter the password: ", "s3cret"),
            ("Enter the password again: ", "s3cret"),
        ] {
            shown += &terminal.exp_string(question).unwrap_or_else(|error| panic!("{question}: {error}"));
            if !line.is_empty() {
                terminal::type_unseen(&mut terminal, line);
            }
        }
        shown += &terminal.exp_string("Added user anna").unwrap();
        shown += &terminal.exp_eof().unwrap();
        let mut terminal = terminal::start(&["user", "check", "anna", "--file", "users.txt"], folder.path());
        shown += &terminal.exp_string("Enter the password: ").unwrap();
        terminal::type_unseen(&mut terminal, "s3cret");
        shown += &terminal.exp_string("The password of user anna is right.").unwrap();
        shown += &terminal.exp_eof().unwrap();
        assert!(!shown.contains("s3cret") && !shown.contains("another") && !shown.contains("$argon2"), "{shown}");
    }
}
