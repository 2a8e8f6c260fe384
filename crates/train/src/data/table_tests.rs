//! Parquet files as the published data set has them, written here, read back, and damaged.

use std::sync::Arc;

use firsthand_base::Part;
use firsthand_golden::media;
use parquet::basic::Compression;
use parquet::data_type::{ByteArrayType, Int32Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;

use super::*;
use crate::data::{Dataset, Format, Row, RowId, SourceConfig};

const SCHEMA: &str = "message schema {
    optional binary image_id (UTF8);
    optional group images { optional binary bytes; optional binary path (UTF8); }
    optional binary problem (UTF8);
    optional binary question_only (UTF8);
    optional group options (LIST) { repeated group list { optional binary element (UTF8); } }
    optional binary answer_option_text (UTF8);
    optional binary answer_option_text_only (UTF8);
    optional int32 rating;
}";

const ROWS: usize = 7;

fn problem(row: usize) -> String {
    format!("<image> Answer. Image size: (64 x 48)\nNow answer the following question:\n\nQ. {row}?")
}

/// Seven rows in groups of three; row 5 has no picture.
fn write(path: &Path) {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let file = fs_err::File::create(path).unwrap().into_parts().0;
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    let picture = fs_err::read(media("small.png")).unwrap();
    for rows in (0..ROWS).collect::<Vec<_>>().chunks(3) {
        let mut group = writer.next_row_group().unwrap();
        let mut texts = |values: Vec<Option<Vec<u8>>>, depth: i16| {
            let levels: Vec<i16> =
                values.iter().map(|value| if value.is_some() { depth } else { 0 }).collect();
            let values: Vec<ByteArray> = values.into_iter().flatten().map(ByteArray::from).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            column.close().unwrap();
        };
        let each = |make: &dyn Fn(usize) -> Option<String>| -> Vec<Option<Vec<u8>>> {
            rows.iter().map(|&row| make(row).map(String::into_bytes)).collect()
        };
        texts(each(&|row| Some(format!("image{row}"))), 1);
        texts(rows.iter().map(|&row| (row != 5).then(|| picture.clone())).collect(), 2);
        texts(each(&|_| None), 2);
        texts(each(&|row| Some(problem(row))), 1);
        texts(each(&|row| Some(format!("{row}?"))), 1);
        // Two options a row.
        let mut column = group.next_column().unwrap().unwrap();
        let options: Vec<ByteArray> = rows
            .iter()
            .flat_map(|row| ["left".to_owned(), format!("right {row}")])
            .map(|s| s.as_str().into())
            .collect();
        let (defined, repeated) = (vec![3; options.len()], [0, 1].repeat(rows.len()));
        column.typed::<ByteArrayType>().write_batch(&options, Some(&defined), Some(&repeated)).unwrap();
        column.close().unwrap();
        let mut texts = |make: &dyn Fn(usize) -> String| {
            let values: Vec<ByteArray> = rows.iter().map(|&row| make(row).as_str().into()).collect();
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<ByteArrayType>().write_batch(&values, Some(&vec![1; values.len()]), None).unwrap();
            column.close().unwrap();
        };
        texts(&|row| format!("<scene>{{}}</scene>\n<answer>(B) right {row}</answer>"));
        texts(&|row| format!("(B) right {row}"));
        let mut column = group.next_column().unwrap().unwrap();
        let ratings: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        column.typed::<Int32Type>().write_batch(&ratings, Some(&vec![1; rows.len()]), None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn words(row: &Row) -> Vec<&str> {
    fn text(part: &Part) -> Option<&str> {
        match part {
            Part::Text(text) => Some(text),
            _ => None,
        }
    }
    row.conversation.parts().filter_map(text).collect()
}

#[test]
fn rows_are_chosen_by_a_column_that_their_reader_does_not_know() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train-0.parquet");
    write(&path);
    let mut config = SourceConfig::new("stvqa", Format::Stvqa, path);
    config.only = [("rating".into(), vec![2.into(), 4.into()])].into();
    let dataset = Dataset::open(&[config]).unwrap();
    let lines = |index| dataset.row(RowId { source: 0, index }).unwrap().at.line;
    assert_eq!((0..dataset.len()).map(lines).collect::<Vec<_>>(), [3, 5]);
}

#[test]
fn rows_of_a_folder_are_read_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("train-00000-of-00002.parquet"));
    write(&folder.path().join("train-00001-of-00002.parquet"));
    fs_err::write(folder.path().join("val-00000-of-00001.parquet"), "not for training").unwrap();
    let mut config = SourceConfig::new("stvqa", Format::Stvqa, folder.path());
    let dataset = Dataset::open(std::slice::from_ref(&config)).unwrap();
    assert_eq!(dataset.len(), 12);
    let bad: Vec<_> = dataset.skipped().iter().map(|bad| (bad.at.line, bad.reason.as_str())).collect();
    assert_eq!(
        bad,
        [(6, "images: expected one picture: a location, or an object with bytes or path, found a list of 0");
            2]
    );
    for index in [11, 0, 4, 6, 5, 3] {
        let row = dataset.row(RowId { source: 0, index }).unwrap();
        let number = [0, 1, 2, 3, 4, 6][index % 6];
        let asked = format!(" {}", problem(number).strip_prefix("<image> ").unwrap());
        let said = format!("<scene>{{}}</scene>\n<answer>(B) right {number}</answer>");
        assert_eq!(words(&row), [&asked, &said]);
        assert_eq!((row.at.line, row.id.unwrap()), (number + 1, format!("image{number}")));
        assert_eq!(row.options, ["left".to_owned(), format!("right {number}")]);
        let name = format!("train-0000{}-of-00002.parquet", index / 6);
        assert_eq!(row.file.file_name().unwrap().to_str(), Some(name.as_str()));
        // The picture arrives with the bytes it had.
        let Some(Part::Image(image)) = row.conversation.parts().next() else { panic!("no picture") };
        let opener = firsthand_media::Opener::default();
        let rule = firsthand_media::SizeRule::qwen_vl_utils(28);
        let hash = |location: String| {
            let part = firsthand_base::ImagePart { location, limits: Default::default() };
            opener.image(&part, &rule).unwrap().frames[0].hash
        };
        assert_eq!(hash(image.location.clone()), hash(media("small.png").to_string_lossy().into_owned()));
    }
    // Another style states the size that the stored prompt does; without reasoning only the answer is said.
    (config.style, config.reasoning) = (Some(firsthand_tasks::Style::SpatialThinker), false);
    let row = Dataset::open(&[config]).unwrap().row(RowId { source: 0, index: 1 }).unwrap();
    assert!(
        words(&row)[0].contains("Image size: 64 x 48\n\n")
            && words(&row)[0].ends_with("1?\nOptions:\n(A) left\n(B) right 1")
    );
    assert_eq!(words(&row)[1], "<answer>(B) right 1</answer>");
}

