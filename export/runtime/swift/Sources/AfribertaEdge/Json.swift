/// A JSON value. Foundation's parser is not used: it reads numbers and lone surrogates in ways of its own, and a
/// sub-word's score must be the very same number as in the other runtimes.
enum Json {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([Json])
    case object([String: Json])

    /// Parses a whole document in UTF-8; throws `Unusable`.
    static func parse(_ bytes: [UInt8]) throws -> Json {
        var parser = JsonParser(bytes: bytes)
        return try parser.document()
    }

    subscript(key: String) -> Json? {
        if case .object(let values) = self { values[key] } else { nil }
    }

    var string: String? { if case .string(let value) = self { value } else { nil } }
    var array: [Json]? { if case .array(let values) = self { values } else { nil } }
    var number: Double? { if case .number(let value) = self { value } else { nil } }
    var int: Int? { number.flatMap(Int.init(exactly:)) }
    var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    var isNull: Bool { if case .null = self { true } else { false } }

    /// The strings of an array of nothing else.
    var strings: [String]? {
        guard let array else { return nil }
        let found = array.compactMap(\.string)
        return found.count == array.count ? found : nil
    }
}

private struct JsonParser {
    private static let deepest = 100
    let bytes: [UInt8]
    private var at = 0
    private var depth = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func document() throws -> Json {
        let value = try value()
        skipSpace()
        guard at == bytes.count else { throw wrong() }
        return value
    }

    private func wrong() -> Unusable {
        Unusable("it is no JSON at byte \(at)")
    }

    private var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || (0x09...0x0D).contains(byte) { at += 1 }
    }

    private mutating func take(_ byte: Character) -> Bool {
        skipSpace()
        guard next == byte.asciiValue else { return false }
        at += 1
        return true
    }

    private mutating func value() throws -> Json {
        skipSpace()
        guard depth < Self.deepest, let byte = next else { throw wrong() }
        depth += 1
        defer { depth -= 1 }
        switch Character(Unicode.Scalar(byte)) {
        case "{": return try object()
        case "[": return try array()
        case "\"": return .string(try string())
        case "t": return try word("true", .bool(true))
        case "f": return try word("false", .bool(false))
        case "n": return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: String, _ value: Json) throws -> Json {
        guard bytes[at...].starts(with: text.utf8) else { throw wrong() }
        at += text.utf8.count
        return value
    }

    private mutating func object() throws -> Json {
        at += 1
        var values: [String: Json] = [:]
        if take("}") { return .object(values) }
        repeat {
            skipSpace()
            guard next == 0x22 else { throw wrong() }
            let key = try string()
            guard take(":") else { throw wrong() }
            values[key] = try value()
        } while take(",")
        guard take("}") else { throw wrong() }
        return .object(values)
    }

    private mutating func array() throws -> Json {
        at += 1
        var values: [Json] = []
        if take("]") { return .array(values) }
        repeat { values.append(try value()) } while take(",")
        guard take("]") else { throw wrong() }
        return .array(values)
    }

    private mutating func number() throws -> Json {
        let start = at
        while let byte = next, (0x30...0x39).contains(byte) || "+-.eE".utf8.contains(byte) { at += 1 }
        guard at > start, let value = Double(String(decoding: bytes[start..<at], as: UTF8.self)) else {
            throw wrong()
        }
        return .number(value)
    }

    private mutating func string() throws -> String {
        at += 1
        var start = at
        var text = ""
        while let byte = next, byte != 0x22 {
            guard byte >= 0x20 else { throw wrong() }
            guard byte == 0x5C else {
                at += 1
                continue
            }
            text += String(decoding: bytes[start..<at], as: UTF8.self)
            text.unicodeScalars.append(try escaped())
            start = at
        }
        guard at < bytes.count else { throw wrong() }
        defer { at += 1 }
        return text + String(decoding: bytes[start..<at], as: UTF8.self)
    }

    /// The character of the escape at `at`; a lone surrogate is U+FFFD.
    private mutating func escaped() throws -> Unicode.Scalar {
        guard at + 1 < bytes.count else { throw wrong() }
        at += 2
        switch Character(Unicode.Scalar(bytes[at - 1])) {
        case "\"": return "\""
        case "\\": return "\\"
        case "/": return "/"
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u":
            let unit = try codeUnit()
            let after = at
            if UTF16.isLeadSurrogate(unit), bytes[at...].starts(with: "\\u".utf8) {
                at += 2
                let trail = try codeUnit()
                if UTF16.isTrailSurrogate(trail) {
                    return UTF16.decode(UTF16.EncodedScalar([unit, trail]))
                }
                at = after
            }
            return Unicode.Scalar(unit) ?? "\u{FFFD}"
        default: throw wrong()
        }
    }

    private mutating func codeUnit() throws -> UInt16 {
        guard at + 4 <= bytes.count,
            let unit = UInt16(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
        else { throw wrong() }
        at += 4
        return unit
    }
}
