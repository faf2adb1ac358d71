//! Words in a fuzzer's input, which it would hardly ever write of its own accord.

/// The input with each byte from 0x80 on replaced by the word it stands for. A byte without a word stays.
pub fn spelled_out(input: &[u8], words: &[&str]) -> Vec<u8> {
    let word = |byte: &u8| words.get(usize::from(byte.checked_sub(0x80)?)).copied();
    let spelled = input.iter().map(|byte| word(byte).map_or(std::slice::from_ref(byte), str::as_bytes));
    spelled.collect::<Vec<_>>().concat()
}