#[test]
fn json_lines_with_the_same_columns_are_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (table, lines) = (folder.path().join("rows.parquet"), folder.path().join("rows.jsonl"));
    write(&table);
    let opened = Table::open(&table, &crate::data::stvqa::COLUMNS).unwrap();
    let values: Vec<String> = (0..ROWS).map(|row| opened.row(row).unwrap().to_string()).collect();
    fs_err::write(&lines, values.join("\n")).unwrap();
    let rows = |path: &Path| {
        let dataset = Dataset::open(&[SourceConfig::new("stvqa", Format::Stvqa, path)]).unwrap();
        (0..dataset.len())
            .map(|index| dataset.row(RowId { source: 0, index }).unwrap().conversation)
            .collect::<Vec<_>>()
    };
    assert_eq!(rows(&table), rows(&lines));
    assert!(opened.row(ROWS).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Bytes that are changed or cut give rows or an error that names the file, and nothing else.
    #[test]
    fn damage_is_an_error(at in 0.0f64..1.0, value: u8, cut: bool, near_end: bool) {
        thread_local!(static GOOD: Vec<u8> = {
            let file = tempfile::NamedTempFile::new().unwrap();
            write(file.path());
            fs_err::read(file.path()).unwrap()
        });
        let mut bytes = GOOD.with(Clone::clone);
        let length = bytes.len();
        let place = if near_end { length - 1 - (at * 1800.0) as usize } else { (at * length as f64) as usize };
        if cut { bytes.truncate(place) } else { bytes[place] = value }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.parquet");
        fs_err::write(&path, bytes).unwrap();
        match Dataset::open(&[SourceConfig::new("stvqa", Format::Stvqa, &path)]) {
            Ok(dataset) => {
                for index in 0..dataset.len() {
                    let _ = dataset.row(RowId { source: 0, index });
                }
            }
            Err(error) => prop_assert!(error.to_string().contains("rows.parquet"), "{}", error),
        }
    }
}

#[test]
fn every_row_of_every_group_is_read_in_order() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("rows.parquet");
    write(&path);
    let rows: Vec<_> =
        table_rows(&path, &["image_id", "options"]).unwrap().collect::<std::result::Result<_, _>>().unwrap();
    assert_eq!(rows.len(), ROWS);
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row["image_id"], format!("image{index}"));
        assert_eq!((row["options"].as_array().unwrap().len(), row.get("problem")), (2, None));
    }
    assert!(table_rows(&home.path().join("none.parquet"), &[]).is_err());
}
