import Foundation

/// Input ids of one window, <s> and </s> included, to logits: row by row, one row per id, one column per label.
public typealias Logits = (_ inputIds: [Int]) throws -> [Float]

/// An entity in the user's own string.
public struct TaggedEntity: Sendable {
    public let type: String
    public let text: String
    /// UTF-16 units, as `NSRange` and `text.utf16` count.
    public let utf16: Range<Int>
    /// Code points, as Python and `text.unicodeScalars` count.
    public let codePoints: Range<Int>
    /// UTF-8 bytes, as `text.utf8` counts.
    public let bytes: Range<Int>
    /// Mean probability of its words' tags, 0 to 1.
    public let score: Double

    /// Where it stands in the text that was tagged.
    public func range(in text: String) -> Range<String.Index> {
        let units = text.utf16
        let start = units.index(units.startIndex, offsetBy: utf16.lowerBound)
        return start..<units.index(start, offsetBy: utf16.count)
    }
}

public struct TaggedSentence: Sendable {
    /// Where it stands in the text, in UTF-16 units.
    public let utf16: Range<Int>
    public let entities: [TaggedEntity]
}

/// What the model makes of each word of a sentence.
public struct Prediction: Sendable {
    public let tags: [String]
    /// Probability of each tag, 0 to 1.
    public let scores: [Double]
    /// Per word one logit per label.
    public let logits: [[Float]]
}

/// Tags text with one bundle. For one thread at a time: keep it in an actor.
public final class Tagger {
    private static let longestWindow = 512  // sub-words: where AfriBERTa's position table ends
    /// By how much "O" leads in the row of a word without sub-words: finite, and exp(-certain) is 0.
    private static let certain: Float = 1e4

    public let labels: [String]
    public let encoder: WordEncoder
    private let temperature: Double
    private let logits: Logits

    /// Puts the parts together; `load` reads them from a bundle.
    public init(logits: @escaping Logits, encoder: WordEncoder, labels: [String], temperature: Double = 1) {
        self.logits = logits
        self.encoder = encoder
        self.labels = labels
        self.temperature = temperature
    }

    /// Opens a bundle; `model` makes its model answer. Throws `BundleError`.
    public static func load(_ bundle: OpenBundle, model: (OpenBundle) throws -> Logits) throws -> Tagger {
        let manifest = bundle.manifest
        let maxLength = min(manifest.maxLength, longestWindow)
        let encoder = try WordEncoder(tokenizer: bundle.read("tokenizer.json"), maxLength: maxLength)
        return Tagger(
            logits: try model(bundle), encoder: encoder, labels: manifest.labels, temperature: manifest.temperature)
    }

    /// The entities of `text`, in order. Any string gives an answer; blank text gives none.
    public func tag(_ text: String) throws -> [TaggedEntity] {
        var found: [TaggedEntity] = []
        try sentences(text) { found += $0.entities }
        return found
    }

    /// The same sentence by sentence, for long text. `each` may throw to stop it (`Task.checkCancellation`).
    public func sentences(_ text: String, each: (TaggedSentence) throws -> Void) throws {
        let read = ReadText(text)
        for words in splitSentences(read, splitWords(read)) {
            let prediction = try predict(words.map(\.text))
            let entities = group(prediction.tags, scores: prediction.scores).map { entity in
                let first = words[entity.words.lowerBound].codePoints.lowerBound
                let end = words[entity.words.upperBound - 1].codePoints.upperBound
                let span = read.word(first..<end)
                return TaggedEntity(
                    type: entity.type, text: span.text, utf16: span.utf16, codePoints: span.codePoints,
                    bytes: span.bytes, score: entity.score)
            }
            let span = words[0].utf16.lowerBound..<words[words.count - 1].utf16.upperBound
            try each(TaggedSentence(utf16: span, entities: entities))
        }
    }

    /// One tag per word of an already split sentence.
    public func tagWords(_ words: [String]) throws -> [String] {
        try predict(words).tags
    }

    /// Per word the tag, its probability and the logits, of an already split sentence.
    public func predict(_ words: [String]) throws -> Prediction {
        let rows = try wordLogits(words)
        let best = rows.map { row in row.indices.reduce(0) { row[$1] > row[$0] ? $1 : $0 } }
        return Prediction(
            tags: best.map { labels[$0] }, scores: zip(rows, best).map { probability($0, $1) }, logits: rows)
    }

    /// One row of logits per word: that of its first sub-word. A word without sub-words is certain to be label 0.
    private func wordLogits(_ words: [String]) throws -> [[Float]] {
        let none = [0] + [Float](repeating: -Self.certain, count: labels.count - 1)
        var rows = words.map { _ in none }
        for window in encoder.windows(words) {
            let output = try logits(window.inputIds)
            guard output.count == window.inputIds.count * labels.count else {
                let shape = "\(window.inputIds.count) by \(labels.count)"
                throw BundleError.damaged("The model", "its answer is not float32 of \(shape)")
            }
            for (position, word) in window.words.enumerated() where window.keep[position] {
                let start = window.first[position] * labels.count
                rows[word] = Array(output[start..<start + labels.count])
            }
        }
        return rows
    }

    /// Probability of a label: softmax over logits divided by the temperature, in single precision as in Python.
    private func probability(_ row: [Float], _ label: Int) -> Double {
        let scaled = row.map { $0 / Float(temperature) }
        let highest = Double(scaled.max() ?? 0)
        let powers = scaled.map { exp(Double($0) - highest) }
        return powers[label] / powers.reduce(0, +)
    }
}
