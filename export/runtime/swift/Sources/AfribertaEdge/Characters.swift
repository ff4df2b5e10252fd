/// What kind of character each code point is, by one version of Unicode on every device: the class letters of
/// export/runtime/words.py, from a table made there. Swift's and iOS' own tables change with the system.
enum CharacterClass {
    static let upper = UInt8(ascii: "u")
    static let lower = UInt8(ascii: "l")
    static let other = UInt8(ascii: "o")
    static let unassigned = UInt8(ascii: "c")
    static let mark = UInt8(ascii: "M")
    static let selector = UInt8(ascii: "V")
    static let digit = UInt8(ascii: "D")
    static let apostrophe = UInt8(ascii: "A")
    static let fullStop = UInt8(ascii: "F")
    static let joiner = UInt8(ascii: "N")
    static let invisible = UInt8(ascii: "X")
    static let space = UInt8(ascii: "S")
    static let sign = UInt8(ascii: "P")

    /// Class letter of a character.
    static func of(_ scalar: Unicode.Scalar) -> UInt8 {
        scalar.value < low.count ? low[Int(scalar.value)] : search(scalar.value)
    }

    /// Class letters of a string's characters.
    static func all(of text: String) -> [UInt8] {
        text.unicodeScalars.map(of)
    }

    /// Runs of one class: the letter of each, and the code point after its last.
    private static let runs: (letters: [UInt8], ends: [UInt32]) = {
        var letters: [UInt8] = []
        var ends: [UInt32] = []
        var (end, count) = (UInt32(0), UInt32(0))
        for byte in CharacterTable.table.utf8 {
            if (0x30...0x39).contains(byte) {
                count = count * 10 + UInt32(byte - 0x30)
            } else {
                if !letters.isEmpty { end += max(count, 1); ends.append(end) }
                letters.append(byte)
                count = 0
            }
        }
        ends.append(end + max(count, 1))
        return (letters, ends)
    }()

    /// Class letters up to the end of Ethiopic, which most text is made of.
    private static let low: [UInt8] = (0..<0x1400).map(search)

    private static func search(_ code: UInt32) -> UInt8 {
        var (low, high) = (0, runs.ends.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if runs.ends[middle] > code { high = middle } else { low = middle + 1 }
        }
        return runs.letters[low]
    }
}
