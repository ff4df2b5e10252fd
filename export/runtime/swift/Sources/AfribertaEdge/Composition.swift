import Foundation

/// Unicode's normalization forms (Unicode Standard Annex 15) with data of our own. Foundation's functions leave marks
/// in the wrong order where a character decomposes to several, and drop some.
struct Composition {
    enum Form: String {
        case nfc = "NFC"
        case nfd = "NFD"
        case nfkc = "NFKC"
        case nfkd = "NFKD"
    }

    private let form: Form

    init(_ form: Form) {
        self.form = form
    }

    /// `text` in this form. Unassigned characters stay and part what stands around them, as in the version of Unicode
    /// that the tables have.
    func apply(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 >= 0x80 }) else { return text }
        var (result, piece) = (String.UnicodeScalarView(), [Unicode.Scalar]())
        for scalar in text.unicodeScalars {
            if CharacterClass.of(scalar) == CharacterClass.unassigned {
                result.append(contentsOf: normalized(piece))
                result.append(scalar)
                piece = []
            } else {
                piece.append(scalar)
            }
        }
        result.append(contentsOf: normalized(piece))
        return String(result)
    }

    private func normalized(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var found = text.flatMap(decomposition)
        let kinds = found.map(CompositionData.combiningClass)
        var start = 0
        while start < found.count {  // marks in a row, in the order of their classes
            let end = kinds[start...].firstIndex(of: 0) ?? found.count
            if end > start + 1 {
                let order = (start..<end).sorted { (kinds[$0], $0) < (kinds[$1], $1) }
                found.replaceSubrange(start..<end, with: order.map { found[$0] })
            }
            start = end + 1
        }
        return form == .nfc || form == .nfkc ? composed(found) : found
    }

    private func composed(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        var result: [Unicode.Scalar] = []
        var starter: Int?
        var last: UInt8 = 0  // class of the character before, if it was not composed
        for scalar in text {
            let kind = CompositionData.combiningClass(scalar)
            if let at = starter, last == 0 || last < kind, let both = CompositionData.composite(result[at], scalar) {
                result[at] = both
                continue
            }
            if kind == 0 { starter = result.count }
            last = kind
            result.append(scalar)
        }
        return result
    }

    private func decomposition(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        if scalar.isASCII { return [scalar] }
        if form == .nfc || form == .nfd { return CompositionData.decomposition(scalar) }
        // No bundle of this toolkit asks for these two. Of one character Foundation's answer is right.
        let found = String(scalar).decomposedStringWithCompatibilityMapping.unicodeScalars
        return found.flatMap(CompositionData.decomposition)
    }
}

/// What one character decomposes to and what two compose to.
private enum CompositionData {
    private static let firstSyllable: UInt32 = 0xAC00
    private static let (firstLead, leads): (UInt32, UInt32) = (0x1100, 19)
    private static let (firstVowel, vowels): (UInt32, UInt32) = (0x1161, 21)
    private static let (beforeTrail, trails): (UInt32, UInt32) = (0x11A7, 28)

    static func combiningClass(_ scalar: Unicode.Scalar) -> UInt8 {
        scalar.value < 0x300 ? 0 : classes[scalar] ?? 0
    }

    static func decomposition(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        if let parts = tables.parts[scalar] { return parts.flatMap(decomposition) }
        guard scalar.value >= firstSyllable, scalar.value - firstSyllable < leads * vowels * trails else {
            return [scalar]
        }
        let index = scalar.value - firstSyllable
        let codes = [
            firstLead + index / trails / vowels, firstVowel + index / trails % vowels, beforeTrail + index % trails,
        ]
        return codes.prefix(index % trails == 0 ? 2 : 3).compactMap(Unicode.Scalar.init)
    }

    static func composite(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
        if second.isASCII { return nil }
        if let found = tables.composites[key(first, second)] { return found }
        let (one, two) = (first.value, second.value)
        if one >= firstLead, one - firstLead < leads, two >= firstVowel, two - firstVowel < vowels {
            return Unicode.Scalar(firstSyllable + ((one - firstLead) * vowels + two - firstVowel) * trails)
        }
        let isOpen = one >= firstSyllable && one - firstSyllable < leads * vowels * trails
            && (one - firstSyllable) % trails == 0
        guard isOpen, two > beforeTrail, two - beforeTrail < trails else { return nil }
        return Unicode.Scalar(one + two - beforeTrail)
    }

    private static func key(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> UInt64 {
        UInt64(first.value) << 32 | UInt64(second.value)
    }

    private static let classes: [Unicode.Scalar: UInt8] = {
        var found: [Unicode.Scalar: UInt8] = [:]
        for run in CompositionTable.classes.split(separator: " ") {
            let fields = run.split(separator: ".")
            let first = UInt32(fields[0], radix: 16)!
            for code in first..<first + UInt32(fields[1])! { found[Unicode.Scalar(code)!] = UInt8(fields[2])! }
        }
        return found
    }()

    private static let tables: (parts: [Unicode.Scalar: [Unicode.Scalar]], composites: [UInt64: Unicode.Scalar]) = {
        var parts: [Unicode.Scalar: [Unicode.Scalar]] = [:]
        var composites: [UInt64: Unicode.Scalar] = [:]
        var code: UInt32 = 0
        for entry in CompositionTable.decompositions.utf8.split(separator: UInt8(ascii: " ")) {
            let sign = entry.firstIndex { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: "!") }!
            code = sign == entry.startIndex ? code + 1 : number(entry[..<sign])
            let scalar = Unicode.Scalar(code)!
            let found = entry[entry.index(after: sign)...].split(separator: UInt8(ascii: "+"))
                .map { Unicode.Scalar(number($0))! }
            parts[scalar] = found
            if entry[sign] == UInt8(ascii: "=") { composites[key(found[0], found[1])] = scalar }
        }
        return (parts, composites)
    }()

    private static func number(_ digits: Substring.UTF8View) -> UInt32 {
        UInt32(Substring(digits), radix: 16)!
    }
}
