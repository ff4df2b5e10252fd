import Foundation

/// Text to text, as a step of tokenizer.json's normalizer says. export/runtime/normalization.py tells why it is
/// applied here and not by a tokenizer library.
typealias Normalizer = (String) -> String

/// The normalizer that `specification` describes, of the kinds that XLM-R's tokenizers are made of. Throws
/// `Unusable`.
func readNormalizer(_ specification: Json?) throws -> Normalizer {
    guard let specification, !specification.isNull else { return { $0 } }
    let kind = specification["type"]?.string
    if let form = kind.flatMap(Composition.Form.init) { return Composition(form).apply }
    switch kind {
    case "Sequence":
        let steps = try (specification["normalizers"]?.array ?? []).map(readNormalizer)
        return { text in steps.reduce(text) { now, step in step(now) } }
    case "Precompiled": return try CharacterMap(specification["precompiled_charsmap"]?.string ?? "").apply
    case "Strip":
        let left = specification["strip_left"]?.bool ?? false
        let right = specification["strip_right"]?.bool ?? false
        return { strip($0, left: left, right: right) }
    case "Replace" where specification["pattern"]?["Regex"]?.string == " {2,}":
        let content = specification["content"]?.string ?? ""
        return { replaceSpaces($0, content) }
    default: throw Unusable("its normalizer \(kind ?? "without type") is none this runtime knows")
    }
}

/// `specification` with NFC before a SentencePiece character map: `composing` of the Python runtime.
func composing(_ specification: Json?) -> Json? {
    guard let specification, !specification.isNull else { return nil }
    let steps = specification["normalizers"]?.array ?? [specification]
    let kinds = steps.map { $0["type"]?.string }
    if !kinds.contains("Precompiled") || kinds[0] == "NFC" || kinds[0] == "NFKC" { return specification }
    return .object(["type": .string("Sequence"), "normalizers": .array([.object(["type": .string("NFC")])] + steps)])
}

/// SentencePiece's map from strings to strings: a double-array trie over UTF-8 (darts-clone), then the strings. The
/// longest entry at each position is replaced.
private struct CharacterMap {
    private let units: [UInt32]
    private let strings: [UInt8]

    /// Takes the map as tokenizer.json has it, in base64.
    init(_ encoded: String) throws {
        guard let data = Data(base64Encoded: encoded).map(Array.init), data.count >= 4 else {
            throw Unusable("its character map is damaged")
        }
        func word(_ at: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(data[at + $1]) << (8 * $1) }
        }
        let size = Int(word(0))
        guard size >= 4, size % 4 == 0, 4 + size <= data.count else {
            throw Unusable("its character map is damaged")
        }
        units = stride(from: 4, to: 4 + size, by: 4).map(word)
        strings = Array(data[(4 + size)...])
    }

    func apply(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var written: [UInt8] = []
        written.reserveCapacity(bytes.count)
        var start = 0
        while start < bytes.count {
            var (node, end, found) = (offset(unit(0)), start, -1)
            for position in start..<bytes.count {
                node ^= Int(bytes[position])
                let here = unit(node)
                if bytes[position] == 0 || here & 0x8000_00FF != UInt32(bytes[position]) { break }
                node ^= offset(here)
                if here & 0x100 != 0 { (end, found) = (position + 1, Int(unit(node) & 0x7FFF_FFFF)) }
            }
            if found < 0 {
                repeat {
                    written.append(bytes[end])
                    end += 1
                } while end < bytes.count && bytes[end] & 0xC0 == 0x80
            } else {
                while found < strings.count, strings[found] != 0 {
                    written.append(strings[found])
                    found += 1
                }
            }
            start = end
        }
        return String(decoding: written, as: UTF8.self)
    }

    private func unit(_ node: Int) -> UInt32 {
        node < units.count ? units[node] : 0
    }

    /// Where the children of a node begin.
    private func offset(_ unit: UInt32) -> Int {
        Int(unit >> 10) << Int((unit & 0x200) >> 6)
    }
}

/// `text` without white space at its edges.
private func strip(_ text: String, left: Bool, right: Bool) -> String {
    var scalars = Array(text.unicodeScalars)[...]
    func isSpace(_ scalar: Unicode.Scalar) -> Bool { CharacterClass.of(scalar) == CharacterClass.space }
    if left { scalars = scalars.drop(while: isSpace) }
    while right, let last = scalars.last, isSpace(last) { scalars.removeLast() }
    return String(String.UnicodeScalarView(scalars))
}

/// `text` with `content` for each two or more spaces in a row.
private func replaceSpaces(_ text: String, _ content: String) -> String {
    var (result, spaces) = (String.UnicodeScalarView(), 0)
    func flushed() -> String { spaces > 1 ? content : String(repeating: " ", count: spaces) }
    for scalar in text.unicodeScalars {
        if scalar == " " {
            spaces += 1
        } else {
            result.append(contentsOf: flushed().unicodeScalars)
            result.append(scalar)
            spaces = 0
        }
    }
    result.append(contentsOf: flushed().unicodeScalars)
    return String(result)
}
