/// A text's characters with their classes, and where each begins in three units. Swift's own `Character`s are
/// graphemes, of which the rules know nothing.
struct ReadText {
    let utf8: [UInt8]
    let scalars: [Unicode.Scalar]
    let classes: [UInt8]
    /// Offset of each character and of the end.
    let bytes: [Int]
    let utf16: [Int]

    init(_ text: String) {
        scalars = Array(text.unicodeScalars)
        classes = scalars.map(CharacterClass.of)
        utf8 = Array(text.utf8)
        var (byte, unit) = (0, 0)
        var (bytes, units) = ([0], [0])
        bytes.reserveCapacity(scalars.count + 1)
        units.reserveCapacity(scalars.count + 1)
        for scalar in scalars {
            byte += UTF8.width(scalar)
            unit += UTF16.width(scalar)
            bytes.append(byte)
            units.append(unit)
        }
        self.bytes = bytes
        utf16 = units
    }

    func word(_ characters: Range<Int>) -> Word {
        let (first, end) = (characters.lowerBound, characters.upperBound)
        let own = bytes[first]..<bytes[end]
        return Word(
            text: String(decoding: utf8[own], as: UTF8.self),
            utf16: utf16[first]..<utf16[end], codePoints: characters, bytes: own)
    }
}

/// A word and where it stands in the text.
public struct Word: Sendable {
    public let text: String
    /// UTF-16 units, as `NSRange` and `text.utf16` count.
    public let utf16: Range<Int>
    /// Code points, as Python and `text.unicodeScalars` count.
    public let codePoints: Range<Int>
    /// UTF-8 bytes, as `text.utf8` counts.
    public let bytes: Range<Int>
}
