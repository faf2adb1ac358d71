//! Decodes escape sequences of JSON and XML.

/// Why a value has no unit at a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitError {
    EndOfValue,
    /// More bytes are needed.
    Incomplete,
    /// Not allowed in a link: an unknown escape sequence or a control character.
    Invalid,
}

/// Decodes the escape sequence after a backslash. Returns the character and the length of the sequence. The short
/// forms of control characters are invalid in a link.
pub fn json_escape(rest: &[u8]) -> Result<(char, usize), UnitError> {
    match rest {
        [] => Err(UnitError::Incomplete),
        [character @ (b'"' | b'\\' | b'/'), ..] => Ok((char::from(*character), 1)),
        [b'u', digits @ ..] => {
            let high = hexadecimal(digits)?;
            if !(0xd800..0xdc00).contains(&high) {
                return Ok((char::from_u32(high).ok_or(UnitError::Invalid)?, 5));
            }
            let low = match digits.get(4..).unwrap_or_default() {
                [] | [b'\\'] => return Err(UnitError::Incomplete),
                [b'\\', b'u', digits @ ..] => hexadecimal(digits)?,
                _ => return Err(UnitError::Invalid),
            };
            if !(0xdc00..0xe000).contains(&low) {
                return Err(UnitError::Invalid);
            }
            let character = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            Ok((char::from_u32(character).ok_or(UnitError::Invalid)?, 11))
        }
        _ => Err(UnitError::Invalid),
    }
}

/// Parses the first four bytes as hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> Result<u32, UnitError> {
    let mut value = 0;
    for position in 0..4 {
        let digit = bytes.get(position).ok_or(UnitError::Incomplete)?;
        value = value * 16 + char::from(*digit).to_digit(16).ok_or(UnitError::Invalid)?;
    }
    Ok(value)
}

/// Decodes the entity after an ampersand. Returns the character and the length of the entity, including the semicolon.
pub fn xml_entity(rest: &[u8]) -> Result<(char, usize), UnitError> {
    const MAX_NAME_BYTES: usize = 10;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
    let name = match rest.iter().position(|byte| !is_name(byte)) {
        Some(end) if rest.get(end) == Some(&b';') => rest.get(..end).unwrap_or_default(),
        None if rest.len() <= MAX_NAME_BYTES => return Err(UnitError::Incomplete),
        _ => return Err(UnitError::Invalid),
    };
    if name.len() > MAX_NAME_BYTES {
        return Err(UnitError::Invalid);
    }
    let number = |digits, radix| {
        let digits = str::from_utf8(digits).ok()?;
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    };
    let character = match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    };
    Ok((character.ok_or(UnitError::Invalid)?, name.len() + 1))
}
