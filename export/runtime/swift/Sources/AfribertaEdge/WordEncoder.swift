import Foundation

/// One input of the model and which words it decides.
public struct Window: Sendable {
    /// With <s> and </s>.
    public let inputIds: [Int]
    /// Position in `inputIds` of the first sub-word of each word of the window.
    public let first: [Int]
    /// Index of those words in the sentence.
    public let words: [Int]
    /// Whether this window decides the word's tag.
    public let keep: [Bool]
}

/// The tokenizer of a bundle, applied to words: export/runtime/encode.py tells why it is done so. Remembers words it
/// has seen, so one encoder is for one thread at a time.
public final class WordEncoder {
    private static let longestWord = 8192  // characters that are read
    private static let knownWords = 4096
    private static let knownLength = 64
    private static let special = ["<s>", "</s>", "<pad>", "<unk>", "<mask>"]

    /// Of a window in sub-words, <s> and </s> included.
    public let maxLength: Int
    public let bosId: Int
    public let eosId: Int
    private let normalize: Normalizer
    private let model: Unigram
    private var known: [[UInt8]: [Int]] = [:]

    /// Takes tokenizer.json; `maxLength` is 3 or more. Throws `BundleError`.
    public init(tokenizer: Data, maxLength: Int) throws {
        precondition(maxLength >= 3, "a window needs room for a word between <s> and </s>")
        self.maxLength = maxLength
        (bosId, eosId, normalize, model) = try Unusable.told(of: "tokenizer.json") {
            let specification = try Json.parse(Array(tokenizer))
            let special = try Self.specialIds(specification)
            return (
                special[0], special[1], try readNormalizer(composing(specification["normalizer"])),
                try Self.model(specification, special)
            )
        }
    }

    /// Sub-word ids of a word; none for a word of invisible characters alone.
    public func subWords(_ word: String) -> [Int] {
        let key = Array(word.utf8)
        if let ids = known[key] { return ids }
        let read = key.count > Self.longestWord ? String(word.unicodeScalars.prefix(Self.longestWord)) : word
        let space: [UInt8] = [0xE2, 0x96, 0x81]  // ▁
        var text = normalize(read).utf8.flatMap { $0 == 0x20 ? space : [$0] }[...]
        if !text.isEmpty, !text.starts(with: space) { text = space + text }
        var ids: [Int] = []
        var start = text.startIndex
        for position in text.indices.dropFirst() where text[position...].starts(with: space) {
            ids += model.encode(text[start..<position])
            start = position
        }
        if !text.isEmpty { ids += model.encode(text[start...]) }
        if known.count >= Self.knownWords { known.removeAll(keepingCapacity: true) }
        if key.count <= Self.knownLength { known[key] = ids }
        return ids
    }

    /// Cuts a sentence into windows of at most `maxLength` sub-words, which overlap by half; every word with
    /// sub-words is kept in exactly one window.
    public func windows(_ words: [String]) -> [Window] {
        let room = maxLength - 2
        let encoded = words.enumerated()
            .map { (index: $0, ids: subWords($1).prefix(room)) }
            .filter { !$0.ids.isEmpty }
        let counts = encoded.map(\.ids.count)
        let ranges = windowRanges(counts, room)
        let keeper = keepers(counts, ranges)
        return ranges.enumerated().map { number, range in
            var inputIds = [bosId]
            var first: [Int] = []
            for (_, ids) in encoded[range] {
                first.append(inputIds.count)
                inputIds += ids
            }
            return Window(
                inputIds: inputIds + [eosId], first: first, words: encoded[range].map(\.index),
                keep: keeper[range].map { $0 == number })
        }
    }

    /// Id of each of XLM-R's special tokens, in the order of `special`; <mask> may be absent.
    private static func specialIds(_ specification: Json) throws -> [Int] {
        guard specification["model"]?["type"]?.string == "Unigram",
            let vocabulary = specification["model"]?["vocab"]?.array, !vocabulary.isEmpty
        else { throw Unusable("it holds no unigram model") }
        var ids: [String: Int] = [:]
        for token in specification["added_tokens"]?.array ?? [] {
            if let content = token["content"]?.string, let id = token["id"]?.int { ids[content] = id }
        }
        for (index, entry) in vocabulary.enumerated() {
            if let piece = entry.array?.first?.string, special.contains(piece) { ids[piece] = index }
        }
        let missing = special.dropLast().filter { ids[$0] == nil }
        if !missing.isEmpty { throw Unusable("it lacks \(missing.joined(separator: " "))") }
        return special.compactMap { ids[$0] }
    }

    /// The unigram model without what reads text as special tokens.
    private static func model(_ specification: Json, _ special: [Int]) throws -> Unigram {
        let model = specification["model"]
        let entries = model?["vocab"]?.array ?? []
        var vocabulary = entries.compactMap { entry -> (piece: String, score: Double)? in
            guard let pair = entry.array, pair.count == 2, let piece = pair[0].string, let score = pair[1].number
            else { return nil }
            return (piece, score)
        }
        guard vocabulary.count == entries.count else { throw Unusable("its vocabulary is malformed") }
        guard let unknown = model?["unk_id"]?.int, vocabulary.indices.contains(unknown) else {
            throw Unusable("it has no piece for unknown text")
        }
        // A piece that holds spaces matches no text: every space has become ▁.
        for id in special where id < vocabulary.count { vocabulary[id].piece = " special \(id) " }
        return Unigram(vocabulary, unknown: unknown, byteFallback: model?["byte_fallback"]?.bool ?? false)
    }
}

/// Half-overlapping word ranges whose sub-words fit in `room`; each ends beyond the last.
private func windowRanges(_ counts: [Int], _ room: Int) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var (start, end, used) = (0, 0, 0)
    while end < counts.count {
        while end < counts.count, used + counts[end] <= room {
            used += counts[end]
            end += 1
        }
        ranges.append(start..<end)
        if end < counts.count {
            // Step back for context, but leave room for the next word, or no window would ever reach it.
            let context = min(room / 2, room - counts[end])
            (start, used) = (end, 0)
            while start > 0, used + counts[start - 1] <= context {
                start -= 1
                used += counts[start]
            }
        }
    }
    return ranges
}

/// For each word the number of the window where its nearer cut is farthest away; the text's ends are no cuts.
private func keepers(_ counts: [Int], _ ranges: [Range<Int>]) -> [Int] {
    var before = [0]
    for count in counts { before.append(before[before.count - 1] + count) }
    var best = counts.map { _ in -1 }
    var keeper = counts.map { _ in 0 }
    for (number, range) in ranges.enumerated() {
        for word in range {
            let left = range.lowerBound > 0 ? before[word] - before[range.lowerBound] : Int.max
            let right = range.upperBound < counts.count ? before[range.upperBound] - before[word + 1] : Int.max
            let context = min(left, right)
            if context > best[word] { (best[word], keeper[word]) = (context, number) }
        }
    }
    return keeper
}
