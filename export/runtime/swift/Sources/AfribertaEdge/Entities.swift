/// An entity over words `words` of a sentence.
public struct WordEntity: Sendable {
    public let type: String
    public let words: Range<Int>
    /// Mean probability of its words' tags, 0 to 1.
    public let score: Double
}

/// Entities in `tags` (O, B-TYPE, I-TYPE; E- and S- too), in order, as seqeval's default counts them: an I- after O
/// or another type opens one. Without `scores` (one per tag) every entity's score is 1.
public func group(_ tags: [String], scores: [Double]? = nil) -> [WordEntity] {
    var entities: [WordEntity] = []
    var begin = 0
    var (lastPrefix, lastType): (Unicode.Scalar?, String) = ("O", "")
    for position in 0...tags.count {
        let tag = (position < tags.count ? tags[position] : "O").unicodeScalars
        let (prefix, rest) = (tag.first, tag.dropFirst())
        let named = rest.firstIndex(of: "-").map { rest[rest.index(after: $0)...] } ?? rest
        let type = named.isEmpty ? "_" : String(named)
        let changed = type != lastType
        if isOne(of: "ES", lastPrefix) || (lastPrefix != "O" && (isOne(of: "BSO", prefix) || changed)) {
            let score = scores.map { $0[begin..<position].reduce(0, +) / Double(position - begin) }
            entities.append(WordEntity(type: lastType, words: begin..<position, score: score ?? 1))
        }
        if isOne(of: "BS", prefix) || (prefix != "O" && (isOne(of: "ESO", lastPrefix) || changed)) {
            begin = position
        }
        (lastPrefix, lastType) = (prefix, type)
    }
    return entities
}

/// Whether a tag's prefix is one of these letters; an empty tag's is all of them, as in the other runtimes.
private func isOne(of letters: String, _ prefix: Unicode.Scalar?) -> Bool {
    prefix.map(letters.unicodeScalars.contains) ?? true
}
