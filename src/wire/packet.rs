//! What the users' views of all formats have in common, written once.

/// Defines `$name<T>`: octets in a buffer, read through the module's `Header`. `$check` holds their
/// lengths against each other.
macro_rules! packet {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        ///
        /// After [`check_len`](Self::check_len) is `Ok` no accessor panics.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name<T: AsRef<[u8]>> {
            buffer: T,
        }

        impl<T: AsRef<[u8]>> $name<T> {
            /// Takes the octets as they are: to write them, or when their lengths are known to be right.
            pub const fn new_unchecked(buffer: T) -> $name<T> {
                $name { buffer }
            }

            /// Takes the octets if all lengths are right. Checksums are not looked at.
            pub fn new_checked(buffer: T) -> Result<$name<T>> {
                let packet = $name { buffer };
                packet.check_len()?;
                Ok(packet)
            }

            /// Whether all lengths are right.
            pub fn check_len(&self) -> Result<()> {
                let check: fn(&[u8]) -> Result<()> = $check;
                check(self.buffer.as_ref())
            }

            /// Gives the buffer back.
            pub fn into_inner(self) -> T {
                self.buffer
            }

            fn header(&self) -> Header<'_> {
                match self.buffer.as_ref().first_chunk() {
                    Some(header) => Header(header),
                    None => panic!("shorter than the header: use new_checked"),
                }
            }
        }

        impl<T: AsRef<[u8]>> AsRef<[u8]> for $name<T> {
            fn as_ref(&self) -> &[u8] {
                self.buffer.as_ref()
            }
        }
    };
}

/// Defines getters that the module's `Header` has, too.
macro_rules! getters {
    ($packet:ident: $($name:ident -> $type:ty;)*) => {
        impl<T: AsRef<[u8]>> $packet<T> {
            $(
                #[doc = concat!("See [`Header::", stringify!($name), "`].")]
                pub fn $name(&self) -> $type {
                    self.header().$name()
                }
            )*
        }
    };
}

/// Defines setters of whole octets.
macro_rules! setters {
    ($packet:ident: $($name:ident($value:ident: $type:ty) at $at:literal = $octets:expr;)*) => {
        impl<T: AsRef<[u8]> + AsMut<[u8]>> $packet<T> {
            $(
                #[doc = concat!("Writes the field `", stringify!($value), "`.")]
                pub fn $name(&mut self, $value: $type) {
                    let octets = $octets;
                    self.buffer.as_mut()[$at..$at + octets.len()].copy_from_slice(&octets);
                }
            )*
        }
    };
}
