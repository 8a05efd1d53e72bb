//! JSON in which an object is an object: serde's derived structs also take a list, its entries for the fields in their order. Nobody
//! means that, and a list that is misplaced would become a comment or a decision.
//!
//! [`Objects`] stands in front of any deserializer, down to the deepest value. Enums are names: no request has one that carries anything.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer as _, MapAccess, SeqAccess, Unexpected, Visitor,
};

/// A deserializer, a visitor or a seed of which structs take objects only.
pub(super) struct Objects<T>(pub(super) T);

macro_rules! forward {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.$method(Objects(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Objects<D> {
    type Error = D::Error;

    forward! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_unit deserialize_seq deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, Struct(visitor))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_unit_struct(name, Objects(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Objects(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple(length, Objects(visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_tuple_struct(name, length, Objects(visitor))
    }

    /// Asks for a text, and for the variant of that name. Asked for an enum, the reader of JSON says of a number or a list that it is no JSON, where it is JSON
    /// and a field of the wrong type.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_str(Named { variants, visitor })
    }

    fn is_human_readable(&self) -> bool {
        self.0.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident: $type:ty),*) => {
        $(fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.0.$method(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Objects<V> {
    type Value = V::Value;

    visit! {
        visit_bool: bool, visit_i8: i8, visit_i16: i16, visit_i32: i32, visit_i64: i64, visit_i128: i128, visit_u8: u8, visit_u16: u16,
        visit_u32: u32, visit_u64: u64, visit_u128: u128, visit_f32: f32, visit_f64: f64, visit_char: char, visit_str: &str,
        visit_borrowed_str: &'de str, visit_string: String, visit_bytes: &[u8], visit_borrowed_bytes: &'de [u8], visit_byte_buf: Vec<u8>
    }

    fn expecting(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.expecting(text)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Objects(inner))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Objects(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Objects(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Objects(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(data)
    }
}

/// A struct's visitor.
struct Struct<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Struct<V> {
    type Value = V::Value;

    fn expecting(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        text.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Objects(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<V::Value, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Seq, &self))
    }
}

/// The visitor of an enum, and the names of its variants.
struct Named<V> {
    variants: &'static [&'static str],
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Named<V> {
    type Value = V::Value;

    fn expecting(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        text.write_str("one of ")?;
        for (at, name) in self.variants.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(text, "{comma}`{name}`")?;
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<V::Value, E> {
        let name: StrDeserializer<'_, E> = name.into_deserializer();
        self.visitor.visit_enum(name)
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Objects<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Objects(inner))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Objects(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Objects<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Objects(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Outer {
        one: Inner,
        perhaps: Option<Inner>,
        many: Vec<Inner>,
        named: std::collections::BTreeMap<String, Inner>,
        pair: Option<(u8, Inner)>,
        any: Option<serde_json::Value>,
        kind: Option<Kind>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Inner {
        id: String,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Plain,
        Fancy,
    }

    fn read(text: &str) -> Result<Outer, serde_json::Error> {
        Outer::deserialize(Objects(&mut serde_json::Deserializer::from_str(text)))
    }

    #[test]
    fn lists_are_no_objects_however_deep() {
        for text in [
            "[]",
            r#"[{"id":"x"}]"#,
            r#"{"one":["x"]}"#,
            r#"{"perhaps":["x"]}"#,
            r#"{"many":[{"id":"x"},["x"]]}"#,
            r#"{"named":{"a":["x"]}}"#,
            r#"{"pair":[1,["x"]]}"#,
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.starts_with("invalid type: sequence, expected an object"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_no_name_of_a_variant_is_of_the_wrong_type() {
        let names = "expected one of `plain`, `fancy`";
        let cases = [
            ("5", "invalid type: integer `5`"),
            ("-5", "invalid type: integer `-5`"),
            ("1.5", "invalid type: floating point `1.5`"),
            ("true", "invalid type: boolean `true`"),
            ("[]", "invalid type: sequence"),
            (r#"["plain"]"#, "invalid type: sequence"),
            ("{}", "invalid type: map"),
            (r#"{"plain":null}"#, "invalid type: map"),
            (r#""other""#, "unknown variant `other`"),
        ];
        for (kind, problem) in cases {
            let error = read(&format!(r#"{{"kind":{kind}}}"#)).expect_err(kind);
            assert!(error.is_data(), "{kind}: {error}");
            assert!(error.to_string().starts_with(problem), "{kind}: {error}");
            assert!(error.to_string().contains("`plain`") && error.to_string().contains("`fancy`"), "{kind}: {error}");
        }
        assert!(read(r#"{"kind":5}"#).unwrap_err().to_string().contains(names));
        assert_eq!(read(r#"{"kind":"fanc\u0079"}"#).unwrap().kind, Some(Kind::Fancy));
        assert_eq!(read(r#"{"kind":null}"#).unwrap().kind, None);
        for broken in [r#"{"kind":pl"#, r#"{"kind":}"#, r#"{"kind":"#, r#"{"kind":"pl"#] {
            assert!(!read(broken).unwrap_err().is_data(), "{broken}");
        }
    }

    #[test]
    fn everything_else_is_read_as_ever() {
        let text = r#"{"one":{"id":"ä\n"},"perhaps":null,"many":[{"id":"a"},{}],"named":{"k":{"id":"b"}},"pair":[7,{"id":"c"}],
            "any":[1,-2,3.5,true,null,"s",{"a":[]}],"kind":"plain","unknown":[[1]]}"#;
        assert_eq!(read(text).unwrap(), serde_json::from_str::<Outer>(text).unwrap());
        assert!(read(r#"{"one":5}"#).unwrap_err().to_string().contains("expected an object"));
    }
}
