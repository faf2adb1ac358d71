//! Small valid files that contain a text: a picture and a document. A proxy must not rewrite their bytes.

use bytes::Bytes;
use flate2::{Crc, write::ZlibEncoder};
use std::io::Write;

/// A PNG of one black pixel, with this uncompressed text in its metadata.
pub fn png(text: &str) -> Bytes {
    let mut pixel = ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory can't fail. The row is a filter byte and a gray pixel.
    let pixel = pixel.write_all(&[0, 0]).and_then(|()| pixel.finish()).unwrap_or_default();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let size_and_kind = [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0];
    let text = [b"Comment\0", text.as_bytes()].concat();
    for (name, content) in
        [(b"IHDR", &size_and_kind[..]), (b"tEXt", &text[..]), (b"IDAT", &pixel[..]), (b"IEND", &[][..])]
    {
        let mut crc = Crc::new();
        crc.update(name);
        crc.update(content);
        // These chunks are far below 4 GiB.
        png.extend((content.len() as u32).to_be_bytes());
        png.extend(name);
        png.extend(content);
        png.extend(crc.sum().to_be_bytes());
    }
    png.into()
}

/// A PDF of one page with this text.
pub fn pdf(text: &str) -> Bytes {
    let text = text.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
    let page = format!("BT /F1 12 Tf 40 780 Td ({text}) Tj ET");
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 4 0 R>>>>/Contents 5 0 R>>".to_owned(),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
        format!("<</Length {}>>\nstream\n{page}\nendstream", page.len()),
    ];
    let (mut pdf, mut offsets) = ("%PDF-1.4\n".to_owned(), String::new());
    for (number, object) in (1..).zip(&objects) {
        offsets += &format!("{:010} 00000 n \n", pdf.len());
        pdf += &format!("{number} 0 obj\n{object}\nendobj\n");
    }
    let (count, start) = (objects.len() + 1, pdf.len());
    pdf += &format!(
        "xref\n0 {count}\n0000000000 65535 f \n{offsets}trailer\n<</Size {count}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n"
    );
    pdf.into()
}
