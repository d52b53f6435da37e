//! Fields of a protobuf message, as slices of the input. Groups, which ONNX does not use, are refused.

/// A field's number and its value.
pub(super) type Field<'a> = (u32, Value<'a>);

/// A value as it is encoded; the field's number decides what it means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64,
    /// A message, a text, bytes, or numbers in a row.
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

impl<'a> Value<'a> {
    pub(super) fn bytes(self) -> Result<&'a [u8], String> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(unexpected()),
        }
    }

    pub(super) fn text(self) -> Result<&'a str, String> {
        str::from_utf8(self.bytes()?).map_err(|error| error.to_string())
    }

    pub(super) fn integer(self) -> Result<i64, String> {
        match self {
            Self::Varint(value) => Ok(value.cast_signed()),
            _ => Err(unexpected()),
        }
    }

    /// Appends one of repeated integers, or several in a row.
    pub(super) fn append_integers(self, integers: &mut Vec<i64>) -> Result<(), String> {
        let Self::Bytes(mut bytes) = self else {
            integers.push(self.integer()?);
            return Ok(());
        };
        while !bytes.is_empty() {
            integers.push(varint(&mut bytes)?.cast_signed());
        }
        Ok(())
    }

    /// Appends one of repeated 32-bit floats, or several in a row.
    pub(super) fn append_floats(self, floats: &mut Vec<f32>) -> Result<(), String> {
        let values = match &self {
            Self::Fixed32(value) => std::slice::from_ref(value),
            Self::Bytes(bytes) => match bytes.as_chunks::<4>() {
                (values, []) => values,
                _ => return Err(ends_early()),
            },
            _ => return Err(unexpected()),
        };
        floats.extend(values.iter().map(|value| f32::from_le_bytes(*value)));
        Ok(())
    }
}

/// The fields of a message, in its order.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn next_field(&mut self) -> Result<Field<'a>, String> {
        let key = u32::try_from(varint(&mut self.0)?).map_err(|_| "a field's number is too large")?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.0)?),
            1 => {
                take(&mut self.0, 8)?;
                Value::Fixed64
            }
            2 => {
                let n_bytes = varint(&mut self.0)?;
                Value::Bytes(take(&mut self.0, n_bytes)?)
            }
            5 => Value::Fixed32(take(&mut self.0, 4)?.try_into().map_err(|_| ends_early())?),
            other => return Err(format!("wire type {other} is not known")),
        };
        match key >> 3 {
            0 => Err("a field has no number".into()),
            number => Ok((number, value)),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.next_field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Takes an integer of up to ten bytes, seven bits in each, the lowest first.
fn varint(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(ends_early)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            break;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("an integer has more than 64 bits".into())
}

fn take<'a>(bytes: &mut &'a [u8], n_bytes: u64) -> Result<&'a [u8], String> {
    let n_bytes = usize::try_from(n_bytes).map_err(|_| ends_early())?;
    let (taken, rest) = bytes.split_at_checked(n_bytes).ok_or_else(ends_early)?;
    *bytes = rest;
    Ok(taken)
}

fn ends_early() -> String {
    "it ends within a field".into()
}

fn unexpected() -> String {
    "a field is of another type".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(message: &[u8]) -> Result<Field<'_>, String> {
        let mut fields = Fields(message);
        let field = fields.next().unwrap();
        assert_eq!(fields.next(), None);
        field
    }

    #[test]
    fn each_type_is_read() {
        assert_eq!(only(&[0x08, 0x96, 0x01]), Ok((1, Value::Varint(150))));
        assert_eq!(only(&[0x11, 1, 2, 3, 4, 5, 6, 7, 8]), Ok((2, Value::Fixed64)));
        assert_eq!(only(&[0x1a, 2, b'h', b'i']), Ok((3, Value::Bytes(b"hi"))));
        assert_eq!(only(&[0x25, 0, 0, 0x80, 0x3f]), Ok((4, Value::Fixed32([0, 0, 0x80, 0x3f]))));
        assert_eq!(Value::Bytes(b"hi").text(), Ok("hi"));
        assert!(Value::Bytes(&[0xff]).text().is_err() && Value::Fixed64.text().is_err());
        assert!(Value::Fixed64.integer().is_err());
    }

    #[test]
    fn repeated_numbers_are_read_one_by_one_and_in_a_row() {
        let mut integers = Vec::new();
        Value::Varint(7).append_integers(&mut integers).unwrap();
        Value::Bytes(&[1, 0x80, 0x02]).append_integers(&mut integers).unwrap();
        assert_eq!(integers, [7, 1, 256]);
        assert!(Value::Bytes(&[0x80]).append_integers(&mut integers).is_err());

        let mut floats = Vec::new();
        Value::Fixed32([0, 0, 0x80, 0x3f]).append_floats(&mut floats).unwrap();
        Value::Bytes(&[0, 0, 0, 0x40, 0, 0, 0, 0xc0]).append_floats(&mut floats).unwrap();
        assert_eq!(floats, [1.0, 2.0, -2.0]);
        assert!(Value::Bytes(&[0; 5]).append_floats(&mut floats).is_err());
        assert!(Value::Varint(1).append_floats(&mut floats).is_err());
    }

    #[test]
    fn integers_have_64_bits() {
        let most = [0xff; 9];
        assert_eq!(varint(&mut [most.as_slice(), &[1]].concat().as_slice()), Ok(u64::MAX));
        assert!(varint(&mut [most.as_slice(), &[2]].concat().as_slice()).is_err());
        assert!(varint(&mut [0x80; 11].as_slice()).is_err());
        assert_eq!(Value::Varint(u64::MAX).integer(), Ok(-1));
    }

    #[test]
    fn fields_that_end_early_or_have_no_number_are_refused() {
        for message in [&[0x08][..], &[0x11, 1, 2], &[0x1a, 3, b'h', b'i'], &[0x25, 0], &[0x0b], &[0x02, 0]] {
            assert!(only(message).is_err(), "{message:?}");
        }
        assert!(only(&[0x80, 0x80, 0x80, 0x80, 0x10, 0]).is_err());
        let too_long = [0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert!(only(&too_long).is_err());
    }
}
